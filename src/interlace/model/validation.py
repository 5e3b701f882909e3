"""How well a model predicts what it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlace.model.fitted import Fitted
from interlace.options import SCORES
from interlace.refitting import cross_validation

if TYPE_CHECKING:
    from interlace.refitting.cross_validation import CrossValidation


class Validation(Fitted):
    """How well a model predicts what it has not seen."""

    def cross_validate(
        self,
        by: Any = None,
        *,
        k: Any = None,
        repeats: int = 1,
        scores: Any = SCORES,
        seed: Any = None,
        n_jobs: int = 1,
        transforms: str = "fold",
        progress: bool | None = None,
    ) -> CrossValidation:
        """Fit without some rows, predict them, and score the predictions.

        The cross-products of the rows that leave are taken from those of all, and the variances are searched
        anew from the rest: the numbers are those of a fit to the other rows. Random effects of levels that
        are left count in predictions; those of levels that are not are zero, the population's.

        Parameters
        ----------
        by : str or array-like, optional
            What is held out together: a grouping factor, another column of the data, or a label for each row.
            Without it rows are held out one by one.
        k : int, or a splitter, optional
            Folds, of groups or of rows, at random by `seed`; or a splitter of scikit-learn, or pairs
            (train, test) of places of the rows used. Without it each group of `by` is a fold.
        repeats : int
            How often the k folds are drawn.
        scores : str, callable, or several
            "rmse", "mae", "r2", "elpd", "crps"; metrics ``f(y, predicted)`` and scorers of scikit-learn,
            their names too; a mapping gives names to functions.
        seed : int or Generator, optional
            The same seed gives the same folds.
        n_jobs : int
            Number of threads; -1 for one per processor.
        transforms : {"fold", "data"}
            Of functions that learn numbers from rows, such as ``scale(x)``, ``poly(x, 2)`` and ``bs(x)``:
            "fold" learns them from the rows that are fitted; "data" takes those of all rows, which is faster
            and lets the held-out rows tell a little of themselves.
        progress : bool, optional
            Show a bar; by default only where a person watches.

        Returns
        -------
        CrossValidation
            `.summary()` has the scores with standard errors, `.table` a row per fold, `.predictions` a row
            per row of the data.

        Raises
        ------
        DataError
            Neither `by` nor `k`, an unknown column, a single group, more folds than groups.
        ModelError
            Without a fold the other rows do not tell what its rows need.

        Notes
        -----
        For e the errors of the m held-out rows, rmse and mae are the root of the mean of e^2 and the mean of
        ``|e|``; ``r2 = 1 - sum e^2 / sum (y - c)^2``, c the mean response of the rows that were fitted;
        elpd is the sum, over groups (over rows without `by`), of the logarithm of the joint predictive
        density of the group, and crps the mean continuous ranked probability score. The predictive
        distribution is normal, with the random effects and the coefficients integrated out at the estimated
        variances. Standard errors take groups (or rows) as independent: with few folds they are too small
        rather than too large (Bengio and Grandvalet 2004).

        References
        ----------
        Merkle, E. C., Furr, D., and Rabe-Hesketh, S. (2019). Bayesian comparison of latent variable models:
        conditional versus marginal likelihoods. Psychometrika, 84, 802-829.

        Vehtari, A., Gelman, A., and Gabry, J. (2017). Practical Bayesian model evaluation using leave-one-out
        cross-validation and WAIC. Statistics and Computing, 27, 1413-1432.

        Bengio, Y., and Grandvalet, Y. (2004). No unbiased estimator of the variance of k-fold
        cross-validation. Journal of Machine Learning Research, 5, 1089-1105.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
        >>> m.cross_validate("Subject", scores=["rmse", "elpd"])
        Cross-validation: each of the 18 groups of 'Subject' held out
             estimate       se
        rmse   49.604    6.219
        elpd -891.335   29.758
        standard errors from 18 groups of 'Subject'
        """
        return cross_validation.cross_validate(
            self._fit,
            by=by,
            k=k,
            repeats=repeats,
            scores=scores,
            seed=seed,
            n_jobs=n_jobs,
            transforms=transforms,
            progress=progress,
        )
