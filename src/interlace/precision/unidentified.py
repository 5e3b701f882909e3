"""What the data cannot tell of the variances, in the units of the data, and which hypotheses rest on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import Array
from interlace.design.learnt import RandomEncoding
from interlace.errors import IdentificationWarning, warn
from interlace.estimation.fit import Fit
from interlace.estimation.identification import Direction
from interlace.frozen import dataclass
from interlace.precision.marginal import Marginal
from interlace.precision.wald import Ddf, FTest, Worded

NOTHING = 1e-7  # share of a variance, or of a hypothesis, that is rounding error


# ---- entries of covariance matrices ---


def unknown_entries(fit: Fit) -> tuple[NDArray[np.bool_], ...]:
    """Per covariance block, the entries of its covariance matrix that the data do not tell, (k, k)."""
    blocks = range(len(fit.encoding.random))
    lost = [_lost_effects(fit, i, U) for i, U in enumerate(fit.identification.lost)]
    out = [one[:, None] | one[None, :] for one in lost]  # any covariance of a lost combination may change
    effects = [_effects(fit, i)[0] for i in blocks]
    for coordinates in _coordinates(fit, fit.identification.directions):
        for i in blocks:
            if coordinates[i].any():
                out[i] |= _changed(effects[i], coordinates[i])
    return tuple(out)


def _effects(fit: Fit, i: int) -> tuple[Array, Array]:
    """The effects of block i in terms of orthonormal ones, (k, k), and the basis of those."""
    basis = fit.criterion.parameters.orthonormal[i]
    return fit.A.origin.unshift(fit.encoding, i) @ basis, basis


def _lost_effects(fit: Fit, i: int, U: Array) -> NDArray[np.bool_]:
    effects, basis = _effects(fit, i)
    part = np.linalg.norm(effects @ np.linalg.solve(basis, U), axis=1)
    return np.asarray(part > NOTHING * np.linalg.norm(effects, axis=1))


def _coordinates(fit: Fit, directions: Sequence[Direction]) -> Iterator[list[Array]]:
    """The matrices of each direction in orthonormal coordinates, the largest entry 1."""
    inverses = [np.linalg.inv(basis) for basis in fit.criterion.parameters.orthonormal]
    for direction in directions:
        pairs = zip(inverses, direction, strict=True)
        out = [inverse @ N @ inverse.T if N.any() else N for inverse, N in pairs]
        largest = max(np.abs(C).max() for C in out)
        yield [C / largest for C in out]


def _changed(effects: Array, coordinates: Array) -> NDArray[np.bool_]:
    """Entries of the covariance matrix of effects that one direction changes, (k, k)."""
    length = np.linalg.norm(effects, axis=1)
    return np.abs(effects @ coordinates @ effects.T) > NOTHING * np.outer(length, length)


# ---- words ---


def unidentified_parts(fit: Fit) -> tuple[str, ...]:
    """What the data do not tell, one phrase for each kind."""
    blocks, found = fit.encoding.random, []
    for i, U in enumerate(fit.identification.lost):
        if U.size:
            lost = _lost_effects(fit, i, U)
            found.append(_lost_words(blocks[i], lost))
    for directions in (fit.identification.unchanged, fit.identification.confounded):
        if directions:
            found.append(_apart_words(fit, directions))
    return tuple(found)


def unidentified_line(fit: Fit) -> str:
    """One line on the variances that the data cannot tell; "" where they tell all."""
    parts = unidentified_parts(fit)
    if not parts:
        return ""
    return f"the data cannot tell {', nor '.join(parts)}"


def no_tests(fit: Fit) -> str:
    """The note of a table of tests."""
    return f"{unidentified_line(fit)}: hypotheses that rest on it have no standard error, df or p"


def warn_if_unidentified(fit: Fit) -> None:
    """Say once what the data cannot tell.

    Warns
    -----
    IdentificationWarning
    """
    if not fit.identification.complete:
        warn(advice(fit), IdentificationWarning)


def advice(fit: Fit) -> str:
    """`unidentified_line`, with what that means and what to do."""
    found = fit.identification
    rests = (
        ", and so are standard errors, degrees of freedom and p-values of hypotheses that rest on it"
        if changes_covariance(fit)
        else ""
    )
    remedy = (
        "Leave the random term or these fixed effects out, or observe more levels"
        if any(U.size for U in found.lost)
        else "Leave one of the terms, or of their columns, out"
    )
    return f"{unidentified_line(fit)}: what they cannot tell is NaN{rests}; all else is right. {remedy}"


def _lost_words(block: RandomEncoding, lost: NDArray[np.bool_]) -> str:
    term = block.text()
    if len(block.columns) == 1:
        what = f"the variance of {term}"
    elif lost.all():
        what = f"the variances of {term}"
    else:
        names = [name for name, gone in zip(block.columns, lost, strict=True) if gone]
        what = f"the variance of {' and '.join(names)} in {term}"
    return f"{what} (the fixed effects take up all that it could show)"


def _apart_words(fit: Fit, directions: tuple[Direction, ...]) -> str:
    involved: dict[int, None] = {}
    for coordinates in _coordinates(fit, directions):
        sizes = [np.abs(C).max() for C in coordinates]
        involved.update((i, None) for i, size in enumerate(sizes) if size > NOTHING)
    blocks = fit.encoding.random
    terms = [blocks[i].text() for i in sorted(involved)]
    if len(terms) == 1:
        return f"the variances and covariances of {terms[0]} apart"
    return f"the variances of {' and '.join(terms)} apart"


# ---- hypotheses ---


def changes_covariance(fit: Fit) -> bool:
    """Does the covariance of y change along what is unknown, so that hypotheses can rest on it?"""
    found = fit.identification
    return bool(found.confounded) or any(U.size for U in found.lost)


@dataclass(frozen=True, slots=True)
class Resting:
    """Which linear functions of beta rest on what the data cannot tell.

    The estimate ``L beta`` is ``a'y``, with a variance ``a'V a``. It rests on a combination u of random
    effects that X has taken if ``a'Z u`` is not zero for every level, and on a direction N of the covariance
    matrices if N Z'a is not.

    Attributes
    ----------
    root : ndarray, (p, p)
        K with ``Var(beta) = sigma^2 K K'``.
    weights : tuple of ndarray, (p, w)
        For each combination or direction, ``K'X'V^-1`` of its columns.
    involved : tuple of ndarray, (p, w)
        The same of all columns of the term, with which what is unknown may be correlated.
    """

    root: Array
    weights: tuple[Array, ...]
    involved: tuple[Array, ...]

    @classmethod
    def of(cls, fit: Fit) -> Resting:
        """At the fitted theta."""
        if not changes_covariance(fit):
            return cls(np.zeros((0, 0)), (), ())
        marginal, system, weights = Marginal.of(fit), fit.criterion.system, []
        confounded = list(_coordinates(fit, fit.identification.confounded))
        p, involved = len(marginal.root), []
        for i, (place, U) in enumerate(zip(system.A.layout.places, fit.identification.lost, strict=True)):
            zvx, basis = marginal.zvx[place.group][:, place.columns], fit.criterion.parameters.orthonormal[i]
            if U.size:
                weights.append(np.einsum("lkp,kc->plc", zvx, U).reshape(p, -1))
                involved.append(np.einsum("lkp,kc->plc", zvx, basis).reshape(p, -1))
            for C in (coordinates[i] for coordinates in confounded):
                weights.append(np.einsum("lkp,kc,cd->pld", zvx, basis, C).reshape(p, -1))
                involved.append(np.einsum("lkp,kc->plc", zvx, basis).reshape(p, -1))
        return cls(marginal.root, tuple(weights), tuple(involved))

    def rows(self, L: Array) -> NDArray[np.bool_]:
        """Which rows of L do, (m,)."""
        out = np.zeros(len(L), dtype=np.bool_)
        for weights in self.weights:
            out |= self._touches(L, weights)
        return out

    def pairs(self, L: Array) -> NDArray[np.bool_]:
        """Between which rows of L the covariance does, (m, m)."""
        out = np.zeros((len(L), len(L)), dtype=np.bool_)
        for weights, involved in zip(self.weights, self.involved, strict=True):
            rests, meets = self._touches(L, weights), self._touches(L, involved)
            out |= np.outer(rests, meets) | np.outer(meets, rests)
        return out

    def _touches(self, L: Array, weights: Array) -> NDArray[np.bool_]:
        white = np.asarray(L, dtype=np.float64) @ self.root
        size = np.linalg.norm(white, axis=1) * np.linalg.norm(weights)
        return np.asarray(np.linalg.norm(white @ weights, axis=1) > NOTHING * size)


@dataclass(frozen=True, slots=True, repr=False)
class PartlyKnown(Worded):
    """A method of degrees of freedom, without answers for what rests on variances that the data cannot tell.

    Attributes
    ----------
    bound : Ddf
        The method, which takes those variances as they were fitted.
    resting : Resting
    said : str
        What the data cannot tell, and that nothing is said of what rests on it.
    """

    bound: Ddf
    resting: Resting
    said: str

    @property
    def name(self) -> str:
        """As printed."""
        return self.bound.name

    @property
    def description(self) -> str:
        """In words."""
        return self.bound.description

    @property
    def covariance(self) -> str:
        """In words."""
        return self.bound.covariance

    @property
    def vcov(self) -> Array:
        """Covariance of beta at the fitted variances."""
        return self.bound.vcov

    @property
    def note(self) -> str:
        """That of the method, and what has no test."""
        return f"{self.bound.note}; {self.said}" if self.bound.note else self.said

    def se(self, L: Array) -> Array:
        """Standard error of each row of L, (m,); NaN for those that rest on it."""
        return np.where(self.resting.rows(L), np.nan, self.bound.se(L))

    def df(self, L: Array) -> Array:
        """Degrees of freedom of each row of L, (m,); NaN for those that rest on it."""
        return np.where(self.resting.rows(L), np.nan, self.bound.df(L))

    def f_test(self, L: Array, rhs: Array | float = 0.0) -> FTest:
        """Of all rows at once: NaN if one of them rests on it."""
        found = self.bound.f_test(L, rhs)
        return replace(found, F=np.nan, den_df=np.nan) if self.resting.rows(L).any() else found


def rest_together(ddf: Ddf, L: Array) -> NDArray[np.bool_]:
    """Between which rows of L the covariance rests on variances that the data cannot tell, (m, m)."""
    return ddf.resting.pairs(L) if isinstance(ddf, PartlyKnown) else np.zeros((len(L),) * 2, dtype=np.bool_)


def known_vcov(fit: Fit) -> Array:
    """Covariance of beta by the model, (p, p); NaN between coefficients that rest on what is unknown."""
    vcov = fit.vcov
    return np.where(Resting.of(fit).pairs(np.eye(len(vcov))), np.nan, vcov)


def as_far_as_known(fit: Fit, bound: Ddf) -> Ddf:
    """The method's answers, and none for hypotheses that rest on variances that the data cannot tell."""
    if not changes_covariance(fit):
        return bound
    return PartlyKnown(bound, Resting.of(fit), no_tests(fit))
