"""Tables of means: intervals, tests, joint tests; and how they print, group by group."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from interlace.arrays import Array
from interlace.inference.families import GREATER, LESS, TWO_SIDED, Families
from interlace.inference.means_labels import RowLabels, text
from interlace.inference.means_source import Source
from interlace.tables.cells import cells
from interlace.tables.format import LINE_WIDTH, text_table
from interlace.tables.markup import page, paragraphs, table_html
from interlace.tables.table import Table

MISLEADING = "results may be misleading"


class Means(Protocol):
    """What tables are made of."""

    @property
    def source(self) -> Source:
        """Where the estimates come from."""
        ...

    @property
    def labels(self) -> RowLabels:
        """What stands beside the m rows."""
        ...

    @property
    def L(self) -> Array:
        """(m, P)."""
        ...

    @property
    def family(self) -> str:
        """Whether each group holds all differences of two means."""
        ...

    @property
    def said(self) -> tuple[str, ...]:
        """Notes."""
        ...

    @property
    def estimate(self) -> Array:
        """(m,)."""
        ...

    @property
    def se(self) -> Array:
        """(m,)."""
        ...

    @property
    def df(self) -> Array:
        """(m,)."""
        ...


@dataclass(frozen=True, slots=True)
class Hypotheses:
    """What each row is tested for.

    Attributes
    ----------
    null : float
    side : {"two-sided", ">", "<"}
    delta : float
        Above zero: the threshold of equivalence, non-inferiority or non-superiority.
    """

    null: float
    side: str
    delta: float


def intervals(means: Means, level: float, adjust: str) -> Table:
    """The factors, then `estimate`, `se`, `df`, `lower`, `upper`."""
    critical, notes = _families(means).critical(means.df, adjust, level)
    half = critical * means.se
    columns = {
        **_columns(means.labels, len(means.df)),
        "estimate": means.estimate,
        "se": means.se,
        "df": means.df,
        "lower": means.estimate - half,
        "upper": means.estimate + half,
    }
    return Table.of(columns, note=[*_notes(means), f"confidence level {level:g}", *notes])


def tests(means: Means, asked: Hypotheses, adjust: str) -> Table:
    """The factors, then `estimate`, `se`, `df`, `t`, `p`."""
    distance, side = means.estimate - asked.null, asked.side
    if asked.delta:
        if side == TWO_SIDED:
            distance, side = np.abs(distance) - asked.delta, LESS
        else:
            distance = distance + (asked.delta if side == GREATER else -asked.delta)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = distance / means.se
    p, notes = _families(means).p_values(t, means.df, adjust, side)
    columns = {
        **_columns(means.labels, len(t)),
        "estimate": means.estimate,
        "se": means.se,
        "df": means.df,
        "t": t,
        "p": p,
    }
    return Table.of(columns, note=[*_notes(means), *notes, *_said_of(asked)])


def joint_tests(means: Means, null: float) -> Table:
    """One row per group: its values, then `F`, `num_df`, `den_df`, `p`."""
    groups = means.labels.groups()
    found = [means.source.joint(means.L[rows], means.estimate[rows] - null) for _, rows in groups]
    columns: dict[str, Any] = {
        name: [values[j] for values, _ in groups] for j, name in enumerate(means.labels.by)
    }
    numbers = np.array(found).reshape(len(found), 4)
    columns |= dict(zip(("F", "num_df", "den_df", "p"), numbers.T, strict=True))
    said = [note for note in _notes(means) if not note.startswith(MISLEADING)]
    return Table.of(columns, note=[*said, *([f"null value {null:g}"] if null else [])])


def _families(means: Means) -> Families:
    return Families(means.source, means.labels, means.L, means.family)


def _columns(labels: RowLabels, m: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, values in labels.columns.items():
        column = np.empty(m, dtype=object)
        column[:] = values
        found[name] = pd.Series(column).infer_objects()
    return found


def _notes(means: Means) -> list[str]:
    """What goes with every table."""
    unknown = int(np.isnan(means.estimate).sum())
    method = f"degrees of freedom: {means.source.ddf.name}"
    notes = [*means.said, method, means.source.ddf.note]
    if unknown:
        notes.append(f"{unknown} of {len(means.df)} rows cannot be estimated from these data, and are NaN")
    return notes


def _said_of(asked: Hypotheses) -> list[str]:
    said = []
    if asked.null:
        said.append(f"null value {asked.null:g}")
    if asked.delta:
        kind = {TWO_SIDED: "equivalence", GREATER: "non-inferiority", LESS: "non-superiority"}[asked.side]
        said.append(f"tests of {kind} with a threshold of {asked.delta:g}")
    elif asked.side != TWO_SIDED:
        said.append(f"p-values are {'right' if asked.side == GREATER else 'left'}-tailed")
    return said


# ---- words ----


def lines(means: Means, table: Table) -> list[str]:
    """The lines of a table, a section for each group, with its notes below."""
    found: list[str] = []
    header, sections, align = _sections(means.labels, table)
    for title, rows in sections:
        found += [*([f"{title}:"] if title else []), *text_table(header, rows, align), ""]
    notes = str(table.attrs.get("note", ""))
    return [*found, *(line for note in notes.split("; ") for line in textwrap.wrap(note, LINE_WIDTH))]


def html(means: Means, table: Table) -> str:
    """The same for notebooks."""
    header, sections, align = _sections(means.labels, table)
    pieces = [table_html(title, header, rows, align) for title, rows in sections]
    return page(*pieces, paragraphs(str(table.attrs.get("note", "")).split("; ")))


def _sections(labels: RowLabels, table: Table) -> tuple[list[str], list[tuple[str, list[list[str]]]], str]:
    shown = pd.DataFrame({name: _as_text(name, column, labels) for name, column in table.items()})
    texts: Mapping[str, list[str]] = cells(shown)
    header = [name for name in texts if name not in labels.by]
    own = set(labels.columns)
    align = "".join("l" if name in own else "r" for name in header)
    sections = []
    for values, rows in labels.groups():
        title = ", ".join(f"{name} = {text(v)}" for name, v in zip(labels.by, values, strict=True))
        sections.append((title, [[texts[name][i] for name in header] for i in rows]))
    return header, sections, align


def _as_text(name: str, column: Any, labels: RowLabels) -> Any:
    return [_short(value) for value in column] if name in labels.columns else column.to_numpy()


def _short(value: Any) -> str:
    return f"{value:.7g}" if isinstance(value, float) else text(value)
