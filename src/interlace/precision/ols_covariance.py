"""Covariances of least-squares coefficients: by the model, robust to unequal variances, and by clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.design.absorbing import AbsorbedFactor, learn_absorbed
from interlace.design.frame import Frame
from interlace.design.row_labels import row_labels
from interlace.errors import DataError, ModelError, shown
from interlace.estimation.absorbed import Absorbed
from interlace.estimation.ols import LeastSquaresFit
from interlace.estimation.rank import independent, triangle
from interlace.options import switch, word
from interlace.precision.clusters import Clusters, intersections
from interlace.precision.wald import ConstantDdf

KINDS = ("iid", "HC0", "HC1", "HC2", "HC3", "CR1", "CR3")
_LEVERAGES = 5_000  # rows: more leverages beside several absorbed factors are too many solves
SATURATED = 1e-10  # a leverage this close to one leaves no residual


@dataclass(frozen=True, slots=True)
class SmallSample:
    """Small-sample corrections of covariances, by the names of fixest 0.13: what `interlace.ssc` gives.

    Attributes
    ----------
    K_adj : bool
        Multiply by ``(n - 1) / (n - K)``.
    K_fixef : {"nonnested", "full", "none"}
        Which absorbed levels K counts: those of factors that are not nested in the clusters, all, or none.
    G_adj : bool
        Multiply by ``G / (G - 1)`` for G clusters.
    G_df : {"min", "conventional"}
        With several clusterings: the smallest G for all of them, or each its own.
    t_df : {"min", "conventional"} or number
        Degrees of freedom of t with clusters: the smallest G less 1, ``n - K``, or a number.
    """

    K_adj: bool = True
    K_fixef: str = "nonnested"
    G_adj: bool = True
    G_df: str = "min"
    t_df: str | float = "min"


_SSC_NAMES = {"K.adj": "K_adj", "K.fixef": "K_fixef", "G.adj": "G_adj", "G.df": "G_df", "t.df": "t_df"}
_SSC_WORDS = {"K_fixef": ("nonnested", "full", "none"), "G_df": ("min", "conventional")}


def ssc(**options: Any) -> SmallSample:
    """Small-sample corrections of robust covariances, as fixest 0.13 names them.

    Parameters
    ----------
    K_adj : bool
        Multiply by ``(n - 1) / (n - K)``; True.
    K_fixef : {"nonnested", "full", "none"}
        Which absorbed levels K counts: those of factors that are not nested in the clusters, all, or none.
    G_adj : bool
        Multiply by ``G / (G - 1)`` for G clusters; True.
    G_df : {"min", "conventional"}
        With several clusterings: the smallest G for all of them, or each its own.
    t_df : {"min", "conventional"} or number
        Degrees of freedom of t with clusters: the smallest G less 1, those of the residuals, or a number.

    Returns
    -------
    SmallSample

    Raises
    ------
    DataError
        A name or a word is not known.

    Notes
    -----
    fixest's own spelling is taken in a mapping: ``interlace.ssc(**{"K.adj": False})``.

    Examples
    --------
    >>> import interlace
    >>> interlace.ssc(K_fixef="full").K_fixef
    'full'
    """
    chosen: dict[str, Any] = {}
    for given, value in options.items():
        name = _SSC_NAMES.get(given, given)
        if name not in _SSC_NAMES.values():
            raise DataError(f"ssc has no option '{given}'; it has {', '.join(_SSC_NAMES.values())}")
        if name in _SSC_WORDS:
            chosen[name] = word(name, value, _SSC_WORDS[name])
        elif name == "t_df":
            chosen[name] = _t_df(value)
        else:
            chosen[name] = switch(name, value)
    return SmallSample(**chosen)


def small_sample(given: Any) -> SmallSample:
    """What `ssc=` was given.

    Raises
    ------
    DataError
        It is neither what `ssc` gives nor a mapping of its options.
    """
    if given is None:
        return SmallSample()
    if isinstance(given, SmallSample):
        return given
    if isinstance(given, Mapping):
        return ssc(**given)
    raise DataError(f"ssc must be interlace.ssc(...) or a mapping of its options, not {shown(given)}")


def _t_df(value: Any) -> str | float:
    if isinstance(value, str):
        return word("t_df", value, ("min", "conventional"))
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not float(value) > 0:
        raise DataError(f"t_df must be 'min', 'conventional' or a number above zero, not {shown(value)}")
    return float(value)


@dataclass(frozen=True, slots=True)
class ResidualDdf(ConstantDdf):
    """A covariance of least squares with its degrees of freedom."""

    name: str = ""
    description: str = ""


def bind(fit: LeastSquaresFit, kind: str, cluster: Any, small: SmallSample) -> ResidualDdf:
    """The covariance of a kind and its degrees of freedom.

    Raises
    ------
    DataError
        The kind is not known, clusters are missing or where there are none, or are fewer than two.
    ModelError
        The kind does not exist for these data.
    """
    beta, df = fit.solution.beta, float(fit.df_resid)
    if kind == "iid":
        return ResidualDdf(beta, fit.vcov, df, "", f"{df:g}", f"t with {df:g} df")
    if kind.startswith("HC"):
        df = float(fit.n - counted(fit, (), small))
        vcov = _turned(fit, _unequal(fit, kind, small))
        note = f"{kind} covariance: the variances of the rows may differ"
        return ResidualDdf(beta, vcov, df, note, f"{df:g} ({kind})", f"t with {df:g} df ({kind})")
    chosen = clusterings(fit, cluster)
    vcov = _sandwich(fit, chosen, small) if kind == "CR1" else _jackknife(fit, chosen)
    df = _t_of_clusters(fit, chosen, small)
    ways = ", ".join(f"{one.size} {one.name}" for one in chosen)
    note = f"{kind} covariance from clusters ({ways})"
    return ResidualDdf(beta, vcov, df, note, f"{df:g} ({kind})", f"t with {df:g} df ({note})")


def _t_of_clusters(fit: LeastSquaresFit, chosen: Sequence[Clusters], small: SmallSample) -> float:
    if small.t_df == "min":
        return min(one.size for one in chosen) - 1.0
    if small.t_df == "conventional":
        return float(fit.n - counted(fit, chosen, small))
    return float(small.t_df)


def _turned(fit: LeastSquaresFit, middle: Array) -> Array:
    vcov = fit.root @ middle @ fit.root.T
    return np.asarray((vcov + vcov.T) / 2)


def _scores(fit: LeastSquaresFit) -> Array:
    """``w_i K'x_i e_i``, (n, p)."""
    return (fit.left @ fit.root) * (fit.weights * fit.residuals)[:, None]


