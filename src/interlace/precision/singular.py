"""Singular fits: which linear combinations of the random effects have no variance, whatever the units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import Array
from interlace.design.learnt import RandomEncoding
from interlace.design.structure_columns import CORRELATED
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.precision.wald import correlation

# lme4's isSingular(): a standard deviation below this share of the residual one counts as zero.
TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class SingularTerm:
    """A covariance matrix of random effects that has not its full rank.

    Attributes
    ----------
    group : str
        The grouping factor.
    text : str
        The term as one writes it in a formula.
    columns : tuple of str
        The k random effects.
    rank : int
        Less than k, or than the number of effects whose variances the data tell.
    reason : str
        What is zero, or how large a correlation is; "" where there is nothing simple to say.
    simpler : str
        The term without correlations; "" where the columns of a factor would stay together.
    """

    group: str
    text: str
    columns: tuple[str, ...]
    rank: int
    reason: str
    simpler: str = ""

    def __str__(self) -> str:
        k = len(self.columns)
        if k == 1:
            return f"the variance of {self.text} is zero"
        what = f"the covariance of {self.group} ({k} x {k}) has rank {self.rank}"
        return f"{what}: {self.reason}" if self.reason else what

    @property
    def remedy(self) -> str:
        """What to write in place of the term."""
        if self.rank == 0:
            return f"leave {self.text} out"
        if not self.simpler:
            return f"try a simpler random part: fewer columns for {self.group}"
        return f"try a simpler random part, such as {self.simpler} or fewer columns for {self.group}"


def singular_terms(fit: Fit, tolerance: float = TOLERANCE) -> tuple[SingularTerm, ...]:
    """The terms whose covariance matrix is (nearly) singular, in the order of the formula.

    The rank is that of ``S T``, for the relative covariance factor T of a term and S with ``S'S = Z'WZ / n``:
    in coordinates where the columns of the term are orthonormal over the rows, so that neither their units
    nor their origin matters. For a random intercept ``S T`` is theta. A singular value of ``S T`` that is not
    above `tolerance` counts as zero.
    """
    found = []
    for i, block in enumerate(fit.encoding.random):
        if any(direction[i].any() for direction in fit.identification.directions):
            continue
        S, T, known = scale_free_factor(fit, i)
        missing = int((np.linalg.svd(known.T @ S @ T, compute_uv=False) <= tolerance).sum())
        if missing:
            rank = known.shape[1] - missing
            reason = _reason(block.columns, S, T, rank, tolerance, block.covariance)
            found.append(
                SingularTerm(block.group, block.text(), block.columns, rank, reason, _simpler(block))
            )
    return tuple(found)


def _simpler(block: RandomEncoding) -> str:
    """The term without correlations, where it can be written."""
    if block.covariance == "unstructured":
        return "" if block.basis.factors else block.text("||")
    return replace(block, covariance="diag").text() if block.covariance in CORRELATED else ""


def scale_free_factor(fit: Fit, i: int) -> tuple[Array, Array, Array]:
    """S with ``S'S = Z'WZ / n`` for the columns of term i, the factor T of its relative covariance, and the
    orthonormal combinations of the rows of S T that the data tell."""
    system, place = fit.criterion.system, fit.layout.places[i]
    basis, lost = fit.criterion.parameters.orthonormal[i], fit.identification.lost[i]
    per_row = np.sqrt(system.A.layout.levels[place.group] / system.A.n)
    S = per_row * np.linalg.solve(basis, system.A.origin.shift(fit.encoding, i))
    known = np.linalg.qr(np.linalg.solve(basis, lost), mode="complete")[0][:, lost.shape[1] :]
    return S, fit.solution.factors[i], known


def is_singular(fit: Fit) -> bool:
    """Whether a linear combination of random effects has (nearly) no variance, whatever the units."""
    return bool(singular_terms(fit))


def are_singular(fit: Fit, factors: Sequence[Array]) -> NDArray[np.bool_]:
    """The same for factors of the model of a fit, (r, k, k) for each of its terms; (r,)."""
    out = np.zeros(len(factors[0]), dtype=np.bool_)
    for i, F in enumerate(factors):
        if any(direction[i].any() for direction in fit.identification.directions):
            continue
        S, _, known = scale_free_factor(fit, i)
        there = np.isfinite(F).all(axis=(1, 2))
        values = np.linalg.svd(known.T @ S @ F[there], compute_uv=False)
        out[there] |= (values <= TOLERANCE).any(axis=1)
    return out


def singular_line(fit: Fit) -> str:
    """One line that says that a fit is singular, why, and what to do; "" for other fits."""
    terms = singular_terms(fit)
    if not terms:
        return ""
    remedies = list(dict.fromkeys(term.remedy for term in terms))
    return f"singular fit: {', and '.join(map(str, terms))}; {', and '.join(remedies)}"


def _reason(
    columns: tuple[str, ...], S: Array, T: Array, rank: int, tolerance: float, covariance: str
) -> str:
    if rank == 0:
        return "all variances are zero"
    sd = np.linalg.norm(S, axis=0) * np.linalg.norm(T, axis=1)
    zero = [name for name, value in zip(columns, sd, strict=True) if value <= tolerance]
    if zero:
        return f"the variance{'s' * (len(zero) > 1)} of {' and '.join(zero)} {_are(zero)} zero"
    if len(columns) == 2:
        return f"correlation {'-' * bool(T[0] @ T[1] < 0)}1"
    if covariance in CORRELATED:
        return f"correlation {correlation(T @ T.T)[0, 1]:.3g}"
    return ""


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"
