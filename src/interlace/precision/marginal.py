"""Products with the inverse of the marginal covariance, on which every method of degrees of freedom rests."""

from __future__ import annotations

import numpy as np

from interlace import kernel
from interlace.arrays import Array
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Marginal:
    """``V = I + Z Lambda Lambda'Z'`` of the weighted rows (sigma = 1), in coordinates where beta is white.

    Everything is about the origin of the cross-products, per grouping factor of the kernel.

    Attributes
    ----------
    root : ndarray, (p, p)
        K with ``Var(beta) = sigma^2 K K'``; X below stands for X K, so that ``X'V^-1X = I``.
    zvx : tuple of ndarray, (levels, k, p)
        ``Z'V^-1X``.
    zvr : tuple of ndarray, (levels, k)
        ``Z'V^-1(y - X beta)``, which is Z' times the conditional residuals.
    """

    root: Array
    zvx: tuple[Array, ...]
    zvr: tuple[Array, ...]

    @classmethod
    def of(cls, fit: Fit) -> Marginal:
        """At the fitted theta: one factorisation."""
        system = fit.criterion.system
        with system.threads():
            return cls._from(fit, fit.solution.factor)

    @classmethod
    def _from(cls, fit: Fit, cholesky: kernel.Cholesky) -> Marginal:
        system, products = fit.criterion.system, fit.A.products
        white = np.linalg.inv(np.triu(cholesky.rx[:-1, :-1]))
        # 1) [X K, residual of y] in terms of [X y]
        p = len(white)
        C = np.zeros((p + 1, p + 1))
        C[:p, :p], C[:p, p], C[p, p] = white, -cholesky.beta, 1.0
        # 2) Z'V^-1 of these columns: Z' of what Lambda M^-1 Lambda'Z' of them leaves
        F = system.internal_factors(fit.solution.factors)
        b = [np.ascontiguousarray(f @ np.asarray(v) @ C) for f, v in zip(F, cholesky.solve_xy(), strict=True)]
        E = []
        for f, ztz in enumerate(cholesky.apply_ztz(b)):
            zx, zy = np.asarray(products.zx(f)), np.asarray(products.zy(f))
            E.append(np.concatenate([zx, zy[:, :, None]], axis=2) @ C - np.asarray(ztz))
        return cls(
            root=from_origin(fit, white),
            zvx=tuple(e[:, :, :-1] for e in E),
            zvr=tuple(e[:, :, -1] for e in E),
        )


def from_origin(fit: Fit, root: Array) -> Array:
    """The intercept takes what the means of the other columns of X stand for."""
    intercept = fit.encoding.intercept
    if intercept is None:
        return root
    J = np.eye(len(root))
    J[intercept] -= fit.A.origin.x
    return J @ root
