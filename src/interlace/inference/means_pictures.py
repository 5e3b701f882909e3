"""Pictures of means: what is drawn is put together here, and drawn in `pictures`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from interlace.arrays import Array
from interlace.errors import DataError, shown
from interlace.frozen import dataclass
from interlace.inference.arrows import arrows
from interlace.inference.means_labels import RowLabels, short
from interlace.inference.means_list import MeansList
from interlace.inference.means_view import CONTRASTS, LINK, RESPONSE, TRENDS, View, way_back
from interlace.inference.pairwise import named_groups, pair_matrices
from interlace.inference.response_scale import NoWayBack, ResponseScale
from interlace.inference.specs import read_specs
from interlace.pictures.dots import Dots, dot_plot
from interlace.pictures.links import Link, Links, link_plot
from interlace.pictures.stack import Block, Stack
from interlace.pictures.traces import Trace, Traces, trace_plot
from interlace.tables.format import format_common, format_p
from interlace.tables.table import Table
from interlace.text import listed

KINDS = {CONTRASTS: "difference", TRENDS: "slope"}
DIGITS = 4
SOME = 3  # pairs that are named


class Drawn(Protocol):
    """Means, as far as pictures need them."""

    @property
    def labels(self) -> RowLabels:
        """What stands beside the rows."""
        ...

    @property
    def kind(self) -> str:
        """Means, contrasts or trends."""
        ...

    @property
    def level(self) -> float:
        """Of confidence."""
        ...

    @property
    def scale(self) -> ResponseScale | NoWayBack | None:
        """How the response was transformed."""
        ...

    @property
    def view(self) -> View:
        """The scale of tables."""
        ...

    @property
    def estimate(self) -> Array:
        """(m,)."""
        ...

    def confint(
        self, level: float | None = None, *, adjust: str | None = None, type: str | None = None
    ) -> Table:
        """Intervals."""
        ...

    def pairs(self, *, adjust: str | None = None) -> Any:
        """All differences within groups."""
        ...


# ---- dots ----


def dots(means: Drawn, comparisons: bool, alpha: float, adjust: str | None, ax: Any) -> Any:
    """A dot with its interval for each row; with comparison arrows if they are wanted."""
    table = means.confint()
    words, ends = [f"{100 * means.level:g}% intervals"], None
    if comparisons:
        left, right, wrong = _arrow_ends(means, alpha, adjust)
        ends = (left, right)
        words.append(f"means whose facing arrows do not meet differ at {alpha:g}")
        if wrong:
            more = f", and {len(wrong) - SOME} more" if len(wrong) > SOME else ""
            words.append(f"but for {'; '.join(wrong[:SOME])}{more}")
    stack = Stack(
        labels=_row_names(means.labels),
        blocks=[Block(name, rows) for name, rows in named_groups(means.labels)],
        x=_what(means),
        y=", ".join(means.labels.own),
        words="; ".join(words),
    )
    estimate, lower, upper = (table[name].to_numpy() for name in ("estimate", "lower", "upper"))
    return dot_plot(Dots(stack, estimate, lower, upper, ends), ax)


def _arrow_ends(means: Drawn, alpha: float, adjust: str | None) -> tuple[Array, Array, list[str]]:
    """Where arrows end on the scale of the picture, and the pairs that they are wrong for."""
    table = means.pairs(adjust=adjust).confint(1 - alpha, type=LINK)
    halves = (table["upper"] - table["lower"]).to_numpy() / 2
    left, right = (np.full(len(means.estimate), np.nan) for _ in range(2))
    wrong, names = [], _row_names(means.labels)
    for _, rows, half in pair_matrices(means.labels, halves):
        found = arrows(means.estimate[rows], half)
        left[rows] = means.estimate[rows] - found.left
        right[rows] = means.estimate[rows] + found.right
        wrong += [f"{names[rows[i]]} and {names[rows[j]]}" for i, j in found.misleading]
    if means.view.type == RESPONSE and means.scale is not None:
        inverse = way_back(means.scale).inverse
        left, right = (np.where(np.isnan(end), np.nan, inverse(np.nan_to_num(end))) for end in (left, right))
    return left, right, wrong


def _row_names(labels: RowLabels) -> list[str]:
    columns = [labels.columns[name] for name in labels.own]
    return [", ".join(short(values[i]) for values in columns) for i in range(len(labels))]


def _what(means: Drawn) -> str:
    what = KINDS.get(means.kind, "estimated marginal mean")
    if means.scale is None:
        return what
    if means.view.type != RESPONSE:
        return f"{what}, {means.scale.name} scale"
    return way_back(means.scale).ratios.rstrip("s") if means.kind == CONTRASTS else what


# ---- p-values ----


def p_value_plot(means: Drawn, alpha: float, adjust: str | None, ax: Any) -> Any:
    """The p-values of all differences."""
    tests, table = means.pairs(adjust=adjust).test(), means.confint()
    shows = _rounded(table["estimate"].to_numpy(), table["se"].to_numpy())
    links, blocks = [], []
    for name, rows, p in pair_matrices(means.labels, tests["p"].to_numpy()):
        blocks.append(Block(name, rows[np.argsort(-means.estimate[rows], kind="stable")]))
        pairs = [(i, j) for i in range(len(rows)) for j in range(i) if np.isfinite(p[i, j])]
        links += [Link(int(rows[i]), int(rows[j]), float(p[i, j])) for i, j in pairs]
    names = [f"{name}  [{value}]" for name, value in zip(_row_names(means.labels), shows, strict=True)]
    stack = Stack(
        labels=names,
        blocks=blocks,
        x="p-value of the difference of the means that a line links",
        y=", ".join(means.labels.own),
        words="; ".join(_adjustment(tests)),
    )
    return link_plot(Links(stack, links, alpha), ax)


def _rounded(values: Array, se: Array) -> list[str]:
    """Numbers with as many decimals as their standard errors make sense of."""
    known = se[np.isfinite(se) & (se > 0)]
    decimals = max(0, 1 - int(np.floor(np.log10(np.median(known))))) if known.size else DIGITS
    return [f"{value:.{decimals}f}" if decimals < 8 else f"{value:.{DIGITS}g}" for value in values]


def _known(values: np.ndarray) -> np.ndarray:
    """Without the digits that are rounding error: these would say which way a tie is rounded."""
    return np.array([float(f"{value:.13g}") for value in values])


def p_value_matrix(means: Drawn, adjust: str | None) -> Table | MeansList[Table]:
    """P-values above the diagonal, means on it, differences below; a table for each group."""
    contrasts, table = means.pairs(adjust=adjust), means.confint()
    tests = contrasts.test()
    difference = contrasts.confint()["estimate"].to_numpy()
    names, found = _row_names(means.labels), {}
    pieces = zip(
        pair_matrices(means.labels, tests["p"].to_numpy()),
        pair_matrices(means.labels, difference),
        strict=True,
    )
    for (name, rows, p), (_, _, d) in pieces:
        shows = format_common(_known(table["estimate"].to_numpy()[rows]), DIGITS)
        cells = np.array([[f"[{one}]" for one in shows]] * len(rows), dtype=object).reshape(
            len(rows), len(rows)
        )
        place = np.arange(len(rows))
        upper, lower = place[:, None] < place, place[:, None] > place
        cells[upper] = format_p(p[upper], DIGITS - 1)
        cells[lower] = format_common(_known(d[lower]), DIGITS)
        mine = [names[row] for row in rows]
        note = [*_adjustment(tests), f"means on the diagonal, p-values above it, {_below(means)} below it"]
        found[name] = Table.of(dict(zip(mine, cells.T, strict=True)), mine, note=note)
    return next(iter(found.values())) if len(found) == 1 else MeansList(found)


def _below(means: Drawn) -> str:
    if means.scale is not None and means.view.type == RESPONSE:
        return f"{way_back(means.scale).ratios} (column over row)"
    return "differences (column less row)"


def _adjustment(tests: Table) -> list[str]:
    return [note for note in tests.note.split("; ") if "adjustment" in note]


# ---- traces ----


@dataclass(frozen=True, slots=True)
class Roles:
    """Which columns make traces, places along x, and panels."""

    traces: tuple[str, ...]
    x: tuple[str, ...]
    panels: tuple[str, ...]

    @property
    def every(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.traces, *self.x, *self.panels)


def read_roles(formula: Any, known: Sequence[str]) -> Roles:
    """The columns that text such as "A ~ x | B" means: traces of A along x, a panel for each B.

    Raises
    ------
    DataError
        It is not understood, or names what is not known, or names something twice.

    Examples
    --------
    >>> read_roles("A ~ x | B", ["A", "B", "x"])
    Roles(traces=('A',), x=('x',), panels=('B',))
    """
    if not isinstance(formula, str) or formula.count("~") > 1:
        raise DataError(
            f"an interaction plot is asked for by text such as 'A ~ x | B', not by {shown(formula)}"
        )
    left, _, right = formula.rpartition("~")
    along = read_specs(right, None, known)
    traces = read_specs(left, None, known).names if left.strip() not in ("", "1") else ()
    if not along.names:
        raise DataError(f"{shown(formula)} names nothing to go along: write as in 'A ~ x | B'")
    found = Roles(traces, along.names, along.by)
    twice = [name for name in found.every if found.every.count(name) > 1]
    if twice:
        raise DataError(f"{shown(formula)} names '{twice[0]}' twice")
    return found


def default_roles(labels: RowLabels) -> Roles:
    """The first column goes along x, the others make traces; groups make panels."""
    return Roles(labels.own[1:], labels.own[:1], labels.by)


def roles_of(labels: RowLabels, formula: Any) -> Roles:
    """The roles of the columns of means.

    Raises
    ------
    DataError
        Not every column has one.
    """
    if formula is None:
        return default_roles(labels)
    roles = read_roles(formula, list(labels.columns))
    left = [name for name in labels.columns if name not in roles.every]
    if left:
        raise DataError(
            f"{shown(formula)} has no place for {listed(left)}, which these means are at as well: name it, "
            "or ask for means without it"
        )
    return roles


def interaction_plot(means: Drawn, roles: Roles, intervals: bool, ax: Any) -> Any:
    """The means along a variable, a line for each trace."""
    table, labels = means.confint(), means.labels
    if not intervals:
        table = table.assign(lower=table["estimate"], upper=table["estimate"])
    x, levels = _along(labels, roles.x)
    trace, panel = _joined(labels, roles.traces), _joined(labels, roles.panels, named=True)
    every = list(dict.fromkeys(trace))
    found = []
    for title in dict.fromkeys(panel):
        lines = []
        for place, label in enumerate(every):
            rows = [i for i in range(len(labels)) if panel[i] == title and trace[i] == label]
            rows.sort(key=lambda i: x[i])
            numbers = {name: table[name].to_numpy()[rows] for name in ("estimate", "lower", "upper")}
            if rows:
                lines.append(Trace(label, place, x[rows], **numbers))
        found.append((title, lines))
    drawn = Traces(
        panels=found,
        n=len(every),
        levels=levels,
        x=", ".join(roles.x),
        y=_what(means),
        legend=", ".join(roles.traces),
        words=f"{100 * means.level:g}% intervals" if intervals else "",
    )
    return trace_plot(drawn, ax)


def _along(labels: RowLabels, names: Sequence[str]) -> tuple[Array, list[str] | None]:
    """Values of a covariate; or places of levels with their names."""
    values = labels.columns[names[0]]
    if len(names) == 1 and all(isinstance(v, float) and not isinstance(v, bool) for v in values):
        return np.array(values, dtype=np.float64), None
    texts = _joined(labels, names)
    levels = list(dict.fromkeys(texts))
    return np.array([float(levels.index(one)) for one in texts]), levels


def _joined(labels: RowLabels, names: Sequence[str], *, named: bool = False) -> list[str]:
    prefix = {name: f"{name} = " if named else "" for name in names}
    return [
        ", ".join(f"{prefix[name]}{short(labels.columns[name][i])}" for name in names)
        for i in range(len(labels))
    ]
