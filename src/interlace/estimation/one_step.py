"""One Newton step from the optimum of other data that are nearly the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.estimation.criterion import Criterion

# Directions whose curvature is below this share of the largest are not stepped along.
FLAT = 1e-8
# A diagonal entry below this share of the largest of its factor has no logarithm to speak of.
NEARLY_ZERO = 1e-3
# The longest step along a logarithm.
LONGEST = 2.0
HALVINGS = 8


def one_step(criterion: Criterion, par: Array, hessian: Array | None = None) -> Array:
    """The parameters after one Newton step from `par`, by the exact gradient and Hessian of the criterion.

    The step is taken in ``E`` of ``T = T_0 exp(E)``, the logarithm of what multiplies the relative covariance
    factor (for a single variance it is the logarithm of the standard deviation), and in the entries of T: the
    criterion is nearer to a parabola in one or in the other, and the step that lowers it more is taken. It is
    halved while the criterion rises. Factors with a structure, or with a variance at zero, step in their own
    parameters alone.

    Parameters
    ----------
    criterion : Criterion
    par : ndarray, (n_par,)
    hessian : ndarray, optional
        One that is nearly that of the criterion, where its own is dear: the step is then that in E, as it is.
    """
    if not len(par):
        return par
    gradient, p = criterion.gradient(par), criterion.parameters
    blocks = list(zip(p.structures, p.slices, strict=True))
    logarithmic = _Maps([_Map.of(s, par[at]) for s, at in blocks], p.slices)
    if hessian is not None:
        return logarithmic.at(logarithmic.newton(gradient, hessian))
    hessian, before = criterion.hessian(par), criterion.value(par)
    ends = []
    for maps in (logarithmic, _Maps([_Map(par[at], None, []) for _, at in blocks], p.slices)):
        step = maps.newton(gradient, hessian)
        for _ in range(HALVINGS):
            end = maps.at(step)
            value = criterion.value(end)
            if value <= before:
                ends.append((value, tuple(end)))
                break
            step = step / 2
    return np.array(min(ends)[1]) if ends else par


class _Maps:
    """All parameters as a function of those that are stepped in."""

    def __init__(self, maps: list[_Map], slices: Sequence[slice]) -> None:
        self.maps, self.slices = maps, slices

    def newton(self, gradient: Array, hessian: Array) -> Array:
        """``-H^-1 g`` along the directions in which the criterion curves upwards."""
        J = _block_diagonal([one.J for one in self.maps])
        pairs = zip(self.maps, self.slices, strict=True)
        curved = [np.einsum("i,ijk->jk", gradient[at], one.second) for one, at in pairs]
        curvature, vectors = np.linalg.eigh(J.T @ hessian @ J + _block_diagonal(curved))
        seen = curvature > FLAT * np.abs(curvature).max()
        return -vectors[:, seen] @ ((vectors[:, seen].T @ (J.T @ gradient)) / curvature[seen])

    def at(self, step: Array) -> Array:
        """The parameters there."""
        return np.concatenate([one.at(step[at]) for one, at in zip(self.maps, self.slices, strict=True)])


class _Map:
    """Parameters of a block as a function of those that are stepped in."""

    def __init__(self, par: Array, factor: Array | None, entries: list[tuple[int, int]]) -> None:
        m = len(par)
        self.par, self.factor, self.entries = par, factor, entries
        self.J: Array = np.eye(m)
        self.second: Array = np.zeros((m, m, m))
        if factor is None:
            return
        rows, columns = np.array(entries).T
        units = np.zeros((m, *factor.shape))
        units[np.arange(m), rows, columns] = 1.0
        moved = factor @ units
        self.J = moved[:, rows, columns].T
        twice = np.einsum("jab,kbc->jkac", moved, units)
        self.second = ((twice + twice.transpose(1, 0, 2, 3)) / 2)[:, :, rows, columns].transpose(2, 0, 1)

    @classmethod
    def of(cls, structure: Any, par: Array) -> _Map:
        factor = structure.factor(par) if structure.plain and len(par) else None
        if factor is not None:
            used = sorted({row for row, _ in structure.entries})
            diagonal = np.abs(np.diagonal(factor))[used]
            if not (diagonal > NEARLY_ZERO * np.abs(factor).max()).all():
                factor = None
        return cls(par, factor, list(structure.entries) if factor is not None else [])

    def at(self, step: Array) -> Array:
        if self.factor is None:
            return self.par + step
        from scipy.linalg import expm

        longest = np.abs(step).max()
        E = np.zeros(self.factor.shape)
        rows, columns = np.array(self.entries).T
        E[rows, columns] = step * min(1.0, LONGEST / longest) if longest else step
        return (self.factor @ np.asarray(expm(E)))[rows, columns]


def _block_diagonal(blocks: list[Array]) -> Array:
    out = np.zeros((sum(len(b) for b in blocks),) * 2)
    at = 0
    for b in blocks:
        out[at : at + len(b), at : at + len(b)] = b
        at += len(b)
    return out
