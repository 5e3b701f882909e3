"""How answers of `interlace` are laid beside R's: names, orders and long vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from reference_data import array, load_data


def assert_close(actual: Any, expected: Any, *, rtol: float, atol: float | np.ndarray = 0.0) -> None:
    """Equal to `rtol` of the largest entry: entries near zero are sums of large ones."""
    actual, expected = np.asarray(actual, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    assert actual.shape == expected.shape
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
    largest = np.nanmax(np.abs(expected), initial=0.0)
    worst = np.abs(actual - expected) - np.maximum(rtol * largest, atol)
    assert np.all(np.isnan(worst) | (worst <= 0)), f"off by up to {np.nanmax(np.abs(actual - expected)):.3g}"


def assert_long_close(actual: Any, expected: dict[str, Any], *, rtol: float, atol: float = 0.0) -> None:
    """A vector against R's head, tail, sum, sum of squares and extremes of it."""
    x = np.asarray(actual, dtype=np.float64)
    assert x.size == expected["n"]
    assert_close(x[: len(expected["head"])], array(expected["head"]), rtol=rtol, atol=atol)
    assert_close(x[-len(expected["tail"]) :], array(expected["tail"]), rtol=rtol, atol=atol)
    scale = rtol * np.abs(x).sum() + x.size * atol
    np.testing.assert_allclose(x.sum(), expected["sum"], rtol=rtol, atol=scale)
    np.testing.assert_allclose(
        np.sum(x**2), expected["sumsq"], rtol=4 * rtol, atol=2 * atol * np.abs(x).sum()
    )
    assert_close([x.min(), x.max()], [expected["min"], expected["max"]], rtol=rtol, atol=atol)


def our_group(reference_group: str, ours: list[str]) -> str:
    """The name here of R's grouping factor: R reverses the factors of a/b ("cask:batch" for "batch:cask")."""
    wanted = set(reference_group.split(":"))
    return next(group for group in ours if set(group.split(":")) == wanted)


def reordered(labels: list[str], reference_group: str, group: str) -> list[str]:
    """R's labels of levels with their parts in the order of the name `group`."""
    parts = reference_group.split(":")
    if len(parts) == 1:
        return labels
    order = [parts.index(factor) for factor in group.split(":")]
    return [":".join(np.array(label.split(":"))[order]) for label in labels]


def rows_at_levels(table: pd.DataFrame, reference_group: str, labels: list[str]) -> pd.DataFrame:
    """The rows of a table of levels that belong to R's `labels`, in their order."""
    group = table.index.name
    return table.set_axis(table.index.astype(str)).loc[reordered(labels, reference_group, group)]


def new_rows(reference: dict[str, Any]) -> pd.DataFrame:
    """The new data of R's predictions, with columns of the types of the data of the fit."""
    data = load_data(reference["data"])
    rows = pd.DataFrame(reference["predict"]["newdata"]["rows"])
    for name in rows:
        if pd.api.types.is_numeric_dtype(data[name]):
            kind = np.float64 if pd.api.types.is_numeric_dtype(rows[name]) else np.int64
            rows[name] = rows[name].replace("NEWLEVEL", "-1").astype(kind)
    return rows
