"""What a search needs to know of a function, whatever model it belongs to."""

from __future__ import annotations

from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from interlace import kernel
from interlace.estimation.parameters import Parameters
from interlace.estimation.penalized import Solution, System
from interlace.estimation.valleys import Doubt

Array = NDArray[np.floating]


class Compiled(Protocol):
    """A criterion with a workspace, for one thread."""

    @property
    def pwrss(self) -> float:
        """Where `value` was asked last."""

    def value(self, par: Array, /) -> float:
        """The criterion."""

    def gradient(self, par: Array, /) -> Array:
        """Its exact gradient, (n_par,)."""

    def hessian(self, par: Array, /) -> Array:
        """Its Hessian, (n_par, n_par)."""

    def derivatives(self, par: Array, /) -> tuple[Array, Array]:
        """The gradient, and a Hessian that is good near a minimum."""

    def moment_start(self) -> Array:
        """A start from moments of the data."""

    def rivals(self) -> tuple[list[Array], float]:
        """The same about the slopes within levels of a grouping factor, where these are others than those of
        all rows; and the largest gain in log sigma^2 by them."""

    def turned(self, par: Array, above: float, /) -> list[Array]:
        """Where correlated effects are (nearly) singular: starts with covariances of rank one in other
        directions, at local minima among them that are less than `above` higher."""

    def opened(self, par: Array, /) -> list[Array]:
        """The same with every effect as large as the largest of its block; none where no covariance is
        (nearly) singular."""

    def minimise(self, start: Array, tolerance: float, most: int, /) -> dict[str, Any]:
        """One search from a start."""

    def release(self) -> kernel.Cholesky:
        """The factor where `value` was asked last, for who goes on with it: nothing can be asked any more."""

    def search(
        self, start: Array, without: list[list[int]], limits: kernel.Limits, /
    ) -> tuple[dict[str, Any], bool, bool]:
        """One search from a start with all that belongs to it: what it found, whether it has begun, and
        whether nothing else has to be tried."""


class Criterion(Protocol):
    """What `minimise` needs to know: pure functions of the parameters, the same from any thread."""

    @property
    def system(self) -> System:
        """The model in the kernel's terms."""

    @property
    def parameters(self) -> Parameters:
        """What the function depends on."""

    @property
    def doubt(self) -> Doubt:
        """Whether there may be a second minimum."""

    @property
    def n_par(self) -> int:
        """Number of parameters."""

    @property
    def start(self) -> Array:
        """A start that needs nothing but the design."""

    def value(self, par: Array) -> float:
        """The function."""

    def gradient(self, par: Array) -> Array:
        """Its exact gradient, (n_par,)."""

    def hessian(self, par: Array) -> Array:
        """Its Hessian, (n_par, n_par)."""

    def solution(self, par: Array) -> Solution:
        """What follows from the parameters."""

    def kernel(self) -> Compiled:
        """The function with a workspace: one for each thread."""

    def with_parameters(self, parameters: Parameters) -> Self:
        """The same function of the same parameters in another basis."""

    def separated(self) -> Self:
        """The function of fewer parameters, where some of them do not matter for its minimum."""

    def zero_components(self, par: Array) -> tuple[str, ...]:
        """Names of the components that are zero."""
