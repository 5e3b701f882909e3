"""What depends on the order of levels and what does not (r/level_order.R), as docs/inference.md says."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import RankDeficiencyWarning

R = json.loads((Path(__file__).parent / "r" / "level_order.json").read_text())


@pytest.mark.parametrize("order", R["orders"])
@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger"])
def test_a_joint_test_is_that_of_lmertest_in_every_order(order: str, ddf: str) -> None:
    data = pd.DataFrame(R["data"])
    data["f"] = pd.Categorical(data["f"], categories=list(order))
    row = interlace.lmer("y ~ f + (1 | g)", data).anova(ddf=ddf).loc["f"]
    expected = R["orders"][order][ddf]
    np.testing.assert_allclose(row[["num_df", "den_df", "F", "p"]].to_numpy(), expected, rtol=2e-6)


def test_only_satterthwaites_denominator_depends_on_it() -> None:
    for column, ddf, same in (
        (1, "satterthwaite", False),
        (1, "kenward-roger", True),
        (2, "satterthwaite", True),
    ):
        values = [case[ddf][column] for case in R["orders"].values()]
        assert np.allclose(values, values[0], rtol=1e-6) == same


def rows(formula: str, term: str, type: int) -> set[tuple[float, float]]:
    """F and its df of a term for all orders of the levels and two codings."""
    rng = np.random.default_rng(4)
    f, g = rng.choice(list("abcd"), 60), rng.integers(0, 8, 60)
    data = pd.DataFrame({"g": g, "h": rng.choice(list("uv"), 60), "z": rng.normal(size=60)})
    data["x"] = pd.Series(f).map({"a": 1.0, "b": 2.0, "c": 4.0, "d": 3.0})
    data["y"] = data["z"] + rng.normal(size=60) + rng.normal(size=8)[g] + (f == "b")
    found = set()
    for order in list(permutations("abcd"))[::5]:
        for coding in ("treatment", "sum"):
            data["f"] = pd.Categorical(f, categories=order)
            m = interlace.lmer(f"{formula} + (1 | g)", data, contrasts={"f": coding})
            row = m.anova(type=type).loc[term]
            found.add((round(float(row["F"]), 5), row["num_df"]))
    return found


@pytest.mark.filterwarnings(f"ignore::{RankDeficiencyWarning.__module__}.RankDeficiencyWarning")
@pytest.mark.parametrize("type", [2, 3])
@pytest.mark.parametrize(
    ("formula", "same", "other"),
    [("y ~ x + f", "f", "x"), ("y ~ x + f + z", "f", "x"), ("y ~ 0 + h + f", "f", "h")],
)
def test_rows_of_deficient_models(formula: str, same: str, other: str, type: int) -> None:
    assert len(rows(formula, same, type)) == 1
    assert len(rows(formula, other, type)) > 1


@pytest.mark.parametrize("type", [2, 3])
def test_rows_of_other_models(type: int) -> None:
    for formula in ("y ~ f + z", "y ~ f * h + z", "y ~ f * z"):
        for term in ("f", "z"):
            assert len(rows(formula, term, type)) == 1
