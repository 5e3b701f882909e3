"""Slopes of absorbed factors that depend on the others, as trends of states do beside years."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from interlace import kernel
from interlace.errors import ModelError
from interlace.frozen import dataclass

Array = np.ndarray

# Slopes that are found to depend on others, at most: each takes a projection of its own.
MOST = 500
# Projections at once, and what they may take.
_AT_ONCE, _ITERATIONS = 8, 10_000
# The last slope is held of those whose place the others take nearly as well as that of the best.
_NEARLY_BEST, _NOTHING = 0.1, 1e-6


class Levels(Protocol):
    """A factor in the data, see `AbsorbedFactor`."""

    @property
    def codes(self) -> Array: ...

    @property
    def columns(self) -> Array | None: ...

    @property
    def n_levels(self) -> int: ...

    @property
    def first_slope(self) -> int: ...


@dataclass(frozen=True, slots=True)
class _Part:
    """Coefficients of one factor: which are free, and the lengths of what they multiply, (levels, k)."""

    codes: Array
    columns: Array
    free: Array
    length: Array

    @classmethod
    def of(cls, factor: Levels, held: Array) -> _Part:
        given = np.ones((len(factor.codes), 1)) if factor.columns is None else factor.columns
        columns = given * ~held[factor.codes]
        squares = [np.bincount(factor.codes, z * z, minlength=factor.n_levels) for z in columns.T]
        return cls(factor.codes, columns, ~held, np.sqrt(np.column_stack(squares)))

    def drawn(self, random: np.random.Generator, m: int) -> Array:
        """Coefficients, (levels, k, m), which matter about as much as each other."""
        scale = np.where(
            self.free & (self.length > 0), 1.0 / np.where(self.length > 0, self.length, 1.0), 0.0
        )
        return random.normal(size=(*self.free.shape, m)) * scale[..., None]

    def explained(self, coefficients: Array) -> Array:
        """What they say of the rows, (n, m)."""
        return np.asarray(np.einsum("nk,nkm->nm", self.columns, coefficients[self.codes]))


def held_slopes(factors: Sequence[Levels], held: Sequence[Array], many: int, names: str) -> list[Array]:
    """Coefficients that are 0 so that the others are determined, (levels, k) for each factor.

    Random coefficients, less those of least squares that explain the same rows, are a direction that says
    nothing of any row. There are `many` independent ones, and in each of them one slope is held.

    Parameters
    ----------
    factors : sequence of Levels
    held : sequence of ndarray of bool, (levels, k)
        Those of which it is known already: the intercepts that are not held are determined by themselves.
    many : int
        How many slopes depend on the other coefficients.
    names : str
        The factors with slopes.

    Raises
    ------
    ModelError
        Too many slopes depend on other coefficients, or they are hardly told from slopes that do not.
    """
    if many > MOST:
        raise ModelError(
            f"{many:,} slopes of {names} depend on the other absorbed factors, and at most {MOST} are found; "
            "leave a factor or the slopes out"
        )
    parts = [_Part.of(factor, own) for factor, own in zip(factors, held, strict=True)]
    directions = _directions(factors, parts, many)
    first = [factor.first_slope for factor in factors]
    slopes = [
        (direction * part.length[..., None])[:, at:, :].reshape(-1, many)
        for direction, part, at in zip(directions, parts, first, strict=True)
    ]
    chosen = _last_independent(np.vstack(slopes).T, names)
    out, begin = [], 0
    for own, block, at in zip(held, slopes, first, strict=True):
        flags = np.zeros(len(block), dtype=np.bool_)
        flags[[i - begin for i in chosen if begin <= i < begin + len(block)]] = True
        begin += len(block)
        found = own.copy()
        found[:, at:] |= flags.reshape(found[:, at:].shape)
        out.append(found)
    return out


def _directions(factors: Sequence[Levels], parts: Sequence[_Part], many: int) -> list[Array]:
    """Coefficients that say nothing of any row, (levels, k, many) for each factor."""
    system = kernel.absorbed(
        [part.codes for part in parts],
        [factor.n_levels for factor in factors],
        [np.ascontiguousarray(part.columns) for part in parts],
        [False] * len(parts),
        None,
    )
    random, found = np.random.default_rng(2025), []
    for start in range(0, many, _AT_ONCE):
        drawn = [part.drawn(random, min(_AT_ONCE, many - start)) for part in parts]
        rows = sum(part.explained(one) for part, one in zip(parts, drawn, strict=True))
        effects = system.project(np.asarray(rows), False, True, _ITERATIONS)["effects"]
        found.append([one - effect for one, effect in zip(drawn, effects, strict=True)])
    return [np.concatenate(blocks, axis=2) for blocks in zip(*found, strict=True)]


def _last_independent(directions: Array, names: str) -> list[int]:
    """Columns of (many, q), as many as rows, that are independent: of those that are nearly the best to take
    next, the last one."""
    left, chosen = directions.copy(), []
    largest = float(np.linalg.norm(left, axis=0).max(initial=0.0))
    for _ in range(len(left)):
        norms = np.linalg.norm(left, axis=0)
        if not norms.max(initial=0.0) > _NOTHING * largest:
            raise ModelError(
                f"the slopes of {names} depend on the other absorbed factors, and which of them is not told "
                "for rounding error; leave a factor or the slopes out"
            )
        at = int(np.flatnonzero(norms >= _NEARLY_BEST * norms.max())[-1])
        chosen.append(at)
        unit = left[:, at] / norms[at]
        left -= np.outer(unit, unit @ left)
    return chosen
