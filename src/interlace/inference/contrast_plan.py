"""From labelled means to the contrasts that are wanted of them: coefficients and labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.errors import DataError, shown
from interlace.frozen import dataclass
from interlace.inference.contrast_methods import Contrasts, Options, contrasts_of
from interlace.inference.means_labels import CONTRAST, RowLabels, in_parentheses, text
from interlace.text import did_you_mean, listed

PAIRWISE = "pairwise"


@dataclass(frozen=True, slots=True)
class Plan:
    """Contrasts of m rows.

    Attributes
    ----------
    labels : RowLabels
    C : ndarray, (c, m)
    adjust : str
        The adjustment by default.
    family : str
        "pairwise" if the rows of every group are all differences of two means; "" if not.
    """

    labels: RowLabels
    C: Array
    adjust: str
    family: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a user says of contrasts beside their method."""

    ref: Any = None
    reverse: bool = False
    exclude: Any = None
    include: Any = None
    wts: Any = None


def plan_contrasts(labels: RowLabels, method: Any, wanted: Wanted) -> Plan:
    """The contrasts of a method within each group.

    Raises
    ------
    DataError
        The method is not known, or a mean that is named is not there.
    """
    blocks = []
    for values, rows in labels.groups():
        used = _used(labels, rows, wanted)
        found = _of_rows(labels, used, method, wanted)
        C = np.zeros((len(found.labels), len(labels)))
        C[:, used] = found.C
        blocks.append((values, found, C))
    columns: dict[str, tuple[Any, ...]] = {
        CONTRAST: tuple(label for _, found, _ in blocks for label in found.labels)
    }
    for j, name in enumerate(labels.by):
        columns[name] = tuple(values[j] for values, found, _ in blocks for _ in found.labels)
    C = np.vstack([C for *_, C in blocks])
    _refuse_nothing(C)
    first = blocks[0][1]
    family = PAIRWISE if all(found.pairwise for _, found, _ in blocks) else ""
    return Plan(RowLabels(columns, labels.by), C, first.adjust, family)


def plan_interaction(labels: RowLabels, methods: Sequence[Any], wanted: Wanted) -> Plan:
    """Contrasts of contrasts: a method for each factor, multiplied.

    Raises
    ------
    DataError
        The number of methods is not that of the factors, or combinations of levels are missing.
    """
    own = labels.own
    if len(methods) == 1:
        methods = [methods[0]] * len(own)
    if len(methods) != len(own):
        raise DataError(
            f"interaction needs one method for each of the {len(own)} factors ({', '.join(own)}), "
            f"not {len(methods)}"
        )
    columns: dict[str, list[Any]] = {}
    blocks = []
    for values, rows in labels.groups():
        part = labels.take(rows)
        each = [_of_factor(part, name, m, wanted) for name, m in zip(own, methods, strict=True)]
        C = np.zeros((prod(len(found.labels) for found in each), len(labels)))
        C[:, rows] = _product(part, each)
        blocks.append(C)
        names = [f"{name}_{_said(m)}" for name, m in zip(own, methods, strict=True)]
        sizes = [len(found.labels) for found in each]
        places = np.unravel_index(np.arange(len(C)), sizes, order="F")
        for name, found, place in zip(names, each, places, strict=True):
            columns.setdefault(name, []).extend(found.labels[i] for i in place)
        for name, value in zip(labels.by, values, strict=True):
            columns.setdefault(name, []).extend([value] * len(C))
    C = np.vstack(blocks)
    _refuse_nothing(C)
    return Plan(RowLabels({n: tuple(v) for n, v in columns.items()}, labels.by), C, "none", "")


def regrouped(labels: RowLabels, by: Any) -> RowLabels:
    """The rows in the groups of `by`: a name, names, or none of them for one group.

    Raises
    ------
    DataError
        A column is not there.
    """
    names = [by] if isinstance(by, str) else list(by or ())
    for name in names:
        if name not in labels.columns:
            near = did_you_mean(str(name), labels.columns)
            raise DataError(
                f"by names '{name}', which is no column of these means{f' ({near})' if near else ''}; "
                f"they have "
                f"{listed(list(labels.columns))}"
            )
    if set(names) == set(labels.columns):
        raise DataError(f"by names all columns ({', '.join(names)}), so that nothing is left to compare")
    return labels.grouped(names)


