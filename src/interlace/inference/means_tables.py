"""Tables of means: intervals, tests, joint tests; and how they print, group by group."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import pandas as pd

from interlace.arrays import Array
from interlace.errors import DataError
from interlace.frozen import dataclass
from interlace.inference.families import GREATER, LESS, TWO_SIDED, Families
from interlace.inference.means_labels import RowLabels, short
from interlace.inference.means_source import Source
from interlace.inference.means_view import MEANS, RESPONSE, View, on_view
from interlace.inference.response_scale import NoWayBack, ResponseScale
from interlace.tables.cells import cells
from interlace.tables.format import LINE_WIDTH, text_table
from interlace.tables.markup import page, paragraphs, table_html
from interlace.tables.table import Table

MISLEADING = "results may be misleading"
CONFIDENCE, PREDICTION = "confidence", "prediction"
INTERVALS = (CONFIDENCE, PREDICTION)


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
    def kind(self) -> str:
        """Means, contrasts or trends."""
        ...

    @property
    def scale(self) -> ResponseScale | NoWayBack | None:
        """How the response was transformed."""
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
    adjust, cross_adjust : str
        How p-values are adjusted within groups, and over them.
    """

    null: float
    side: str
    delta: float
    adjust: str
    cross_adjust: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What intervals are wanted.

    Attributes
    ----------
    level : float
    adjust : str
    side : {"two-sided", ">", "<"}
    interval : {"confidence", "prediction"}
    """

    level: float
    adjust: str
    side: str = TWO_SIDED
    interval: str = CONFIDENCE


def intervals(means: Means, asked: Limits, view: View) -> Table:
    """The factors, then `estimate`, `se`, `df`, `lower`, `upper`.

    Raises
    ------
    DataError
        Prediction intervals of contrasts or slopes are wanted; the way back to the response is not known.
    """
    se, said = means.se, []
    if asked.interval == PREDICTION:
        if means.kind != MEANS:
            raise DataError(f"prediction intervals are those of means: there are none of {means.kind}")
        se = np.hypot(se, view.spread)
        said.append(f"prediction intervals by {view.words}")
    critical, notes = _families(means).critical(means.df, asked.adjust, asked.level, asked.side)
    half = critical * se
    columns = {
        **_columns(means.labels, len(means.df)),
        "estimate": means.estimate,
        "se": se,
        "df": means.df,
        "lower": means.estimate - (half if asked.side != LESS else np.inf),
        "upper": means.estimate + (half if asked.side != GREATER else np.inf),
    }
    columns, scale = on_view(means, view, columns)
    level = f"confidence level {asked.level:g}"
    return Table.of(columns, note=[*_notes(means), *scale, *said, level, *notes])


def tests(means: Means, asked: Hypotheses, view: View) -> Table:
    """The factors, then `estimate`, `se`, `df`, `t`, `p`."""
    distance, side = means.estimate - asked.null, asked.side
    if asked.delta:
        if side == TWO_SIDED:
            distance, side = np.abs(distance) - asked.delta, LESS
        else:
            distance = distance + (asked.delta if side == GREATER else -asked.delta)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        t = distance / means.se
    family = _families(means)
    p, notes = family.p_values(t, means.df, asked.adjust, side)
    p, across = family.across(p, asked.cross_adjust)
    columns = {
        **_columns(means.labels, len(t)),
        "estimate": means.estimate,
        "se": means.se,
        "df": means.df,
        "t": t,
        "p": p,
    }
    columns, scale = on_view(means, view, columns)
    if view.type == RESPONSE and scale and means.scale is not None:
        scale.append(f"tests are made on the {means.scale.name} scale")
    return Table.of(columns, note=[*_notes(means), *scale, *notes, *across, *_said_of(asked)])


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
        notes.append(means.source.untold)
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
        title = labels.title(values)
        sections.append((title, [[texts[name][i] for name in header] for i in rows]))
    return header, sections, align


def _as_text(name: str, column: Any, labels: RowLabels) -> Any:
    return [short(value) for value in column] if name in labels.columns else column.to_numpy()
