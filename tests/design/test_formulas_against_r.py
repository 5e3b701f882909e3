"""Random formulas have R's model matrices: `r_formulas.R` writes `r_formulas.json`."""

from __future__ import annotations

import json
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace.design.encoding import Encoding

OUTPUT: dict[str, Any] = json.loads((Path(__file__).parent / "r_formulas.json").read_text())


@cache
def table(which: str) -> pd.DataFrame:
    data = pd.DataFrame(OUTPUT[which])
    for name, levels in {"a": ["lo", "mid", "hi"], "b": ["t", "u", "v", "w"], "o": ["s", "m", "l"]}.items():
        data[name] = pd.Categorical(data[name], categories=levels, ordered=name == "o")
    data["y"] = np.cos(np.arange(1.0, len(data) + 1) ** 2)
    data["g"] = np.arange(len(data)) % 8
    return data


def sums(columns: np.ndarray) -> np.ndarray:
    """Of each column with three sets of weights, (3, k)."""
    rows = np.arange(1.0, len(columns) + 1)
    return np.sin(rows[:, None] * [1, 2, 3]).T @ columns


def assert_equal(ours: np.ndarray, theirs: Any) -> None:
    """Up to the order of columns: R puts the variables of an interaction in the order of the formula."""
    expected = np.array(theirs, dtype=float).reshape(ours.shape)
    ours, expected = (part[:, np.lexsort(np.round(part, 6))] for part in (ours, expected))
    scale = np.abs(expected).max(axis=0) + 1
    np.testing.assert_allclose(ours / scale, expected / scale, atol=1e-9)


def compare(case: dict[str, Any]) -> None:
    encoding, design = Encoding.learn(f"y ~ {case['formula']} + (1 | g)", table("data"))
    X, y = design.X, table("data")["y"].to_numpy()
    rank = np.linalg.matrix_rank(X)
    if not case["margins"]:  # R's columns span less than the formula says
        assert case["rank"] <= rank
        return
    assert rank == case["rank"]
    fitted = X @ np.linalg.lstsq(X, y, rcond=None)[0]
    assert_equal(sums(fitted[:, None]), case["fit"])
    if X.shape[1] == case["columns"]:
        assert_equal(sums(X), case["sums"])
        new = pickle.loads(pickle.dumps(encoding)).design(table("new"), random={}).X
        assert_equal(sums(new), case["new"])
    else:  # R has more columns than the rank where an interaction lacks its margins
        assert rank <= X.shape[1] < case["columns"]


@pytest.mark.parametrize("case", OUTPUT["formulas"][::8], ids=lambda c: c["formula"])
def test_matrices_of_some_formulas_equal_r(case: dict[str, Any]) -> None:
    compare(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", OUTPUT["formulas"], ids=lambda c: c["formula"])
def test_matrices_of_many_formulas_equal_r(case: dict[str, Any]) -> None:
    compare(case)
