"""Models beside each other by predictions of the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from interlace.design.rows import kept_of, per_row
from interlace.errors import DataError
from interlace.estimation.fit import Fit
from interlace.refitting.cross_validation import CrossValidation, validate
from interlace.refitting.folds import make_folds
from interlace.tables.table import Table


def compare_cv(fits: Mapping[str, Fit], *, by: Any, k: Any, repeats: int, seed: Any, **options: Any) -> Table:
    """A row for each score and model; see `interlace.compare_cv`.

    Raises
    ------
    DataError
        Fewer than two models, or models of different rows or responses.
    """
    if len(fits) < 2:
        raise DataError(f"a comparison needs two models or more, not {len(fits)}")
    first = next(iter(fits.values()))
    for name, fit in fits.items():
        _check_rows(next(iter(fits)), first, name, fit)
    folds = make_folds(first, by=by, k=k, repeats=repeats, seed=seed)
    found = {name: validate(fit, folds, **options) for name, fit in fits.items()}
    return _table(found)


def _table(found: Mapping[str, CrossValidation]) -> Table:
    names = list(found)
    base, rows, labels, models = found[names[0]], [], [], []
    for score in base.values:
        for name, cv in found.items():
            value = cv.values[score]
            difference = value - base.values[score]
            apart = (np.nan, np.nan) if cv is base else (difference.estimate, difference.se)
            rows.append((value.estimate, value.se, *apart))
            labels.append(score)
            models.append(name)
    numbers = np.array(rows)
    columns: dict[str, Any] = {"model": models}
    columns |= dict(zip(("estimate", "se", "difference", "se_difference"), numbers.T, strict=True))
    leaks = dict.fromkeys(
        f"{name}: {cv.leaks} learnt from all rows" for name, cv in found.items() if cv.leaks
    )
    note = [f"differences from {names[0]}", base.units_words, *leaks]
    return Table.of(columns, labels, name="score", heading=f"Cross-validation: {base.folds.words}", note=note)


def _check_rows(one: str, first: Fit, other: str, fit: Fit) -> None:
    a, b = first.rows, fit.rows
    if a.n_read != b.n_read or a.n != b.n or not _same(kept_of(a), kept_of(b)):
        raise DataError(
            f"{one} and {other} were fitted to different rows ({a.n} and {b.n}): rows with missing "
            "values of any model must be left out of the data of all of them"
        )
    mine, theirs = (per_row(rows, lambda design: np.asarray(design.y)) for rows in (a, b))
    if not np.array_equal(mine, theirs):
        raise DataError(f"{one} and {other} have different responses: their errors cannot be compared")


def _same(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    return a is b or (a is not None and b is not None and np.array_equal(a, b))
