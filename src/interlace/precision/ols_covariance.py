"""Covariances of least-squares coefficients: by the model, robust to unequal variances, and by clusters.

All but the jackknife follow from the influence of each row: an estimate moves by ``q_i w_i`` with the
response of row i. That of beta is ``q_i = C x_i`` for ``C = (X'WX)^-1``, of what the absorbed factors leave
of X.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.design.absorbing import AbsorbedFactor
from interlace.design.frame import Frame
from interlace.design.row_labels import row_labels
from interlace.design.source import is_column
from interlace.errors import DataError, ModelError
from interlace.estimation.absorbed import Absorbed
from interlace.estimation.ols_fit import LeastSquaresFit
from interlace.frozen import dataclass
from interlace.precision.clusters import Clusters, intersections, nested
from interlace.precision.ols_jackknife import jackknife
from interlace.precision.small_sample import SmallSample
from interlace.precision.wald import ConstantDdf

KINDS = ("iid", "HC0", "HC1", "HC2", "HC3", "CR1", "CR3")
SATURATED = 1e-10  # a leverage this close to one leaves no residual
ROUNDING = 1e-12  # of the largest eigenvalue: a smaller one below zero is rounding
NOT_DEFINITE = (
    "the covariance of several clusterings was not positive semidefinite, and its negative eigenvalues were "
    "set to zero: few clusters say little of so many coefficients"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """How a covariance is made of the residuals of a fit.

    Attributes
    ----------
    fit : LeastSquaresFit
    kind : str
        One of `KINDS`.
    chosen : tuple of Clusters
        None but for "CR1" and "CR3".
    small : SmallSample
    """

    fit: LeastSquaresFit
    kind: str
    chosen: tuple[Clusters, ...]
    small: SmallSample

    @property
    def jackknife(self) -> bool:
        """Is it made of fits without each cluster, and not of the influence of rows?"""
        return self.kind == "CR3"

    def covariance(self, influence: Array) -> tuple[Array, str]:
        """Of estimates with these influences, (n, q), and what must be said of it: (q, q) and a text.

        Raises
        ------
        ModelError
            It does not exist, or not at this size.
        """
        fit, kind = self.fit, self.kind
        if kind == "iid":
            return fit.scale * ((influence * fit.weights[:, None]).T @ influence), ""
        moved = influence * (fit.weights * fit.residuals)[:, None]
        if kind == "CR1":
            return self._clustered(moved)
        share = 1.0
        if kind == "HC1":
            share = self._k_factor() * (fit.n / (fit.n - 1) if self.small.G_adj else 1.0)
        elif kind != "HC0":
            left = _unsaturated(fit, kind)
            moved = moved / (np.sqrt(left) if kind == "HC2" else left)[:, None]
        return share * (moved.T @ moved), ""

    def _clustered(self, moved: Array) -> tuple[Array, str]:
        """CR1: fixest's, with its corrections; from several clusterings what inclusion and exclusion makes of
        them, with eigenvalues below zero taken as zero (Cameron, Gelbach and Miller 2011)."""
        q, fewest = moved.shape[1], min(one.size for one in self.chosen)
        V = np.zeros((q, q))
        for sign, cells in intersections(self.chosen):
            sums = np.zeros((cells.size, q))
            np.add.at(sums, cells.codes, moved)
            G = fewest if self.small.G_df == "min" else cells.size
            V += sign * (G / (G - 1) if self.small.G_adj else 1.0) * (sums.T @ sums)
        V *= self._k_factor()
        return _definite(V) if len(self.chosen) > 1 else (V, "")

    def _k_factor(self) -> float:
        """``(n - 1) / (n - K)``."""
        n = self.fit.n
        return (n - 1) / (n - counted(self.fit, self.chosen, self.small)) if self.small.K_adj else 1.0

    def df(self) -> float:
        """Degrees of freedom of t."""
        if self.kind == "iid":
            return float(self.fit.df_resid)
        if not self.chosen or self.small.t_df == "conventional":
            return float(self.fit.n - counted(self.fit, self.chosen, self.small))
        if self.small.t_df == "min":
            return min(one.size for one in self.chosen) - 1.0
        return float(self.small.t_df)


@dataclass(frozen=True, slots=True, repr=False)
class ResidualDdf(ConstantDdf):
    """A covariance of least squares with its degrees of freedom.

    Attributes
    ----------
    rule : Rule or None
        How it was made.
    """

    name: str = ""
    description: str = ""
    rule: Rule | None = None

    @property
    def kind(self) -> str:
        """Of the covariance, one of `KINDS`."""
        return "iid" if self.rule is None else self.rule.kind

    @property
    def covariance(self) -> str:
        """In words."""
        return "" if self.kind == "iid" else self.note.partition("; ")[0].partition(": ")[0]


def bind(fit: LeastSquaresFit, kind: str, cluster: Any, small: SmallSample) -> ResidualDdf:
    """The covariance of a kind and its degrees of freedom.

    Raises
    ------
    DataError
        The kind is not known, clusters are missing or where there are none, or are fewer than two.
    ModelError
        The kind does not exist for these data.
    """
    rule = Rule(fit, kind, clusterings(fit, cluster) if kind.startswith("CR") else (), small)
    beta, df = fit.solution.beta, rule.df()
    if kind == "iid":
        return ResidualDdf(beta, fit.vcov, df, "", f"{df:g}", f"t with {df:g} df", rule)
    if rule.jackknife:
        vcov, said = jackknife(fit, rule.chosen), ""
    else:
        vcov, said = rule.covariance((fit.left @ fit.root) @ fit.root.T)
    ways = ", ".join(f"{one.size} {one.name}" for one in rule.chosen)
    made = f"from clusters ({ways})" if ways else "the variances of the rows may differ"
    note = f"{kind} covariance {made}" if ways else f"{kind} covariance: {made}"
    short = f"t with {df:g} df ({note if ways else kind})"
    return ResidualDdf(beta, vcov, df, "; ".join(filter(None, (note, said))), f"{df:g} ({kind})", short, rule)


def _unsaturated(fit: LeastSquaresFit, kind: str) -> Array:
    """One less the leverage of each row, (n,)."""
    left = 1 - fit.leverages
    if left.min() < SATURATED:
        raise ModelError(
            f"{kind} does not exist: {int((left < SATURATED).sum())} rows are fitted exactly whatever their "
            "response, as where a level has one row; use 'HC1', or singletons='drop'"
        )
    return left


def _definite(V: Array) -> tuple[Array, str]:
    """Without what negative eigenvalues make, and what is said of it if that is more than rounding."""
    values, vectors = np.linalg.eigh(V)
    if values.min(initial=0.0) >= 0:
        return V, ""
    said = NOT_DEFINITE if values.min() < -ROUNDING * values.max() else ""
    return np.asarray((vectors * np.maximum(values, 0)) @ vectors.T), said


def counted(fit: LeastSquaresFit, chosen: Sequence[Clusters], small: SmallSample) -> int:
    """K: coefficients, and the absorbed effects that are counted."""
    p, absorbed = len(fit.solution.beta), fit.absorbed
    if absorbed is None or small.K_fixef == "none":
        return p
    factors = absorbed.factors if small.K_fixef == "full" else _not_nested(absorbed, chosen)
    plain = sum(factor.term.intercept for factor in factors)
    constant = 0 if plain else int(fit.encoding.absorbs_constant)
    if not small.K_exact:
        return p + constant + sum(factor.n_levels * factor.k for factor in factors) - max(plain - 1, 0)
    if factors is absorbed.factors:
        return p + fit.absorbed_rank
    return p + constant + (Absorbed(factors, absorbed.weights, fit.n_jobs).rank if factors else 0)


def _not_nested(absorbed: Absorbed, chosen: Sequence[Clusters]) -> tuple[AbsorbedFactor, ...]:
    """The factors without the intercepts of those that are nested in clusters; slopes stay, as in fixest."""
    left: list[AbsorbedFactor] = []
    for factor in absorbed.factors:
        inside = any(nested(factor.codes, other.codes) for other in chosen)
        if not inside or not factor.term.intercept:
            left.append(factor)
        elif factor.columns is not None:
            slopes = np.ascontiguousarray(factor.columns[:, 1:])
            left.append(replace(factor, term=replace(factor.term, intercept=False), columns=slopes))
    same = len(left) == len(absorbed.factors) and all(map(operator.is_, left, absorbed.factors))
    return absorbed.factors if same else tuple(left)


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
        if is_column(fit.design, given):
            return [given]
        return list(dict.fromkeys(part.strip() for part in given.split("+")))
    if hasattr(given, "columns"):
        frame = Frame.read(given)
        return list(frame.columns.values())
    if isinstance(given, list | tuple) and given and all(isinstance(one, str) for one in given):
        return list(dict.fromkeys(given)) if len(given) not in (fit.n, fit.design.n_rows_read) else [given]
    if isinstance(given, list | tuple) and given and all(hasattr(one, "__len__") for one in given):
        return list(given)
    return [given]


def _clusters(fit: LeastSquaresFit, given: Any) -> Clusters:
    names = [part.strip() for part in re.split(r"[\^:]", given)] if isinstance(given, str) else []
    if len(names) > 1 and not is_column(fit.design, given):
        several = [_clusters(fit, name) for name in names]
        return intersections(several)[-1][1]
    factor = row_labels(fit.rows, "cluster", given)
    name = given if isinstance(given, str) else "the given clusters"
    return Clusters(name, np.ascontiguousarray(factor.codes, dtype=np.int32), len(factor.levels))
