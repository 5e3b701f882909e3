"""Coefficients that only the rows of one level tell: without it they are NaN, whatever the sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace import lmer
from interlace.errors import ModelError
from interlace.refitting.deletion import Piece, products_without

pytestmark = pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")

FORMULAS = ["y ~ f + (1 | g)", "y ~ f + x + (1 | g)", "y ~ x * f + (1 | g)", "y ~ f + (x | g)"]


def made(seed: int) -> pd.DataFrame:
    """Only rows of "g0" have f = "c". The share of them is no dyadic fraction."""
    rng = np.random.default_rng(seed)
    groups, per = int(rng.integers(5, 12)), int(rng.integers(5, 9))
    g = np.repeat([f"g{i}" for i in range(groups)], per)
    n = len(g)
    f = np.where(g == "g0", np.resize(list("abc"), n), np.resize(list("ab"), n))
    x = rng.normal(size=n) * 10 ** rng.uniform(-1, 3) + rng.uniform(-100, 100)
    return pd.DataFrame(
        {"y": rng.normal(size=n) + np.repeat(rng.normal(size=groups), per), "f": f, "g": g, "x": x}
    )


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("seed", [1, 2, 7, 10, 13])
def test_deletions_are_fits_of_the_other_rows(formula: str, seed: int) -> None:
    data = made(seed)
    m, other = lmer(formula, data), lmer(formula, data[data["g"] != "g0"])
    refit = m.case_delete("g", delete="g0", method="refit").fixef.iloc[0]
    lost = [name for name in refit.index if "f[T.c]" in name]
    assert lost and refit[lost].isna().all()
    np.testing.assert_allclose(refit[other.fixef.index], other.fixef, rtol=1e-5, atol=1e-7)
    held = m.case_delete("g", delete="g0", method="fixed").fixef.iloc[0]
    assert held[lost].isna().all() and held[other.fixef.index].notna().all()
    change = (m.fixef[other.fixef.index] - other.fixef).to_numpy()
    C = m.vcov().loc[other.fixef.index, other.fixef.index].to_numpy()
    cook = m.influence("g", method="refit").loc["g0", "cooksd"]
    expected = change @ np.linalg.solve(C, change) / len(change)
    np.testing.assert_allclose(cook, expected, rtol=1e-4, atol=1e-8)


def test_rows_in_files_say_the_same(tmp_path: Path) -> None:
    data = made(7)
    data.to_parquet(tmp_path / "rows.parquet")
    formula = "y ~ x * f + (1 | g)"
    whole = lmer(formula, data)
    read = lmer(formula, interlace.parquet(tmp_path / "rows.parquet", rows=13))
    ours, theirs = (m.case_delete("g", method="refit").fixef for m in (read, whole))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)
    assert np.isnan(ours.loc["g0", "f[T.c]"])


def test_held_out_levels_that_tell_a_coefficient_cannot_be_predicted() -> None:
    """R's rank of the other rows decides, as in a fit of them."""
    for seed in (1, 2, 7, 10, 13):
        data = made(seed)
        with pytest.raises(ModelError, match=r"f\[T\.c\]"):
            lmer("y ~ f + (1 | g)", data).cross_validate("g", k=data["g"].nunique())


def test_a_column_that_nearly_all_of_whose_spread_leaves_is_added_up_anew() -> None:
    """A difference of sums of squares would have four digits: x spreads so much further in one level."""
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(8), 10)
    x = rng.normal(size=80) * np.where(g == 0, 1e6, 1.0)
    data = pd.DataFrame({"g": g, "x": x, "y": 0.5 * x + rng.normal(size=80)})
    m, gone = lmer("y ~ x + (1 | g)", data), np.flatnonzero(g == 0)
    A, kept = products_without(m.fit.A, Piece.of(m.fit), gone)
    others = lmer("y ~ x + (1 | g)", data[g != 0])
    assert kept == (0, 1)
    np.testing.assert_allclose(A.products.xx, others.fit.A.products.xx, rtol=1e-10, atol=1e-9)