# ---- unequal variances ---


def _unequal(fit: LeastSquaresFit, kind: str, small: SmallSample) -> Array:
    scores = _scores(fit)
    if kind in ("HC0", "HC1"):
        share = _k_factor(fit, (), small) * (fit.n / (fit.n - 1) if small.G_adj else 1.0)
        return (share if kind == "HC1" else 1.0) * (scores.T @ scores)
    left = 1 - leverages(fit)
    if left.min() < SATURATED:
        raise ModelError(
            f"{kind} does not exist: {int((left < SATURATED).sum())} rows are fitted exactly whatever their "
            "response, as where a level has one row; use 'HC1', or singletons='drop'"
        )
    scores = scores / (np.sqrt(left) if kind == "HC2" else left)[:, None]
    return np.asarray(scores.T @ scores)


def leverages(fit: LeastSquaresFit) -> Array:
    """The diagonal of the matrix that makes fitted values of the response, absorbed levels included, (n,).

    Raises
    ------
    ModelError
        There are more rows than solves can be afforded, beside several absorbed factors.
    """
    own = fit.weights * ((fit.left @ fit.root) ** 2).sum(axis=1)
    absorbed = fit.absorbed
    return own if absorbed is None else own + _of_levels(fit, absorbed)


def _of_levels(fit: LeastSquaresFit, absorbed: Absorbed) -> Array:
    factor = absorbed.factors[0]
    if len(absorbed.factors) == 1 and factor.columns is None:
        total = np.bincount(factor.codes, weights=fit.weights, minlength=factor.n_levels)
        return np.asarray(fit.weights / total[factor.codes])
    if fit.n > _LEVERAGES:
        raise ModelError(
            f"HC2 and HC3 need the leverage of each row, which beside several absorbed factors is computed "
            f"for up to {_LEVERAGES} rows, and there are {fit.n}; use 'HC1', or clusters"
        )
    found = np.empty(fit.n)
    for start in range(0, fit.n, 256):
        at = np.arange(start, min(start + 256, fit.n))
        one = np.zeros((fit.n, len(at)))
        one[at, np.arange(len(at))] = 1.0
        found[at] = 1 - absorbed.residuals(one).values[at, np.arange(len(at))]
    return found


