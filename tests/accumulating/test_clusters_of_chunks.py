"""Robust covariances of rows in chunks: those of the table in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import DataError, ModelError
from interlace.precision import unbiased

from .passes import away, cut

FORMULA = "y ~ x * a + (1 + x | g)"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    n = 700
    found = pd.DataFrame({"g": rng.integers(0, 20, n), "x": rng.normal(size=n)})
    found["school"] = np.array([f"s{i}" for i in rng.integers(0, 6, 20)])[found["g"]]
    found["year"] = rng.integers(2000, 2006, n)
    found["a"] = rng.choice(["no", "yes"], n)
    found["w"] = rng.uniform(0.5, 2, n)
    effects = rng.normal(size=(20, 2))[found["g"]]
    found["y"] = 100 + found["x"] + effects[:, 0] + effects[:, 1] * found["x"] + rng.normal(size=n)
    found.loc[[3, 400], "x"] = np.nan
    return found


def written(data: pd.DataFrame, folder: Path) -> Any:
    for i, part in enumerate(cut(data, 200)):
        part.to_parquet(folder / f"{i}.parquet", index=False)
    return interlace.chunks(folder, rows=256)


@pytest.fixture(scope="module")
def files(data: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return written(data, tmp_path_factory.mktemp("scattered"))


@pytest.mark.parametrize("kind", ["CR0", "CR1S", "CR2", "CR3"])
@pytest.mark.parametrize("options", [{}, {"weights": "w"}])
def test_each_kind(kind: str, options: dict[str, Any], data: pd.DataFrame, files: Any) -> None:
    whole, m = interlace.lmer(FORMULA, data, **options), interlace.lmer(FORMULA, files, **options)
    used = data["school"].to_numpy()[data["x"].notna()]
    for cluster in (None, "school", data["school"].to_numpy(), used):
        found = m.coef_table(vcov=kind, cluster=cluster)
        assert away(found, whole.coef_table(vcov=kind, cluster=cluster)) < 1e-8
    expected = whole.anova(vcov=kind, cluster="school")
    assert away(m.anova(vcov=kind, cluster="school"), expected) < 1e-7


def test_clusters_in_several_ways(data: pd.DataFrame, files: Any) -> None:
    whole, m = interlace.lmer(FORMULA, data), interlace.lmer(FORMULA, files)
    expected = whole.coef_table(vcov="CR1", cluster=["g", "year"])
    assert away(m.coef_table(vcov="CR1", cluster=["g", "year"]), expected) < 1e-8


def test_sorted_rows_wait_no_longer_than_their_level(data: pd.DataFrame, tmp_path: Path) -> None:
    ordered = data.sort_values("g", kind="stable")
    m = interlace.lmer(FORMULA, written(ordered, tmp_path))
    assert away(m.coef_table(vcov="CR2"), interlace.lmer(FORMULA, ordered).coef_table(vcov="CR2")) < 1e-8


def test_rows_that_lie_apart_and_have_no_room(files: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    m = interlace.lmer(FORMULA, files)

    def none(needed: float, what: str) -> None:
        raise ModelError(what.format("8 GB"))

    monkeypatch.setattr(unbiased, "check_room", none)
    with pytest.raises(ModelError, match=r"the rows of 'g' lie apart in the data.*sort the data by 'g'"):
        m.vcov("CR2")


def test_clusters_that_are_not_there(files: Any) -> None:
    m = interlace.lmer(FORMULA, files)
    with pytest.raises(DataError, match=r"cluster 'shool' is no column of the data; .*school"):
        m.vcov("CR1", cluster="shool")
    with pytest.raises(DataError, match="cluster is missing in"):
        m.vcov("CR1", cluster=np.r_[np.nan, np.arange(699.0)])
