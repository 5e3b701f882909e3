"""What a fit by least squares is asked, whether its rows are in memory or come in chunks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import field
from functools import cached_property
from math import log, pi

import numpy as np

from interlace.arrays import Array
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.rows import Rows
from interlace.estimation.absorbed import Absorbed, Effects
from interlace.estimation.beside_levels import absorbed_of, effects_of
from interlace.estimation.identification import Identification
from interlace.estimation.level_system import LevelSystem
from interlace.frozen import dataclass
from interlace.hints import NotCalled

# What is found when it is asked for, and is left out of pickles.
_MADE_AGAIN = ("absorbed", "absorbed_effects", "level_system", "leverages")
_WHOLE = (
    "leverages (which HC2 and HC3 need), standard errors of predictions and means beside absorbed factors "
    "need a factor of the equations of all levels: {}. Use vcov='HC1' or clusters, or absorb fewer factors"
)


@dataclass(frozen=True, slots=True)
class LeastSquares:
    """Coefficients of the columns of X that are in the model, (p,)."""

    beta: Array


@dataclass(frozen=True)
class LeastSquaresFit(NotCalled, ABC):
    """A fit of ``y = X beta + D a + e``, ``e ~ N(0, sigma^2 / w)``: what the rooms above ask of a fit.

    This is what a fit of rows in memory and one of rows in chunks share.

    Attributes
    ----------
    encoding : Encoding
    rows : Rows
    kept : tuple of int
        Columns of X that are in the model.
    dropped : tuple of str
        Names of the others, but for the intercept where absorbed factors take its place.
    solution : LeastSquares
    triangle : ndarray, (p, p)
        R with ``R'R = left'W left``, for what the absorbed factors leave of the columns of X.
    n_jobs : int or None
    """

    encoding: Encoding
    rows: Rows = field(repr=False)
    kept: tuple[int, ...]
    dropped: tuple[str, ...]
    solution: LeastSquares
    triangle: Array = field(repr=False)
    n_jobs: int | None

    @property
    @abstractmethod
    def left(self) -> Array:
        """What the absorbed factors leave of the columns of X, (n, p)."""

    @property
    @abstractmethod
    def response(self) -> Array:
        """What they leave of the response, (n,)."""

    @property
    @abstractmethod
    def residuals(self) -> Array:
        """Of the rows used, (n,)."""

    @property
    @abstractmethod
    def fitted(self) -> Array:
        """Fitted values of the rows used, the offset and the effects of absorbed levels included, (n,)."""

    @property
    @abstractmethod
    def rss(self) -> float:
        """Weighted sum of squares of the residuals."""

    @property
    @abstractmethod
    def tss(self) -> float:
        """Weighted sum of squares of the response, about its mean where the model has an intercept."""

    @property
    @abstractmethod
    def log_weights(self) -> float:
        """The sum of the logarithms of the weights."""

    @property
    @abstractmethod
    def n_missing(self) -> int:
        """Rows left out because of missing values."""

    @property
    @abstractmethod
    def n_singletons(self) -> int:
        """Rows left out as the only ones of a level of an absorbed factor."""

    @property
    @abstractmethod
    def leverages(self) -> Array:
        """The diagonal of the matrix that makes fitted values of y, absorbed levels included, (n,)."""

    @abstractmethod
    def of_model(self, encoding: Encoding, rows: Design | Rows) -> LeastSquaresFit:
        """The fit of another model of these rows."""

    @abstractmethod
    def refit(self, y: Array) -> LeastSquaresFit:
        """The same model of another response of the rows used, (n,)."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return tuple(self.encoding.fixed_names[j] for j in self.kept)

    @property
    def design(self) -> Design:
        """The rows."""
        return self.rows.design

    @property
    def X(self) -> Array:
        """The columns of X that are in the model, (n, p)."""
        return self.design.selected(self.kept).X

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.rows.n

    @property
    def weights(self) -> Array:
        """Prior weights, ones where there are none, (n,)."""
        given = self.design.weights
        return np.ones(self.n) if given is None else given

    @property
    def absorbed_rank(self) -> int:
        """Rank of the columns of the absorbed levels."""
        return sum(one.rank for one in self.encoding.absorbed)

    @property
    def rank(self) -> int:
        """Coefficients and effects of absorbed levels that the data tell."""
        return len(self.kept) + self.absorbed_rank

    @property
    def df_resid(self) -> int:
        """n less `rank`."""
        return self.n - self.rank

    @property
    def scale(self) -> float:
        """``sigma^2``."""
        return self.rss / self.df_resid

    @property
    def sigma(self) -> float:
        """Residual standard deviation of an observation of weight 1."""
        return float(np.sqrt(self.scale))

    @property
    def triangle_of_tests(self) -> Array:
        """The same: sequential sums of squares of least squares have the weights."""
        return self.triangle

    @property
    def root(self) -> Array:
        """``K = R^-1``: the covariance of beta is ``sigma^2 K K'``, (p, p)."""
        return np.asarray(np.linalg.inv(self.triangle))

    @property
    def vcov(self) -> Array:
        """``sigma^2 (X'WX)^-1``, (p, p)."""
        return self.scale * (self.root @ self.root.T)

    @property
    def loglik(self) -> float:
        """The log-likelihood at its maximum, where the variance is ``rss / n``."""
        return 0.5 * self.log_weights - self.n / 2 * (log(2 * pi * self.rss / self.n) + 1)

    @property
    def reml(self) -> bool:
        """Never: the likelihood is the unrestricted one."""
        return False

    @property
    def n_parameters(self) -> int:
        """Coefficients, effects of absorbed levels, and sigma."""
        return self.rank + 1

    @property
    def identification(self) -> Identification:
        """There is one variance, and the data tell it."""
        return Identification(())

    def by(self, *, reml: bool) -> LeastSquaresFit:
        """The fit itself: least squares are those of maximum likelihood."""
        return self

    @cached_property
    def absorbed(self) -> Absorbed | None:
        """The absorbed factors of the rows; None if there are none."""
        return absorbed_of(self.encoding, self.rows, self.n_jobs)

    @cached_property
    def absorbed_effects(self) -> Effects:
        """Estimates of the levels of absorbed factors.

        Raises
        ------
        ModelError
            Nothing is absorbed.
        """
        return effects_of(self.encoding, self.rows, self._explained, self.n_jobs)

    @cached_property
    def level_system(self) -> LevelSystem:
        """The factor of the normal equations of the absorbed levels.

        Raises
        ------
        ModelError
            It would need more memory or time than there is.
        """
        return LevelSystem.of(self.encoding, self.rows, self.n_jobs, _WHOLE)

    def _explained(self, design: Design) -> Array:
        return design.selected(self.kept).fixed.times(self.solution.beta)

    def __getstate__(self) -> dict[str, object]:
        return {key: value for key, value in self.__dict__.items() if key not in _MADE_AGAIN}