# ---- clusters ---


def clusterings(fit: LeastSquaresFit, given: Any) -> tuple[Clusters, ...]:
    """One partition of the rows, or several.

    Raises
    ------
    DataError
        There is none, a column is not there or has missing values, or there are fewer than two clusters.
    """
    chosen = tuple(_clusters(fit, one) for one in _several(fit, given))
    for one in chosen:
        if one.size < 2:
            raise DataError(
                f"a cluster-robust covariance needs two clusters or more; {one.name} has {one.size}"
            )
    return chosen


def _several(fit: LeastSquaresFit, given: Any) -> Sequence[Any]:
    if given is None:
        raise DataError(
            "a cluster-robust covariance needs clusters: give cluster='firm', or several in a list"
        )
    if isinstance(given, str):
        return (
            [part.strip() for part in given.split("+")] if given not in fit.design.frame.columns else [given]
        )
    if hasattr(given, "columns"):
        frame = Frame.read(given)
        return list(frame.columns.values())
    if isinstance(given, list | tuple) and given and all(isinstance(one, str) for one in given):
        return list(dict.fromkeys(given)) if len(given) not in (fit.n, fit.design.n_rows_read) else [given]
    if isinstance(given, list | tuple) and given and all(hasattr(one, "__len__") for one in given):
        return list(given)
    return [given]


def _clusters(fit: LeastSquaresFit, given: Any) -> Clusters:
    names = [part.strip() for part in given.split("^")] if isinstance(given, str) else []
    if len(names) > 1 and given not in fit.design.frame.columns:
        several = [_clusters(fit, name) for name in names]
        return intersections(several)[-1][1]
    factor = row_labels(fit.design, "cluster", given)
    name = given if isinstance(given, str) else "the given clusters"
    return Clusters(name, np.ascontiguousarray(factor.codes, dtype=np.int32), len(factor.levels))


def _sandwich(fit: LeastSquaresFit, chosen: Sequence[Clusters], small: SmallSample) -> Array:
    """CR1: fixest's, with its corrections; from several clusterings what inclusion and exclusion makes of
    them, with eigenvalues below zero taken as zero (Cameron, Gelbach and Miller 2011)."""
    scores, p = _scores(fit), len(fit.solution.beta)
    middle, fewest = np.zeros((p, p)), min(one.size for one in chosen)
    for sign, cells in intersections(chosen):
        sums = np.zeros((cells.size, p))
        np.add.at(sums, cells.codes, scores)
        G = fewest if small.G_df == "min" else cells.size
        middle += sign * (G / (G - 1) if small.G_adj else 1.0) * (sums.T @ sums)
    vcov = _k_factor(fit, chosen, small) * _turned(fit, middle)
    return _positive(vcov) if len(chosen) > 1 else vcov


