"""The variance components in the units a person reads: variances, standard deviations and correlations."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd

from interlace.design.encoding import Encoding
from interlace.estimation.fit import Fit
from interlace.estimation.layout import Layout
from interlace.frozen import dataclass
from interlace.precision.singular import singular_line
from interlace.precision.unidentified import unidentified_line, unknown_entries
from interlace.precision.wald import correlation
from interlace.tables.table import Table

_Row = tuple[str, str | None, str | None, float, float, float]

RESIDUAL = "Residual"


@dataclass(frozen=True, slots=True)
class Component:
    """The covariance matrix `sigma^2 T T'` of one random-effects term; NaN where the data do not tell it.

    `label` is the grouping factor; a second term on the same factor is "g.1", a third "g.2" (as in lme4).
    `structure` is that of the covariance, as in `RandomTerm.covariance`.
    """

    label: str
    names: tuple[str, ...]
    covariance: np.ndarray
    structure: str = "unstructured"

    @property
    def sd(self) -> np.ndarray:
        """Standard deviations, shape (k,)."""
        return np.asarray(np.sqrt(np.diagonal(self.covariance)))

    @property
    def correlation(self) -> np.ndarray:
        """Correlations, shape (k, k); NaN where a standard deviation is zero."""
        return correlation(self.covariance)

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Pairs of effects that have a covariance."""
        return () if self.structure in ("diag", "homdiag") else tuple(combinations(range(len(self.names)), 2))

    @property
    def shared(self) -> bool:
        """Do all effects have one variance?"""
        return self.structure in ("homdiag", "homcs", "ar1") and len(self.names) > 1

    @property
    def rho(self) -> float | None:
        """The correlation that stands for all of a structure; None where there is no such."""
        if self.structure not in ("cs", "homcs", "ar1", "hetar1"):
            return None
        neighbours = np.diagonal(self.correlation, offset=1)
        told = neighbours[np.isfinite(neighbours)]
        return float(told[0]) if told.size else np.nan


def components(fit: Fit) -> tuple[Component, ...]:
    """One `Component` per random-effects term, in lme4's order of terms."""
    blocks, unknown = labels_of_blocks(fit.encoding), unknown_entries(fit)
    return tuple(
        replace(component, covariance=np.where(unknown[i], np.nan, component.covariance))
        for component, (i, _) in zip(plain_components(fit), blocks, strict=True)
    )


def plain_components(fit: Fit) -> tuple[Component, ...]:
    """The same, whatever the data tell."""
    found = []
    for i, label in labels_of_blocks(fit.encoding):
        block, T = fit.encoding.random[i], fit.solution.factors[i]
        found.append(Component(label, tuple(block.columns), fit.scale * (T @ T.T), block.covariance))
    return tuple(found)


def labels_of_blocks(encoding: Encoding) -> list[tuple[int, str]]:
    """The covariance blocks in lme4's order of terms: the number and the label of each (see `Component`)."""
    seen: dict[str, int] = {}
    out = []
    for i in Layout.of(encoding).theta_order:
        group = encoding.random[i].group
        repeat = seen.get(group, 0)
        seen[group] = repeat + 1
        out.append((i, f"{group}.{repeat}" if repeat else group))
    return out


def groups_of_blocks(encoding: Encoding) -> list[tuple[int, str]]:
    """The same with the grouping factor alone, as lme4 names parameters, where no two effects have one name
    then."""
    blocks = labels_of_blocks(encoding)
    effects = [(encoding.random[i].group, name) for i, _ in blocks for name in encoding.random[i].columns]
    return [(i, encoding.random[i].group) for i, _ in blocks] if len(set(effects)) == len(effects) else blocks


def varcorr_table(fit: Fit) -> Table:
    """Columns `group, term1, term2, variance, sd, corr`; the rows of lme4's `as.data.frame(VarCorr(m))`.

    A row without `term2` is a variance with its `sd`; a row with `term2` holds a covariance in `variance` and
    the correlation in `corr`. Effects of a diagonal structure have no such row. The last row is the residual.
    """
    rows = [row for component in components(fit) for row in _rows(component)]
    residual: _Row = (RESIDUAL, None, None, fit.scale, fit.sigma, np.nan)
    rows.append(residual)
    columns = dict(
        zip(("group", "term1", "term2", "variance", "sd", "corr"), zip(*rows, strict=True), strict=True)
    )
    types = [object] * 3 + [np.float64] * 3  # object, so that an absent term is None
    return Table.of(
        {
            name: pd.Series(values, dtype=kind)
            for (name, values), kind in zip(columns.items(), types, strict=True)
        },
        note=[singular_line(fit), unidentified_line(fit)],
    )


def _rows(component: Component) -> list[_Row]:
    names, cov, sd, corr = component.names, component.covariance, component.sd, component.correlation
    k = len(names)
    variances: list[_Row] = [(component.label, names[j], None, cov[j, j], sd[j], np.nan) for j in range(k)]
    covariances: list[_Row] = [
        (component.label, names[i], names[j], cov[i, j], np.nan, corr[i, j]) for i, j in component.pairs
    ]
    return [*variances, *covariances]
