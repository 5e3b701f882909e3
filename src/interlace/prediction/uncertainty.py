"""How sure a prediction is: the joint uncertainty of the coefficients and the random effects, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np

from interlace import kernel
from interlace.arrays import Array, Index
from interlace.design.design import Design
from interlace.errors import ModelError
from interlace.estimation.fit import Fit
from interlace.estimation.penalized import System
from interlace.frozen import dataclass
from interlace.prediction.selection import Part

ROWS_AT_ONCE = 2**16
NUMBERS_AT_ONCE = 2**23  # of the half solves for levels that do not meet in the data


Prior = Callable[[int, Array], Array]


@dataclass(frozen=True)
class Joint:
    """The inverse J of the joint system of a factor, and what it says of rows.

    Attributes
    ----------
    system : System
    factor : kernel.Cholesky
    """

    system: System
    factor: kernel.Cholesky

    @cached_property
    def _joint(self) -> tuple[list[Array], list[Array], Array]:
        """C and E by grouping factor of the kernel, and R^-1."""
        factor, system = self.factor, self.system
        with system.threads():
            joint = factor.joint_inverse()
        factors = range(len(system.A.layout.blocks))
        white = np.linalg.inv(np.triu(np.asarray(factor.rx)[:-1, :-1])).T
        C, E = zip(*((np.asarray(joint.diagonal(f)), np.asarray(joint.e(f))) for f in factors), strict=True)
        return list(C), list(E), white

    @cached_property
    def _meeting(self) -> dict[tuple[int, int], tuple[Index, Array]]:
        """Per pair of grouping factors the levels that meet, as numbers in order, and their blocks of C."""
        factor, system = self.factor, self.system
        layout, found = system.A.layout, {}
        joint = factor.joint_inverse()
        for i in range(len(layout.blocks)):
            for j in range(i + 1, len(layout.blocks)):
                ptr, col, _ = system.A.products.zz_pair(i, j)
                level = np.repeat(np.arange(layout.levels[i]), np.diff(ptr))
                found[i, j] = level * layout.levels[j] + np.asarray(col), np.asarray(joint.cross(i, j))
        return found

    def variance(self, design: Design, parts: Sequence[Part], rows: slice, prior: Prior) -> Array:
        """Of some rows, for sigma = 1, (n,); `prior` is what a level that is not known adds."""
        system = self.system
        layout, origin = system.A.layout, system.A.origin
        C, E, white = self._joint
        n = rows.stop - rows.start
        x = design.fixed.rows(rows) - origin.x
        less, total = x @ white.T, np.zeros(n)
        # 1) columns of each grouping factor of the kernel, about the origin; zero where a level is new
        z = [np.zeros((n, k)) for k in layout.k]
        codes: list[Index] = [np.zeros(n, dtype=np.int64) for _ in layout.k]
        for part in parts:
            own, place = design.random[part.block], layout.places[part.block]
            raw = np.zeros((n, own.z.shape[1]))
            raw[:, list(part.columns)] = own.z[rows][:, list(part.columns)]
            seen = own.codes[rows] >= 0
            if not seen.all():
                total[~seen] += prior(part.block, raw[~seen])
                raw[~seen] = 0.0
            codes[place.group] = np.where(seen, own.codes[rows], 0)
            z[place.group][:, place.columns] = raw @ origin.unshift(system.encoding, part.block)
        for f, at in enumerate(layout.absorbed):
            if at is not None:
                codes[f], z[f] = design.absorbed[at].codes[rows], design.absorbed[at].z[rows]
        used = [f for f, columns in enumerate(z) if columns.any()]
        # 2) own blocks, and the part of rank p
        for f in used:
            total += np.einsum("ni,nij,nj->n", z[f], C[f][codes[f]], z[f])
            less -= np.einsum("ni,nip->np", z[f], E[f][codes[f]])
        # 3) pairs of levels
        for a, f in enumerate(used):
            for h in used[a + 1 :]:
                total += 2 * self._pairs(f, h, z[f], z[h], codes[f], codes[h])
        return np.asarray(total + np.sum(less**2, axis=1))

    def _pairs(self, f: int, h: int, zf: Array, zh: Array, cf: Index, ch: Index) -> Array:
        met, blocks = self._meeting[f, h]
        levels = self.system.A.layout.levels
        key = cf * levels[h] + ch
        at = np.minimum(np.searchsorted(met, key), max(len(met) - 1, 0))
        there = met[at] == key if len(met) else np.zeros(len(key), dtype=bool)
        out = np.zeros(len(key))
        out[there] = np.einsum("ni,nij,nj->n", zf[there], blocks[at[there]], zh[there])
        apart = np.flatnonzero(~there & zf.any(axis=1) & zh.any(axis=1))
        if apart.size:
            found, place = np.unique(key[apart], return_inverse=True)
            made = self._solved(f, h, *np.divmod(found, levels[h]))
            out[apart] = np.einsum("ni,nij,nj->n", zf[apart], made[place.reshape(-1)], zh[apart])
        return out

    def _solved(self, f: int, h: int, of_f: Index, of_h: Index) -> Array:
        """Blocks of C of pairs of levels, (pairs, k_f, k_h), from solves for each level."""
        layout = self.system.A.layout
        out = np.zeros((len(of_f), layout.k[f], layout.k[h]))
        for some_h in self._batches(h, np.unique(of_h)):
            right = self._half(h, some_h)
            chosen = np.flatnonzero(np.isin(of_h, some_h))
            for some_f in self._batches(f, np.unique(of_f[chosen])):
                left = self._half(f, some_f)
                here = chosen[np.isin(of_f[chosen], some_f)]
                a, b = np.searchsorted(some_f, of_f[here]), np.searchsorted(some_h, of_h[here])
                for i in range(layout.k[f]):
                    for j in range(layout.k[h]):
                        out[here, i, j] = np.einsum("qn,qn->n", left[:, a, i], right[:, b, j])
        return out

    def _batches(self, f: int, levels: Index) -> Iterator[Index]:
        layout = self.system.A.layout
        size = sum(q * k for q, k in zip(layout.levels, layout.k, strict=True))
        step = max(1, NUMBERS_AT_ONCE // (size * layout.k[f]))
        for start in range(0, len(levels), step):
            yield levels[start : start + step]

    def _half(self, f: int, levels: Index) -> Array:
        """``L^-1 Lambda'`` of the columns of some levels, (q, levels, k)."""
        system = self.system
        layout, k = system.A.layout, system.A.layout.k[f]
        V = [np.zeros((q, size, len(levels) * k)) for q, size in zip(layout.levels, layout.k, strict=True)]
        for i in range(k):
            V[f][levels, i, np.arange(len(levels)) * k + i] = 1.0
        lead, rest = self.factor.half_solve(V)
        both = np.concatenate([np.asarray(lead), np.asarray(rest).T])
        return both.reshape(len(both), len(levels), k)