def _positive(V: Array) -> Array:
    values, vectors = np.linalg.eigh(V)
    return V if values.min() >= 0 else np.asarray((vectors * np.maximum(values, 0)) @ vectors.T)


def _k_factor(fit: LeastSquaresFit, chosen: Sequence[Clusters], small: SmallSample) -> float:
    """``(n - 1) / (n - K)``."""
    return (fit.n - 1) / (fit.n - counted(fit, chosen, small)) if small.K_adj else 1.0


def counted(fit: LeastSquaresFit, chosen: Sequence[Clusters], small: SmallSample) -> int:
    """K: coefficients, and the absorbed effects that are counted."""
    p, rank = len(fit.solution.beta), fit.absorbed_rank
    if small.K_fixef == "full" or not rank:
        return p + rank
    if small.K_fixef == "none":
        return p
    return p + _rank_not_nested(fit, chosen)


def _rank_not_nested(fit: LeastSquaresFit, chosen: Sequence[Clusters]) -> int:
    """Rank of the absorbed levels without the intercepts of factors that are nested in clusters; a constant
    takes their place, and slopes stay, as in fixest."""
    absorbed = fit.absorbed
    assert absorbed is not None
    left: list[AbsorbedFactor] = []
    for factor in absorbed.factors:
        nested = any(_nested(factor.codes, other.codes) for other in chosen)
        if not nested or not factor.term.intercept:
            left.append(factor)
        elif factor.columns is not None:
            slopes = np.ascontiguousarray(factor.columns[:, 1:])
            left.append(replace(factor, term=replace(factor.term, intercept=False), columns=slopes))
    if [id(one) for one in left] == [id(one) for one in absorbed.factors]:
        return fit.absorbed_rank
    spans = any(factor.term.intercept for factor in left)
    constant = 0 if spans else int(fit.encoding.absorbs_constant)
    return constant + (Absorbed(tuple(left), absorbed.weights, fit.n_jobs).rank if left else 0)


def _nested(inner: np.ndarray, outer: np.ndarray) -> bool:
    first = np.zeros(int(inner.max()) + 1, dtype=outer.dtype)
    first[inner] = outer
    return bool((first[inner] == outer).all())


# ---- CR3 ---


def _jackknife(fit: LeastSquaresFit, chosen: Sequence[Clusters]) -> Array:
    """CR3: the sum over clusters of the squares of what beta changes without each of them."""
    if len(chosen) > 1:
        raise ModelError(f"CR3 is defined for one clustering of the rows, not for {len(chosen)}; use 'CR1'")
    absorbed, moved = fit.absorbed, []
    for rows in chosen[0].rows():
        rest = np.setdiff1d(np.arange(fit.n), rows)
        moved.append(_without(fit, absorbed, rest) - fit.solution.beta)
    change = np.array(moved)
    return np.asarray(change.T @ change)


def _without(fit: LeastSquaresFit, absorbed: Absorbed | None, rest: np.ndarray) -> Array:
    """beta of some of the rows."""
    columns, w = np.column_stack([fit.left, fit.response])[rest], fit.design.weights
    w = None if w is None else np.ascontiguousarray(w[rest])
    if absorbed is not None:
        terms = [factor.term for factor in absorbed.factors]
        columns = Absorbed(learn_absorbed(fit.design.frame.take(rest), terms), w).residuals(columns).values
    R, p = triangle(columns, w), len(fit.solution.beta)
    full = np.linalg.norm(fit.triangle, axis=0)
    if len(independent(R[:, :p])) < p or (np.linalg.norm(R[:, :p], axis=0) < SATURATED * full).any():
        raise ModelError(
            "without one of the clusters some coefficients cannot be estimated: CR3 does not exist; use 'CR1'"
        )
    return np.asarray(np.linalg.solve(R[:p, :p], R[:p, p]))
