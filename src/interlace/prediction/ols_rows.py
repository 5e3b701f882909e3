"""What least squares says of rows: how sure its predictions are, new responses, residuals."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from interlace.arrays import Array
from interlace.design.design import Design
from interlace.errors import ModelError
from interlace.estimation.capacity import available_bytes
from interlace.estimation.ols_fit import LeastSquaresFit
from interlace.frozen import dataclass
from interlace.options import count, generator, word
from interlace.prediction.absorbed_levels import level_sums
from interlace.prediction.residuals import PLAIN, STUDENTIZED, over_their_deviation
from interlace.prediction.selection import Part
from interlace.prediction.simulate import Seed
from interlace.prediction.uncertainty import Joint, chunks


@dataclass(frozen=True)
class SureOfLeast:
    """How sure predictions of least squares are, by a covariance of beta and the quantiles of t.

    Beside absorbed factors a mean is ``d'a + x'beta``. Of x the factors leave ``x - E'd``, E the effects of
    the levels in the columns of X, and ``Var = sigma^2 (d'(D'WD)^- d + (x - E'd)'C(x - E'd))``.

    Attributes
    ----------
    fit : LeastSquaresFit
    vcov : ndarray, (p, p)
    df : float
    kind : str
        Of the covariance: "iid" where the variances of rows are known but for sigma.
    """

    fit: LeastSquaresFit
    vcov: Array
    df: float
    kind: str

    @cached_property
    def _explained(self) -> tuple[Array, ...]:
        absorbed = self.fit.absorbed
        assert absorbed is not None
        return absorbed.effects(self.fit.X).estimates

    @cached_property
    def _joint(self) -> Joint:
        levels = self.fit.level_system
        return Joint(levels.system, levels.factor)

    def variance(self, design: Design, parts: Sequence[Part]) -> Array:
        """Of the mean of a row, (n,).

        Raises
        ------
        ModelError
            A robust covariance beside absorbed factors, of whose effects the covariance is not made.
        """
        X = design.selected(self.fit.kept).X
        if not design.absorbed:
            return np.asarray(np.einsum("ni,ij,nj->n", X, self.vcov, X))
        if self.kind != "iid":
            raise ModelError(
                f"standard errors of predictions beside absorbed factors need the {self.kind} covariance of "
                "the effects of their levels, which is not made: ask for vcov='iid', or for marginal means, "
                "m.emmeans(...)"
            )
        left = X - level_sums(self.fit.encoding, design, self._explained)
        out = ((left @ self.fit.root) ** 2).sum(axis=1)
        bare = design.selected(())
        for rows in chunks(design.nrows):
            out[rows] += self._joint.variance(bare, (), rows, _no_prior)
        return np.asarray(self.fit.scale * out)

    def rest(self, design: Design, parts: Sequence[Part], z: Sequence[Array]) -> Array:
        """What a new response varies by beside that, (n,).

        Raises
        ------
        ModelError
            Robust covariances allow rows to have variances of their own.
        """
        if self.kind != "iid":
            raise ModelError(
                f"the variance of a new response is not known where {self.kind} is asked for: rows may have "
                "any variance. Ask for vcov='iid', or for interval='confidence'"
            )
        return self.fit.scale / (np.ones(design.nrows) if design.weights is None else design.weights)

    def reach(self, level: float) -> float:
        """Of an interval, in standard errors."""
        from scipy import special  # slow to import

        p = (1 + level) / 2
        return float(special.ndtri(p) if np.isinf(self.df) else special.stdtrit(self.df, p))


def _no_prior(block: int, z: Array) -> Array:
    raise AssertionError("there are no random effects")


def simulated(fit: LeastSquaresFit, n: int, seed: Seed) -> Array:
    """New responses of the rows of the fit: the fitted values and errors ``N(0, sigma^2 / w)``, (rows, n)."""
    n, rng = count("n", n, at_most=available_bytes() / (8 * fit.n)), generator(seed)
    fitted = fit.fitted
    draws = [rng.normal(scale=fit.sigma, size=fit.n) for _ in range(n)]
    return fitted[:, None] + np.column_stack(draws) / np.sqrt(fit.weights)[:, None]


def residuals_of(fit: LeastSquaresFit, kind: str) -> Array:
    """`residuals.PLAIN` and `residuals.STUDENTIZED`: R's `rstandard` and `rstudent`, (n,)."""
    kind = word("kind of residuals", kind, (*PLAIN, *STUDENTIZED))
    if kind == "response":
        return fit.residuals
    pearson = np.sqrt(fit.weights) * fit.residuals
    if kind == "pearson":
        return pearson
    standardized = pearson / fit.sigma
    if kind == "standardized":
        return standardized
    return over_their_deviation(standardized, 1 - fit.leverages, fit.df_resid, kind)