@dataclass(frozen=True)
class Uncertainty:
    """``Var(x'(beta^ - beta) + z'(b^ - b)) = sigma^2 w'J w`` of rows w = [z x], from the factor of the fit.

    ``J = H^-1`` is that of `kernel.JointInverse`, about the origin: with ``R R' = X'V^-1X`` it is
    ``z'C z + |R^-1 x - E'z|^2``. Its blocks for levels that meet in the data are read off one pass over the
    factor; those of levels that do not meet are products of solves.

    Attributes
    ----------
    fit : Fit
    """

    fit: Fit

    @cached_property
    def _joint(self) -> Joint:
        return Joint(self.fit.criterion.system, self.fit.solution.factor)

    def reach(self, level: float) -> float:
        """Of an interval, in standard errors."""
        from scipy import special  # slow to import

        return float(special.ndtri((1 + level) / 2))

    def variance(self, design: Design, parts: Sequence[Part]) -> Array:
        """Of ``x'beta + z'b``, b the effects of `parts`; those of levels that the fit has not seen have the
        variance of their distribution. Shape (n,).

        Raises
        ------
        ModelError
            A new level of a grouping factor whose levels have a known covariance.
        """
        design = design.selected(self.fit.kept)
        out = np.empty(design.nrows)
        for rows in chunks(design.nrows):
            out[rows] = self._joint.variance(design, parts, rows, self._prior)
        return self.fit.scale * out

    def rest(self, design: Design, parts: Sequence[Part], z: Sequence[Array]) -> Array:
        """The variance of a new response beside that: of the effects that are not among `parts`, and of the
        residual over the prior weight.

        Parameters
        ----------
        z : sequence of ndarray, (n, k)
            The columns of each covariance block, whatever `parts` are.
        """
        taken = {part.block: part.columns for part in parts}
        total = np.ones(design.nrows) if design.weights is None else 1 / design.weights
        for i in range(len(self.fit.solution.factors)):
            left = z[i].copy()
            left[:, list(taken.get(i, ()))] = 0.0
            if left.any():
                total = total + self._prior(i, left)
        return self.fit.scale * total

    def _prior(self, i: int, z: Array) -> Array:
        """``z'T T'z``: what a level that is not known adds."""
        block = self.fit.encoding.random[i]
        if block.known is not None:
            raise ModelError(
                f"the levels of '{block.group}' have a known covariance, and that of a level outside it is "
                "not known: add the level to the covariance and fit again"
            )
        return np.asarray(np.sum((z @ self.fit.solution.factors[i]) ** 2, axis=1))


def chunks(n: int) -> Iterator[slice]:
    """Rows that are looked at together."""
    for start in range(0, n, ROWS_AT_ONCE):
        yield slice(start, min(start + ROWS_AT_ONCE, n))
