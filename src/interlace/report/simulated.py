"""Residuals as places among simulated responses, by the definitions of R's DHARMa."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import Array
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.options import count, generator, word
from interlace.prediction.residuals import fitted, marginal_fitted, residuals
from interlace.prediction.simulate import simulate

KINDS = ("new", "conditional", "rotated")
EVERY = slice(None)


@dataclass(frozen=True, slots=True)
class Simulated:
    """Responses drawn from the model, and where the data stand among them.

    Attributes
    ----------
    y : ndarray, (n,)
    draws : ndarray, (n, m)
    kind : {"new", "conditional", "rotated"}
    places : ndarray, (n,)
        From 0 to 1; uniform where the model holds.
    """

    y: Array
    draws: Array
    kind: str
    places: Array

    @classmethod
    def of(cls, fit: Fit, kind: str, m: int, seed: object) -> Simulated:
        """See `LinearMixedModel.quantile_residuals`."""
        kind, m, rng = word("kind", kind, KINDS), count("n", m), generator(seed)
        y = fit.design.y
        assert y is not None
        if kind == "conditional":
            w = fit.design.weights
            sd = fit.sigma if w is None else (fit.sigma / np.sqrt(w))[:, None]
            draws = fitted(fit)[:, None] + sd * rng.standard_normal((len(y), m))
        else:
            draws = simulate(fit, m, seed=rng)
        if kind == "rotated":
            from scipy import special  # slow to import

            return cls(y, draws, kind, special.ndtr(residuals(fit, kind="marginal-cholesky")))
        return cls(y, draws, kind, _places(y, draws, rng))

    def uniformity(self) -> tuple[float, float]:
        """Kolmogorov and Smirnov's distance of the places from a uniform distribution, and its p-value."""
        return _uniform(self.places)

    def uniformity_of(self, rows: NDArray[np.bool_]) -> tuple[float, float]:
        """The same of some rows, the rotated residuals over a standard deviation of their own: that of the
        model may be due to the others."""
        from scipy import special

        z = special.ndtri(self.places[rows])
        z = z[np.isfinite(z)]
        return _uniform(special.ndtr(z / np.sqrt((z**2).mean()))) if len(z) > 1 else (np.nan, np.nan)

    def dispersion(self, fit: Fit) -> tuple[float, float]:
        """Variance of the response about its prediction over the mean of that of the draws, two-sided."""
        centre = fitted(fit) if self.kind == "conditional" else marginal_fitted(fit)
        observed = float(np.var(self.y - centre))
        drawn = np.var(self.draws - centre[:, None], axis=0)
        return observed / float(drawn.mean()), monte_carlo(observed, drawn)

    def outliers(self) -> tuple[float, float]:
        """How many rows lie beyond all their draws, and the binomial p-value with the share 2 / (m + 1)."""
        return self._beyond(EVERY, "two-sided")

    def outliers_of(self, rows: NDArray[np.bool_]) -> tuple[float, float]:
        """The same of some rows, and whether it is more than by chance: it is fewer where the variance of the
        model, and of the draws, is due to the others."""
        return self._beyond(rows, "greater")

    def _beyond(self, rows: slice | NDArray[np.bool_], side: str) -> tuple[float, float]:
        from scipy import stats

        y, draws = self.y[rows], self.draws[rows]
        beyond = int(((y < draws.min(axis=1)) | (y > draws.max(axis=1))).sum())
        share = 2 / (self.draws.shape[1] + 1)
        found = stats.binomtest(beyond, len(y), share, alternative=side).pvalue if len(y) else np.nan
        return float(beyond), float(found)

    def quantiles(self, predicted: Array, groups: int = 10) -> tuple[float, float]:
        """Do the places depend on the prediction? Chi-square of a table, and its p-value.

        Rows are cut by the prediction into groups of equal size, ten or as many as have 40 rows each, and by
        their places at the quartiles. Where the places are independent of the prediction the statistic has
        ``3 (groups - 1)`` degrees of freedom. DHARMa has quantile regressions with splines instead.
        """
        from scipy import stats

        n = len(predicted)
        groups = min(groups, n // 40)
        if groups < 2:
            return np.nan, np.nan
        tenth = np.argsort(np.argsort(predicted, kind="stable"), kind="stable") * groups // n
        quarter = np.minimum((4 * np.argsort(np.argsort(self.places, kind="stable"))) // n, 3)
        table = np.zeros((groups, 4))
        np.add.at(table, (tenth, quarter), 1)
        found = stats.chi2_contingency(table, correction=False)
        return float(found.statistic), float(found.pvalue)

    def predictive(self) -> dict[str, tuple[float, float]]:
        """Skewness and kurtosis of the response among those of the draws, with two-sided p-values."""
        out = {}
        for name, power in (("skewness", 3), ("kurtosis", 4)):
            drawn = _moment(self.draws, power)
            observed = float(_moment(self.y[:, None], power)[0])
            out[name] = observed, monte_carlo(observed, drawn)
        return out


def _uniform(places: Array) -> tuple[float, float]:
    from scipy import stats

    found = stats.kstest(places, "uniform")
    return float(found.statistic), float(found.pvalue)


def _places(y: Array, draws: Array, rng: np.random.Generator) -> Array:
    """DHARMa's: between the shares of draws below and not above the response, at random where they differ."""
    below, not_above = (draws < y[:, None]).mean(axis=1), (draws <= y[:, None]).mean(axis=1)
    return np.asarray(below + (not_above - below) * rng.random(len(y)))


def monte_carlo(observed: float, drawn: Array) -> float:
    """Two-sided p-value of a value among draws, never zero."""
    m = len(drawn)
    lower, upper = (1 + (drawn <= observed).sum()) / (m + 1), (1 + (drawn >= observed).sum()) / (m + 1)
    return float(min(1.0, 2 * min(lower, upper)))


def _moment(values: Array, power: int) -> Array:
    centred = values - values.mean(axis=0)
    sd = np.sqrt((centred**2).mean(axis=0))
    return np.asarray((centred**power).mean(axis=0) / sd**power)