def simple_groups(labels: RowLabels, simple: Any) -> list[tuple[str, RowLabels]]:
    """For each set of factors the groups in which these alone differ; "each" is every factor by itself.

    Raises
    ------
    DataError
        A factor is not there.
    """
    if isinstance(simple, str) and simple == "each":
        sets: list[list[str]] = [[name] for name in labels.own]
    elif isinstance(simple, str):
        sets = [[simple]]
    else:
        sets = [list(simple)]
    found = []
    for names in sets:
        for name in names:
            if name not in labels.columns:
                near = did_you_mean(str(name), labels.columns)
                raise DataError(
                    f"simple names '{name}', which is no factor of these means{f' ({near})' if near else ''}"
                    f"; "
                    f"they have {listed(list(labels.columns))}, or say 'each'"
                )
        by = [name for name in labels.columns if name not in names]
        found.append((" * ".join(names), labels.grouped(by)))
    return found


# ---- steps ----


def _of_rows(labels: RowLabels, rows: np.ndarray, method: Any, wanted: Wanted) -> Contrasts:
    own = labels.own
    levels = list(labels.columns[own[0]]) if len(own) == 1 else []
    given = [levels[i] for i in rows] if levels else labels.plain(rows)
    places = () if wanted.ref is None else tuple(_places("ref", wanted.ref, labels, rows))
    return contrasts_of(method, labels.named(rows), Options(places, wanted.reverse, wanted.wts), given)


def _of_factor(labels: RowLabels, name: str, method: Any, wanted: Wanted) -> Contrasts:
    levels = labels.levels(name)
    return contrasts_of(
        method, [in_parentheses(text(v)) for v in levels], Options((), wanted.reverse, wanted.wts), levels
    )


def _product(labels: RowLabels, each: Sequence[Contrasts]) -> Array:
    """Products of a contrast of each factor over the rows of a group, those of the first varying fastest."""
    own = labels.own
    levels = [labels.levels(name) for name in own]
    place = {key: i for i, key in enumerate(zip(*(labels.columns[name] for name in own), strict=True))}
    sizes = [len(v) for v in levels]
    if len(place) != prod(sizes):
        raise DataError(
            f"interaction contrasts need all {prod(sizes)} combinations of {' and '.join(own)}, and there "
            f"are "
            f"{len(place)}"
        )
    C: Array = np.ones((1, 1))
    for found in each:
        C = np.kron(found.C, C)
    order = np.unravel_index(np.arange(prod(sizes)), sizes, order="F")
    keys = zip(*([levels[j][i] for i in place_j] for j, place_j in enumerate(order)), strict=True)
    out = np.zeros((len(C), len(labels)))
    out[:, [place[key] for key in keys]] = C
    return out


def _said(method: Any) -> str:
    return (
        method.replace("_", ".")
        if isinstance(method, str) and method != "mean_chg"
        else (method if isinstance(method, str) else "custom")
    )


def _used(labels: RowLabels, rows: np.ndarray, wanted: Wanted) -> np.ndarray:
    """The rows of a group that take part."""
    if wanted.include is not None and wanted.exclude is not None:
        raise DataError("give include or exclude, not both")
    if wanted.include is not None:
        return rows[sorted(_places("include", wanted.include, labels, rows))]
    if wanted.exclude is not None:
        gone = set(_places("exclude", wanted.exclude, labels, rows))
        return rows[[i for i in range(len(rows)) if i not in gone]]
    return rows


def _places(option: str, given: Any, labels: RowLabels, rows: np.ndarray) -> list[int]:
    """Places of means in a group that are named by level, by label, or by number from 0."""
    many = [given] if isinstance(given, str | int | float) or not isinstance(given, Iterable) else list(given)
    named, plain = labels.named(rows), labels.plain(rows)
    found = []
    for one in many:
        value = one.item() if isinstance(one, np.generic) else one
        said = text(value)
        if isinstance(value, int) and not isinstance(value, bool):
            if not -len(rows) <= value < len(rows):
                raise DataError(f"{option} {value} is out of range: there are {len(rows)} means, from 0")
            found.append(value % len(rows))
        elif said in plain:
            found.append(plain.index(said))
        elif said in named:
            found.append(named.index(said))
        else:
            near = did_you_mean(said, plain)
            raise DataError(
                f"{option} {shown(one)} is none of the means{f' ({near})' if near else ''}; they are "
                f"{listed(plain)}"
            )
    return list(dict.fromkeys(found))


def _refuse_nothing(C: Array) -> None:
    if not len(C):
        raise DataError("there is one mean only in each group, so that there is nothing to compare")
