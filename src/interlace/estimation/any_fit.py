"""What every fit answers, with random effects or without: all that the rooms of inference ask."""

from __future__ import annotations

from typing import Protocol

from interlace.arrays import Array
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.rows import Rows
from interlace.estimation.absorbed import Effects
from interlace.estimation.identification import Identification


class Coefficients(Protocol):
    """A solution."""

    @property
    def beta(self) -> Array:
        """Of the columns of X that are in the model, (p,)."""
        ...


class AnyFit(Protocol):
    """A fit: its encoding, its rows, its coefficients and how well they are known by the model."""

    @property
    def encoding(self) -> Encoding:
        """What was learnt from the data."""
        ...

    @property
    def rows(self) -> Rows:
        """The training rows."""
        ...

    @property
    def design(self) -> Design:
        """These rows, in memory."""
        ...

    @property
    def kept(self) -> tuple[int, ...]:
        """Columns of X that are in the model."""
        ...

    @property
    def dropped(self) -> tuple[str, ...]:
        """Names of the others."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        ...

    @property
    def X(self) -> Array:
        """The columns of X that are in the model, (n, p)."""
        ...

    @property
    def triangle_of_tests(self) -> Array:
        """R with ``R'R = X'X`` of what absorbed factors leave of X, (p, p): what sequential sums of squares
        are made of. Those of least squares have the weights, and those of mixed models have not."""
        ...

    @property
    def solution(self) -> Coefficients:
        """The coefficients."""
        ...

    @property
    def scale(self) -> float:
        """``sigma^2``."""
        ...

    @property
    def sigma(self) -> float:
        """Residual standard deviation of an observation of weight 1."""
        ...

    @property
    def vcov(self) -> Array:
        """Covariance of beta by the model, (p, p)."""
        ...

    @property
    def loglik(self) -> float:
        """The log-likelihood, restricted for a fit by REML."""
        ...

    @property
    def reml(self) -> bool:
        """Is the likelihood the restricted one?"""
        ...

    @property
    def n_parameters(self) -> int:
        """Estimated parameters, the effects of absorbed levels included."""
        ...

    @property
    def n_jobs(self) -> int | None:
        """Threads at most."""
        ...

    @property
    def identification(self) -> Identification:
        """What the data cannot tell of the variances."""
        ...

    @property
    def absorbed_effects(self) -> Effects:
        """Estimates of the levels of absorbed factors."""
        ...

    def by(self, *, reml: bool) -> AnyFit:
        """The same model by the other criterion."""
        ...

    def of_model(self, encoding: Encoding, rows: Design | Rows) -> AnyFit:
        """The fit of another model of these rows by maximum likelihood."""
        ...
