"""The hypotheses of the three types of ANOVA: for each term a matrix L, of which `L beta = 0` is tested.

The definitions are those of SAS as lmerTest has them. The rows of L matter beyond the space they span:
Satterthwaite's degrees of freedom of several rows depend on their scale, so rows are scaled as in lmerTest.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from interlace.arrays import Array
from interlace.design.rows import Rows, side_by_side
from interlace.estimation.any_fit import AnyFit
from interlace.estimation.beside_levels import beside_levels
from interlace.estimation.rank import TOLERANCE, independent, joined_triangles, triangle
from interlace.inference.terms import Indicators, Term, Terms

ZERO = 1e-8  # rounding error of coefficients that are whole numbers, as nearly all are


def type1(fit: AnyFit, terms: Terms, which: Iterable[Term]) -> dict[str, Array]:
    """Each term after those before it: rows of the unit upper triangular factor of X'X."""
    U = _unit_upper(fit.triangle_of_tests)
    return {term.label: U[list(term.columns)] for term in which}


def type2(fit: AnyFit, terms: Terms, which: Iterable[Term]) -> dict[str, Array]:
    """Each term after all terms that do not contain it."""
    if len(terms.tested) <= 1:
        return type1(fit, terms, which)
    R = fit.triangle_of_tests
    return {term.label: _after_the_others(R, term, terms.containing(term)) for term in which}


def _after_the_others(R: Array, term: Term, containing: tuple[Term, ...]) -> Array:
    p = R.shape[1]
    if not containing:
        return np.eye(p)[list(term.columns)]
    last = [*term.columns, *(j for other in containing for j in other.columns)]
    order = [j for j in range(p) if j not in set(last)] + last
    U = _unit_upper(triangle(R[:, order]))
    first = p - len(last)
    L = np.zeros((len(term.columns), p))
    L[:, order] = U[first : first + len(term.columns)]
    return L


def type3(fit: AnyFit, terms: Terms, which: Iterable[Term]) -> dict[str, Array]:
    """Each term about its own effects averaged over the terms that contain it, whatever the coding of X.

    Of the estimable functions of the model with an indicator for every cell (SAS), those of a term are made
    orthogonal to those of the terms that contain it, and written in the coefficients of X.
    """
    if len(terms.tested) <= 1:
        return type1(fit, terms, which)
    indicators = Indicators.of(fit, terms)
    k = len(indicators.R[0]) - fit.solution.beta.size
    cells, X = indicators.R[:, :k], indicators.R[:, k:]
    length_cells, length_X = indicators.length[:k], indicators.length[k:]
    taken = [indicators.treatment[j] for j in independent(cells[:, list(indicators.treatment)])]
    T, length_T = cells[:, taken], length_cells[taken]
    # beta of the treatment coding = H (effects of the cells) = M (beta of X)
    H = _cleaned(_solved(T, cells) * length_cells / length_T[:, None])
    M = _cleaned(_solved(T, X) * length_X / length_T[:, None])
    functions = _orthogonal(H.T, terms, _columns_of_terms(taken, indicators.place))
    rows = {term.label: functions[term.label][:, taken] for term in which}
    return {label: L[L.any(axis=1)] @ M for label, L in rows.items()}


def _columns_of_terms(taken: list[int], place: dict[str, slice]) -> dict[str, list[int]]:
    return {
        label: [j for j, column in enumerate(taken) if at.start <= column < at.stop]
        for label, at in place.items()
    }


def _orthogonal(G: Array, terms: Terms, columns: dict[str, list[int]]) -> dict[str, Array]:
    """Estimable functions of each term, rows over the cells, from those in the columns of G."""
    functions = {}
    for term in terms.terms:
        own = G[:, columns[term.label]]
        others = [j for other in terms.containing(term) for j in columns[other.label]]
        if own.size and others:
            own = own - G[:, others] @ _solved(G[:, others], own)
            own = np.where(np.abs(own) < ZERO, 0.0, own)
        functions[term.label] = own.T
    return functions


def difference(fit: AnyFit, smaller_rows: Rows) -> Array:
    """L such that ``X beta`` lies in the span of X of a smaller model if ``L beta = 0``.

    The rows of L are orthonormal.
    """
    p = len(fit.names)
    R = _both(fit, smaller_rows)
    k = R.shape[1] - p
    length = np.sqrt(np.einsum("ij,ij->j", R, R))
    length[length == 0] = 1.0
    R /= length
    smaller = R[:, list(independent(R[:, :k]))]
    # the smaller space is in the larger one, so its complement there is made of right-most columns of Q
    Q = np.linalg.qr(smaller)[0] if smaller.shape[1] else np.zeros((len(R), 0))
    left = R[:, k:] - Q @ (Q.T @ R[:, k:])
    U, s, _ = np.linalg.svd(left, full_matrices=False)
    rank = int((s > TOLERANCE * max(s.max(initial=0.0), 1.0)).sum())
    L = (U[:, :rank].T @ R[:, k:]) * length[k:]
    return np.linalg.qr(L.T)[0].T if rank else np.zeros((0, p))


def _both(fit: AnyFit, smaller: Rows) -> Array:
    """The triangle of the columns of the smaller model and those of the fit, side by side."""
    if fit.encoding.absorbed:
        return triangle(beside_levels(fit.encoding, fit.rows, np.hstack([smaller.design.X, fit.X])))
    own = (design.selected(fit.kept).X for design in fit.rows.designs())
    R: Array | None = None
    for pair in side_by_side([(design.X for design in smaller.designs()), own]):
        found = triangle(np.hstack(pair))
        R = found if R is None else joined_triangles(R, found)
    assert R is not None
    return R


def _unit_upper(R: Array) -> Array:
    return np.triu(R) / np.diagonal(R)[:, None]


def _solved(A: Array, B: Array) -> Array:
    """Least-squares coefficients of B on A."""
    return np.linalg.lstsq(A, B, rcond=TOLERANCE * 1e-3)[0]


def _cleaned(H: Array) -> Array:
    """Without the rounding error of entries that are whole numbers, as nearly all are."""
    whole = np.round(H)
    return np.where(np.abs(H - whole) < ZERO, whole, H)
