"""Products with ``S = Z'V^-1Z`` from the factor of a fit, where S itself would be a large dense matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from interlace.arrays import Array
from interlace.estimation.capacity import SHARE, available_bytes
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass

DEAR = 2.0**28  # operations of a factorisation from which the inverse of the rest is worth its memory
SPARSE = 16.0  # what an operation on sparse columns costs beside one on a dense matrix
KNOWN = 1e-3  # less than this share that the random effects explain of each other is not known well enough
COPIES = 2  # of the inverse of the rest


def operations(fit: Fit) -> float:
    """What `Explained` takes, in operations; infinite where it is not there or has no room."""
    symbolic, layout = fit.criterion.system.symbolic, fit.layout
    if symbolic.flops < DEAR or not symbolic.q_rest:
        return np.inf
    if fit.encoding.absorbed or any(block.known is not None for block in fit.encoding.random):
        return np.inf
    rest = float(symbolic.q_rest)
    if 8.0 * COPIES * rest**2 > SHARE * available_bytes():
        return np.inf
    met = sum(len(fit.A.products.zz_pair(0, g)[1]) * layout.k[g] for g in range(1, len(layout.k)))
    lead = layout.levels[0] * layout.k[0]
    return rest**3 + SPARSE * layout.k[0] * met * (rest + lead)


@dataclass(frozen=True, slots=True)
class Explained:
    """``B = I - M^-1 = Lambda'S Lambda``, in sums over pairs of levels, with S in the coordinates of `bases`.

    Attributes
    ----------
    traces : list of ndarray, (k, k)
        Per grouping factor of the kernel the sum of the diagonal blocks of S.
    squares : dict of ndarray, (k, k, kk, kk)
        Per pair f <= g the sums over levels a of f and c of g of ``S[a r, c t] S[a s, c u]``, over r, t, s,
        u.
    """

    traces: list[Array]
    squares: dict[tuple[int, int], Array]

    @classmethod
    def of(cls, fit: Fit, factors: Sequence[Array]) -> Explained | None:
        """None where so little is explained that nothing is known of S: at a variance near zero.

        `factors` are the relative covariance factors in the coordinates of S.
        """
        with fit.criterion.system.threads():
            traces, squares = fit.solution.factor.explained()
        for B, levels in zip(traces, fit.layout.levels, strict=True):
            if np.linalg.eigvalsh(B / levels).min(initial=1.0) < KNOWN:
                return None
        inverse = [np.linalg.inv(F) for F in factors]
        n = len(factors)
        pairs = [(f, g) for f in range(n) for g in range(f, n)]
        return cls(
            [F.T @ B @ F for F, B in zip(inverse, traces, strict=True)],
            {
                (f, g): np.einsum(
                    "abcd,ar,bt,cs,du->rtsu", B, inverse[f], inverse[g], inverse[f], inverse[g], optimize=True
                )
                for (f, g), B in zip(pairs, squares, strict=True)
            },
        )


@dataclass(frozen=True, slots=True)
class Whole:
    """All levels as one piece, an `AnyPart`: products with S are solves with the factor."""

    fit: Fit
    bases: Sequence[Array]
    DE: Sequence[Array]

    def times(self, g: int, f: int, columns: Array) -> Array:
        """``S_gf`` times columns of the effects of f, (1, size of f, ...)."""
        system, cholesky, layout = self.fit.criterion.system, self.fit.solution.factor, self.fit.layout
        m = math.prod(columns.shape[2:])
        v = [np.zeros((levels, k, m)) for levels, k in zip(layout.levels, layout.k, strict=True)]
        v[f] = np.ascontiguousarray(self.bases[f] @ columns.reshape(*v[f].shape))
        with system.threads():
            # Z'Z v, and what Lambda M^-1 Lambda' of it leaves
            a = [np.asarray(one) for one in cholesky.apply_ztz(v)]
            F = system.internal_factors(self.fit.solution.factors)
            b = [
                np.ascontiguousarray(one @ np.asarray(u)) for one, u in zip(F, cholesky.solve(a), strict=True)
            ]
            left = a[g] - np.asarray(cholesky.apply_ztz(b)[g])
        return np.asarray((self.bases[g].T @ left).reshape(1, -1, *columns.shape[2:]))
