"""The rows of a fit by cluster: what the kernel adds up, in coordinates where beta is white."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from interlace import kernel
from interlace.arrays import Array
from interlace.design.design import Design
from interlace.design.rows import FrameRows
from interlace.estimation.capacity import check_room
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.precision.clusters import Clusters
from interlace.precision.marginal import from_origin

CHUNK = 2**21  # numbers worked on at a time
CHUNKED = 2**25  # the same where the rows are read again for each piece


@dataclass(frozen=True, slots=True)
class WhiteRows:
    """The rows of a fit (sigma = 1) about the origin of its products, where ``X'V^-1X = I``.

    Attributes
    ----------
    fit : Fit
    beta : ndarray, (p,)
        Of the moved columns and the moved response.
    white : ndarray, (p, p)
        The columns of X about the origin, times this, are white.
    root : ndarray, (p, p)
        K with ``Var(beta) = sigma^2 K K'``.
    residual : tuple of ndarray, (levels, k)
        Best predictions of the random effects, per grouping factor of the kernel.
    """

    fit: Fit
    beta: Array
    white: Array
    root: Array
    residual: tuple[Array, ...]

    @classmethod
    def of(cls, fit: Fit) -> WhiteRows:
        """One factorisation."""
        system, factors = fit.criterion.system, fit.solution.factors
        with system.threads():
            cholesky = system.factorize(factors)
            spherical = cholesky.spherical()
        white = np.linalg.inv(np.triu(cholesky.rx[:-1, :-1]))
        effects = [
            np.ascontiguousarray(u @ f.T)
            for u, f in zip(spherical, system.internal_factors(factors), strict=True)
        ]
        return cls(fit, np.asarray(cholesky.beta), white, from_origin(fit, white), tuple(effects))

    def clusters(self, chosen: Clusters, *columns: Array) -> Callable[[], Iterator[kernel.Clusters]]:
        """The kernel's clusters of the rows, chunk by chunk, as often as they are asked for.

        `columns` (levels, k, p) are the effects of the white columns, if needed.
        """

        def of_each() -> Iterator[kernel.Clusters]:
            start = 0
            for design in self.fit.rows.designs():
                codes = chosen.codes[start : start + design.nrows]
                start += design.nrows
                yield self._of_rows(design, Clusters(chosen.name, codes, chosen.size), columns)

        if not isinstance(self.fit.rows, FrameRows):
            return of_each
        only = list(of_each())
        return lambda: iter(only)

    def _of_rows(self, design: Design, chosen: Clusters, columns: Sequence[Array]) -> kernel.Clusters:
        return kernel.Clusters(
            **self.fit.kernel_rows_of(design),
            clusters=np.ascontiguousarray(chosen.codes),
            n_clusters=chosen.size,
            beta=self.beta,
            white=np.ascontiguousarray(self.white),
            residual=list(self.residual),
            columns=list(columns),
        )

    def column_effects(self) -> list[Array]:
        """Best predictions ``Lambda u`` of the random effects of each white column, (levels, k, p)."""
        system, factors, p = self.fit.criterion.system, self.fit.solution.factors, len(self.white)
        q = sum(levels * k for levels, k in zip(system.A.layout.levels, system.A.layout.k, strict=True))
        check_room(24.0 * q * (p + 1), "the random effects of every column of X need {}; use CR0 or CR1")
        with system.threads():
            u = system.factorize(factors).solve_xy()
        return [
            np.ascontiguousarray(f @ (np.asarray(v)[:, :, :p] @ self.white))
            for f, v in zip(system.internal_factors(factors), u, strict=True)
        ]

    def scores(self, chosen: Clusters) -> Array:
        """``K'X_j'V_j^-1 r_j`` of each cluster, (J, p)."""
        room = 16.0 * chosen.size * len(self.white)
        check_room(room, "the sums over each cluster need {}; use fewer clusters")
        found = sum(np.asarray(one.scores()) for one in self.clusters(chosen)())
        return np.asarray(found) @ self.white

    def squares(self, chosen: Clusters) -> Iterator[tuple[int, Array]]:
        """First cluster and ``K'X_j'V_j^-1X_j K`` of some clusters, (b, p, p), piece by piece."""
        found = self.clusters(chosen, *self.column_effects())
        for first, last in pieces(chosen.size, len(self.white) ** 2, self._at_once):
            with kernel.one_thread():
                yield first, np.asarray(sum(np.asarray(one.squares(first, last)) for one in found()))

    def sums(self, chosen: Clusters, effects: list[Array]) -> Iterator[Array]:
        """Sums over some clusters of ``(V^-1X K)_i r_i``, (b, p): V may reach beyond a cluster."""
        found = self.clusters(chosen, *effects)
        for first, last in pieces(chosen.size, len(self.white), self._at_once):
            with kernel.one_thread():
                yield np.asarray(sum(np.asarray(one.sums(first, last)) for one in found()))

    @property
    def _at_once(self) -> int:
        """Numbers of clusters that are worked on together: each piece looks at the rows again."""
        return CHUNK if isinstance(self.fit.rows, FrameRows) else CHUNKED


def pieces(n: int, size: int, at_once: int = CHUNK) -> Iterator[tuple[int, int]]:
    """Ranges that cut n things of `size` numbers each into pieces of about so many numbers."""
    step = max(1, at_once // max(1, size))
    for first in range(0, n, step):
        yield first, min(n, first + step)
