"""A model in words: what was fitted, what was found, and what a reader must know."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from interlace.design.encoding import Encoding
from interlace.estimation.fit import Fit
from interlace.estimation.likelihood import n_obs
from interlace.formula.tree import label
from interlace.precision.singular import singular_line
from interlace.precision.unidentified import unidentified_line
from interlace.report.equation import Effects, effects_of
from interlace.tables.format import format_p
from interlace.text import listed
from interlace.variances.varcorr import components

STRUCTURES = {
    "unstructured": "correlated", "independent": "uncorrelated", "diag": "uncorrelated",
    "homdiag": "uncorrelated, of one variance", "cs": "with one correlation",
    "homcs": "with one variance and one correlation", "ar1": "with a first-order autoregressive correlation",
    "hetar1": "with a first-order autoregressive correlation and unequal variances",
}  # fmt: skip
MANY = 12  # coefficients that are said one by one


def sentences(fit: Fit, tests: pd.DataFrame, method: str, level: float) -> Iterator[tuple[str, list[str]]]:
    """Headings with their sentences.

    Parameters
    ----------
    fit : Fit
    tests : DataFrame
        Of the coefficients, with `lower` and `upper`.
    method : str
        What the tests use.
    level : float
        Of the intervals.
    """
    yield "What was fitted", list(_fitted(fit))
    yield "Fixed effects", list(coefficients(tests, method, level))
    yield "Random effects", list(_variances(fit))
    if warned := list(_warned(fit)):
        yield "What to keep in mind", warned


def _fitted(fit: Fit) -> Iterator[str]:
    n = n_obs(fit)
    by = "restricted maximum likelihood (REML)" if fit.reml else "maximum likelihood"
    left = fit.rows.n_read - n
    rows = f"{n:,} rows" + (f" ({left_out(left)} because of missing values)" if left else "")
    yield f"A linear mixed model of {label(fit.encoding.formula.response)} was fitted by {by} to {rows}."
    yield fixed_part(fit.encoding)
    for term in effects_of(fit):
        yield _term(fit, term)
    yield from beside(fit.encoding)


def left_out(rows: int) -> str:
    """Words on rows that are not in the fit."""
    return f"{rows:,} more {'was' if rows == 1 else 'were'} left out"


def fixed_part(encoding: Encoding) -> str:
    """A sentence on the terms of the fixed part."""
    terms = [term for term, _ in encoding.fixed_terms if term != "1"]
    alone = "nothing else" if encoding.formula.absorbed else "an intercept and nothing else"
    return f"The fixed part has {listed(terms) if terms else alone}."


def beside(encoding: Encoding) -> Iterator[str]:
    """Sentences on absorbed factors and prior weights, where there are any."""
    if encoding.formula.absorbed:
        names = listed([str(one) for one in encoding.formula.absorbed])
        yield f"The levels of {names} are fixed effects that were absorbed."
    if encoding.weights is not None:
        yield "Rows have prior weights: the variance of a residual is in inverse proportion to its weight."


def _term(fit: Fit, term: Effects) -> str:
    levels = {block.group: block.grouping.n_levels for block in fit.encoding.random}[term.group]
    slopes = [name for name in term.names if name != "Intercept"]
    parts = [*(["an intercept"] if "Intercept" in term.names else []), *(f"an effect of {x}" for x in slopes)]
    how = f", {STRUCTURES[term.structure]}" if len(term.names) > 1 else ""
    known = ", whose covariances between levels are known up to a factor" if term.known else ""
    return f"Each of the {levels:,} levels of {term.group} has {' and '.join(parts)} of its own{how}{known}."


def coefficients(tests: pd.DataFrame, method: str, level: float) -> Iterator[str]:
    """Estimates, intervals and tests, one sentence for each."""
    if len(tests) > MANY:
        yield f"The {len(tests)} coefficients are in the table below; tests use {method}."
        return
    for name, row in tests.iterrows():
        if not np.isfinite(row["se"]):
            yield f"{name}: the data do not tell how well it is known; the estimate is {row['estimate']:.4g}."
            continue
        p = format_p([row["p"]], 3)[0]
        df = f"({row['df']:.4g})" if np.isfinite(row["df"]) else ""
        p = f"< {p.lstrip('< ')}" if p.startswith("<") else f"= {p}"
        yield (
            f"{name}: {row['estimate']:.4g}, {100 * level:g} % confidence interval from {row['lower']:.4g} "
            f"to {row['upper']:.4g} (t{df} = {row['t']:.3g}, p {p})."
        )
    yield f"Tests use {method}."


def _variances(fit: Fit) -> Iterator[str]:
    for component in components(fit):
        if not np.isfinite(component.sd).all():
            yield f"The data do not tell the standard deviations between levels of {component.label}."
            continue
        sds = [f"{sd:.4g} ({name})" for name, sd in zip(component.names, component.sd, strict=True)]
        yield f"Standard deviations between levels of {component.label}: {listed(sds)}."
        if component.structure == "unstructured":
            for r, c in component.pairs:
                value = component.correlation[r, c]
                both = f"{component.names[r]} and {component.names[c]}"
                known = f"{value:.2f}" if np.isfinite(value) else "not defined, as one of them does not vary"
                yield f"The correlation of {both} over the levels of {component.label} is {known}."
        elif component.rho is not None:
            yield f"The correlation of the effects of {component.label} is {component.rho:.2f}."
    yield f"The standard deviation of the residuals is {fit.sigma:.4g}."


def _warned(fit: Fit) -> Iterator[str]:
    if line := singular_line(fit):
        yield f"{line[0].upper()}{line[1:]}."
    if line := unidentified_line(fit):
        yield f"{line[0].upper()}{line[1:]}."
    if fit.dropped:
        yield f"Columns that depend on others were left out: {listed(list(fit.dropped))}."
    if not fit.optimum.converged:
        yield "The search ended without a proof of a minimum: do not rely on these numbers."
