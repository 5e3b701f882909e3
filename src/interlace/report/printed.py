"""Overview and summary as text, in the layout of lme4's `print`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from interlace.report.facts import MAX_CORRELATION, OverviewFacts, SummaryFacts
from interlace.tables.cells import printed
from interlace.tables.format import (
    STARS_LEGEND,
    abbreviate,
    format_common,
    named_numbers,
    text_table,
    without_minus_zero,
    wrapped_columns,
    zap_small,
)
from interlace.variances.varcorr import RESIDUAL, Component

DIGITS = 4
NO_COEFFICIENTS = "No fixed-effect coefficients"
CRITERION = "REML criterion"


def overview_text(o: OverviewFacts) -> str:
    """The short print of a model."""
    lines = [*heading(o), *_criteria_lines(o, decimals=4), "Random effects:"]
    lines += _indented(random_effects(o.components, o.sigma, variances=False))
    lines += [*size_lines(o), "Fixed effects:"]
    values = format_common(o.fixef.to_numpy(), DIGITS)
    lines += named_numbers([str(name) for name in o.fixef.index], values) or [NO_COEFFICIENTS]
    return "\n".join([*lines, *remarks(o)])


def summary_text(s: SummaryFacts) -> str:
    """The print of a summary."""
    o = s.overview
    paragraphs = [
        summary_heading(s),
        _criteria_lines(o, decimals=1),
        _residual_lines(s),
        [
            "Random effects:",
            *_indented(random_effects(o.components, o.sigma, variances=True)),
            *size_lines(o),
        ],
        [
            "Fixed effects:",
            *coefficient_lines(s.coefficients, stars=s.stars),
            *remarks(o),
            *note_lines(s),
        ],
        correlation_lines(s),
        [str(s.convergence)],
    ]
    return "\n\n".join("\n".join(lines) for lines in paragraphs if lines)


def _residual_lines(s: SummaryFacts) -> list[str]:
    names = list(s.scaled_residuals)
    return ["Scaled residuals:", *named_numbers(names, quantile_cells(s))] if names else []


def quantile_cells(s: SummaryFacts) -> list[str]:
    """The quantiles of the scaled residuals."""
    return format_common(zap_small(list(s.scaled_residuals.values()), DIGITS + 1), DIGITS)


def heading(o: OverviewFacts) -> list[str]:
    """Title, formula, and the name of the data if it has one."""
    return [o.title, f"Formula: {o.formula}", *([f"   Data: {o.data}"] if o.data else [])]


def summary_heading(s: SummaryFacts) -> list[str]:
    """The heading, with the method of the tests in its first line."""
    title, *rest = heading(s.overview)
    return [f"{title}. t-tests use {s.tests}", *rest]


def note_lines(s: SummaryFacts) -> list[str]:
    """What a reader of the degrees of freedom must know."""
    return [f"note: {s.note}"] if s.note else []


def random_effects(
    parts: Sequence[Component], sigma: float, *, variances: bool
) -> tuple[list[str], list[list[str]], str]:
    """Header, rows and alignment of the table of variance components."""
    rows_of = [range(1 if c.shared else len(c.names)) for c in parts]
    sds = np.concatenate([*(c.sd[: len(rows)] for c, rows in zip(parts, rows_of, strict=True)), [sigma]])
    numbers = [format_common(sds, DIGITS if variances else DIGITS + 1)]
    if variances:
        numbers.insert(0, format_common(sds**2, DIGITS))
    each = [(c, j) for c, rows in zip(parts, rows_of, strict=True) for j in rows]
    labels = [(c.label if j == 0 else "", _row_name(c, j)) for c, j in each]
    labels.append((RESIDUAL, ""))
    n_corr = max((_width(c) for c in parts), default=0)
    corr = [_correlations(c, j, n_corr) for c, j in each]
    corr.append([""] * n_corr)
    rows = [
        [*label, *cells, *r] for label, cells, r in zip(labels, zip(*numbers, strict=True), corr, strict=True)
    ]
    header = ["Groups", "Name", *(["Variance"] if variances else []), "Std.Dev."]
    header += ["Corr"] * bool(n_corr) + [""] * (n_corr - 1)
    return header, rows, "ll" + "n" * (len(numbers) + n_corr)


def size_lines(o: OverviewFacts) -> list[str]:
    """Numbers of observations and levels, and of rows left out; what is singular or not identified."""
    groups = "; ".join(f"{name}, {count}" for name, count in o.ngroups.items())
    lines = [f"Number of obs: {o.nobs}, groups:  {groups}"]
    if o.known:
        lines.append(f"  (known covariance between the levels of {', '.join(o.known)})")
    lines += o.absorbed
    if o.n_missing:
        lines.append(f"  ({o.n_missing} row{'s' * (o.n_missing != 1)} left out because of missing values)")
    return [*lines, *(line for line in (o.singular, o.unidentified) if line)]


def remarks(o: OverviewFacts) -> list[str]:
    """What a reader of the coefficients must know: columns left out, and factors coded by polynomials."""
    lines = []
    if o.dropped:
        what = "1 column" if len(o.dropped) == 1 else f"{len(o.dropped)} columns"
        lines.append(f"fixed effects are rank deficient, so {what} left out: {', '.join(o.dropped)}")
    if o.polynomials:
        some = len(o.polynomials) > 1
        lines.append(
            f"{', '.join(o.polynomials)} {'are' if some else 'is'} ordered, and .L, .Q, ... are polynomials; "
            f"contrasts={{'{o.polynomials[0]}': 'treatment'}} compares with the first level"
        )
    return lines


def coefficient_lines(table: pd.DataFrame, *, stars: bool = False) -> list[str]:
    """The table of coefficients."""
    if table.empty:
        return [NO_COEFFICIENTS]
    starred = stars and "p" in table
    return text_table(*printed(table, stars=starred)) + ([STARS_LEGEND] if starred else [])


def criteria_cells(o: OverviewFacts, *, decimals: int) -> dict[str, str]:
    """The printed criteria, by name."""
    return {k: f"{v:d}" if isinstance(v, int) else f"{v:.{decimals}f}" for k, v in o.criteria.items()}


def correlation_lines(s: SummaryFacts) -> list[str]:
    """The lower triangle of the correlations of the fixed effects; a word where they are too many."""
    corr, p = s.correlation, len(s.correlation)
    if not s.correlation_shown:
        hidden = p > MAX_CORRELATION and s.correlation_asked is None
        return [f"{_CORRELATION} not shown ({p} coefficients): summary(correlation=True)"] if hidden else []
    rows, short = abbreviate(list(corr.index), 11), abbreviate(list(corr.index), 6)
    values = corr.to_numpy()
    cells = [[correlation_cell(values[i, j]) if j < i else "" for i in range(1, p)] for j in range(p - 1)]
    return [
        f"{_CORRELATION}:",
        *wrapped_columns(rows[1:], list(zip(short, cells, strict=False))),
    ]


def correlation_cell(value: float) -> str:
    """A correlation of the fixed effects; nothing where the data cannot tell it."""
    return without_minus_zero(f"{value:.3f}") if np.isfinite(value) else ""


_CORRELATION = "Correlation of fixed effects"


def _criteria_lines(o: OverviewFacts, *, decimals: int) -> list[str]:
    cells = criteria_cells(o, decimals=decimals)
    if CRITERION in cells:
        return [f"{CRITERION} at convergence: {cells[CRITERION]}"]
    return text_table(list(cells), [list(cells.values())], "r" * len(cells))


def _row_name(component: Component, row: int) -> str:
    names = component.names
    return f"{names[0]} ... {names[-1]}" if component.shared else names[row]


def _width(component: Component) -> int:
    """Columns of correlations."""
    if component.structure == "unstructured":
        return len(component.names) - 1
    return int(component.rho is not None)


def _correlations(component: Component, row: int, width: int) -> list[str]:
    """Those with the effects before; of a structure with one, that and its name in the first row."""
    if component.structure == "unstructured":
        shown = [_two_digits(r) for r in component.correlation[row, :row]]
    elif component.rho is not None and row == 0:
        shown = [
            f"{_two_digits(component.rho)} ({component.structure.removeprefix('hom').removeprefix('het')})"
        ]
    else:
        shown = []
    return shown + [""] * (width - len(shown))


def _two_digits(r: float) -> str:
    return without_minus_zero(f"{r:.2f}") if np.isfinite(r) else "NaN"


def _indented(table: tuple[list[str], list[list[str]], str]) -> list[str]:
    return [f" {line}" for line in text_table(*table)]
