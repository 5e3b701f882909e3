"""Other fits of the same model: from other starts, and to residuals in another order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlace.model.fitted import Fitted
from interlace.refitting import multistart, permutation

if TYPE_CHECKING:
    from interlace.refitting.multistart import Multistart
    from interlace.refitting.permutation import PermutationTest

STARTS, PERMUTATIONS = 20, 999


class Again(Fitted):
    """Other fits of the same model: from other starts, and to residuals in another order."""

    def multistart(
        self,
        n: int = STARTS,
        seed: int | None = None,
        *,
        n_jobs: int | None = None,
        progress: bool | None = None,
    ) -> Multistart:
        """Is it the optimum? Searches again from random starts, and says where each of them ends.

        Random effects at the starts are of sizes from a hundredth to a hundred times that of the residuals;
        lme4's `allFit` asks other optimisers instead.

        Parameters
        ----------
        n : int
            Starts.
        seed : int, optional
            What they are drawn by.
        n_jobs : int, optional
            Number of threads; -1 for one per processor.
        progress : bool, optional
            Show a bar; by default only where a person watches.

        Returns
        -------
        Multistart
            `.table` has the criterion and all parameters at each end, `.verdict` says it in a sentence,
            `.is_optimum` is what follows.

        Raises
        ------
        DataError
            `n` or `seed` is none.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
        >>> m.multistart(10, seed=1).is_optimum
        True
        """
        return multistart.multistart(self._fit, n, seed=seed, n_jobs=n_jobs, progress=progress)

    def permutation_test(
        self,
        term: str,
        n: int = PERMUTATIONS,
        seed: int | None = None,
        *,
        within: str | None = None,
        n_jobs: int | None = None,
        progress: bool | None = None,
    ) -> PermutationTest:
        """Test a fixed or random term by permuting the residuals of the model without it.

        The method is Freedman and Lane's (1983).

        Random effects of the smaller model change places among the levels of their grouping factor, and
        residuals of rows within the levels of its innermost grouping factor, where its factors are nested;
        both have the estimated variances, as in the residual bootstrap. Both models are fitted to each
        response, fitted values plus residuals in their new places. The statistic of a fixed term is
        ``F = (L beta)'(L C L')^-1 L beta / q``, that of a random term the likelihood ratio by the criterion
        of the model, which has no distribution in any table.

        Parameters
        ----------
        term : str
            A term of the fixed part that is part of no other ("x", "f:g"); or a random term or one of its
            slopes, as `ranova` names them ("(1 | g)", "x in (x | g)").
        n : int
            Permutations.
        seed : int, optional
            The same seed gives the same permutations for any `n_jobs`.
        within : str, optional
            A grouping factor: residuals of rows change places within its levels only.
        n_jobs : int, optional
            Number of threads; -1 for one per processor.
        progress : bool, optional
            Show a bar; by default only where a person watches.

        Returns
        -------
        PermutationTest
            `.p` is ``(1 + #{at least as large}) / (1 + n)``.

        Raises
        ------
        DataError
            There is no such term.
        ModelError
            The term is part of another; levels have a known covariance, and cannot change places.

        References
        ----------
        Freedman, D., and Lane, D. (1983). A nonstochastic interpretation of reported significance levels.
        Journal of Business and Economic Statistics, 1, 292-298.
        Lee, O. E., and Braun, T. M. (2012). Permutation tests for random effects in linear mixed models.
        Biometrics, 68, 486-493.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Reaction ~ Days + (1 | Subject)", interlace.datasets.load("sleepstudy"))
        >>> m.permutation_test("Days", 199, seed=1).p
        0.005
        """
        return permutation.permutation_test(
            self._fit, term, n, within=within, seed=seed, n_jobs=n_jobs, progress=progress
        )
