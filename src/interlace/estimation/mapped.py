"""The compiled criterion as a function of parameters that are not entries of the factors.

The core knows factors by their entries. Here those are functions of fewer parameters, and derivatives go
through the derivatives of the factors (chain rule).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlace import kernel
from interlace.estimation.parameters import Parameters

Array = NDArray[np.floating]

STEP = 1e-4  # of central differences, as in the core


class MappedDeviance:
    """Answers as `kernel.ProfiledDeviance` does, with a workspace of its own.

    Parameters
    ----------
    compiled : kernel.ProfiledDeviance
        Its parameters are the entries `Parameters.places`.
    moments : kernel.ProfiledDeviance
        The same with the diagonal entries alone of blocks with fewer parameters than entries.
    parameters : Parameters
    """

    def __init__(
        self, compiled: kernel.ProfiledDeviance, moments: kernel.ProfiledDeviance, parameters: Parameters
    ) -> None:
        self._compiled, self._moments, self._parameters = compiled, moments, parameters

    def release(self) -> kernel.Cholesky:
        """The factor of the last value."""
        return self._compiled.release()

    @property
    def pwrss(self) -> float:
        """Where `value` was asked last."""
        return float(self._compiled.pwrss)

    def _entries(self, par: Array) -> Array:
        par = np.asarray(par, dtype=np.float64)
        out = []
        for s, T in zip(self._parameters.structures, self._parameters.small(par), strict=True):
            rows, cols = np.array(s.entries, dtype=np.intp).reshape(-1, 2).T
            out.append(T[rows, cols])
        return np.concatenate(out)

    def value(self, par: Array) -> float:
        """The criterion."""
        return float(self._compiled.value(self._entries(par)))

    def gradient(self, par: Array) -> Array:
        """Its exact gradient, (n_par,)."""
        par = np.asarray(par, dtype=np.float64)
        self.value(par)
        slopes, _, _ = self._compiled.along([])
        return self.pulled_back(par, slopes)

    def hessian(self, par: Array) -> Array:
        """Central differences of the gradient, (n_par, n_par)."""
        par = np.asarray(par, dtype=np.float64)
        H = np.empty((len(par), len(par)))
        for i, x in enumerate(par):
            step = np.zeros(len(par))
            step[i] = STEP * max(1.0, abs(x))
            H[i] = (self.gradient(par + step) - self.gradient(par - step)) / (2 * step[i])
        return (H + H.T) / 2

    def derivatives(self, par: Array) -> tuple[Array, Array]:
        """The gradient, and as Hessian the average information plus the curvature of the covariances."""
        par = np.asarray(par, dtype=np.float64)
        self.value(par)
        slopes, average, _ = self._compiled.along(self._directions(par))
        return self.pulled_back(par, slopes), average + self._curvature(par, slopes)

    def at_scale(self, par: Array, scale: float) -> tuple[Array, Array, Array]:
        """At a given sigma^2, of ``ldL2 (+ ldRX2) + pwrss / sigma^2``: gradient and Hessian as `derivatives`
        has them, and minus half of the gradient of pwrss. `value` was asked last at the same parameters.
        """
        slopes, average, misfit = self._compiled.along(self._directions(par), scale)
        hessian = average + self._curvature(par, slopes)
        return self.pulled_back(par, slopes), hessian, self.pulled_back(par, misfit)

    def pieces(self, par: Array, df: float) -> tuple[Array, Array, Array, Array]:
        """At the best sigma: the gradient; the average information along the derivatives V_j of the
        covariance of y, without the curvature of that; this curvature; and ``y'P V_j P y`` over sigma^2.

        Parameters
        ----------
        par : ndarray, (m,)
        df : float
            What pwrss is divided by.
        """
        par = np.asarray(par, dtype=np.float64)
        self.value(par)
        scale = self.pwrss / df
        slopes, average, misfit = self._compiled.along(self._directions(par), scale)
        squares = 2 * self.pulled_back(par, misfit) / scale
        return self.pulled_back(par, slopes), average, self._curvature(par, slopes), squares

    def factors(self, par: Array) -> list[Array]:
        """The factors that slopes are taken in, (k, k) per grouping factor of the kernel."""
        out: list[Array] = [np.zeros((k, k)) for k in self._parameters.layout.k]
        for _, B, _, T, place in self._blocks(np.asarray(par, dtype=np.float64)):
            out[place.group][place.columns, place.columns] = B @ T
        return out

    def apart(self, par: Array) -> tuple[list[Array], list[Array]]:
        """Slopes of ldL2 (+ ldRX2) and of pwrss in the factors, (k, k) per grouping factor of the kernel."""
        self.value(par)
        slopes, _, misfit = self._compiled.along([], self.pwrss)
        logs: list[Array] = [
            np.asarray(g) + 2 * np.asarray(h) / self.pwrss for g, h in zip(slopes, misfit, strict=True)
        ]
        return logs, [-2 * np.asarray(h) for h in misfit]

    @property
    def log_determinants(self) -> tuple[float, float]:
        """ldL2 and ldRX2, where `value` was asked last."""
        return float(self._compiled.ld_l2), float(self._compiled.ld_rx2)

    @property
    def rounding(self) -> float:
        """Rounding error of the last value."""
        return float(self._compiled.rounding)

    def moment_start(self) -> Array:
        """Parameters from moments of the data: of the sizes of effects, correlations left out."""
        return self._of_moments(self._moments.moment_start())

    def rivals(self) -> tuple[list[Array], float]:
        """The same about the slopes within levels, where these are others than those of all rows."""
        starts, gain = self._moments.rivals()
        return [self._of_moments(start) for start in starts], gain

    def turned(self, par: Array, above: float) -> list[Array]:
        """None: other correlations are looked for one by one (`Covariance.elsewhere`)."""
        return []

    def opened(self, par: Array) -> list[Array]:
        """None, for the same reason."""
        return []

    def _of_moments(self, entries: Array) -> Array:
        out, at = list[Array](), 0
        for s in self._parameters.structures:
            n = s.n_par if s.plain else s.k
            found = entries[at : at + n]
            out.append(found if s.plain else self._without_correlation(s, found))
            at += n
        return np.concatenate(out)

    def minimise(self, start: Array, tolerance: float, most: int) -> dict[str, Any]:
        """As the core's, with the same words."""
        self.value(start)  # at the start an error is an error

        def value(par: Array) -> float:
            try:
                return self.value(par)
            except kernel.NotPositiveDefiniteError:
                return np.inf

        found: dict[str, Any] = kernel.minimise(
            value, self.derivatives, start, tolerance, most, lambda: self.rounding
        )
        return found

    def search(
        self, start: Array, without: list[list[int]], limits: kernel.Limits
    ) -> tuple[dict[str, Any], bool, bool]:
        """Not begun: the steps between the searches are those of `descent`."""
        return {}, False, False

    # ---- chain rule ---

    def _blocks(self, par: Array) -> list[tuple[Any, Array, slice, Array, Any]]:
        p = self._parameters
        return list(zip(p.structures, p.basis, p.slices, p.small(par), p.layout.places, strict=True))

    @staticmethod
    def _without_correlation(s: Any, diagonal: Array) -> Array:
        out = s.start
        sizes = s.par(np.diag(diagonal))
        return np.asarray(np.where(s.even, sizes, out))

    def _directions(self, par: Array) -> list[tuple[int, Array]]:
        """dF of the grouping factors of the kernel, one for each parameter."""
        out = []
        for s, B, at, _, place in self._blocks(par):
            k = self._parameters.layout.k[place.group]
            for dT in s.derivative(par[at]):
                dF = np.zeros((k, k))
                dF[place.columns, place.columns] = B @ dT
                out.append((place.group, dF))
        return out

    def pulled_back(self, par: Array, slopes: list[Array]) -> Array:
        """From slopes in the factors to those in the parameters, (n_par,)."""
        out = [np.zeros(0)]
        for s, B, at, _, place in self._blocks(par):
            G = B.T @ slopes[place.group][place.columns, place.columns]
            out.append(np.tensordot(s.derivative(par[at]), G, 2))
        return np.concatenate(out)

    def _curvature(self, par: Array, slopes: list[Array]) -> Array:
        """``<W, d^2 (T T')>`` for W the slope of the criterion in ``T T'``: slopes in T are ``2 W T``."""
        out = np.zeros((len(par), len(par)))
        for s, B, at, T, place in self._blocks(par):
            G = B.T @ slopes[place.group][place.columns, place.columns]
            W = G @ np.linalg.pinv(T) / 2
            d = s.derivative(par[at])
            flat = d.reshape(len(d), -1)
            products = flat @ ((W + W.T) @ d).reshape(len(d), -1).T
            out[at, at] = products + s.curvature(par[at], G)
        return (out + out.T) / 2
