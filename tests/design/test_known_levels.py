"""Levels that earlier chunks have shown are not shown again, and means that were counted need no pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.design.frame import Frame
from interlace.design.joining import Known
from interlace.design.learning_rows import learn
from interlace.estimation.origin import Origin
from interlace.formula.parser import parse


def test_each_whole_number_is_new_once() -> None:
    known, rng = Known(), np.random.default_rng(1)
    seen: set[int] = set()
    for low, high in ((10, 20), (-5, 15), (0, 40), (-5, 40)):
        values = rng.integers(low, high, size=30)
        rows = known.new("g", values)
        assert rows is not None
        assert sorted(values[rows].tolist()) == sorted(set(values.tolist()) - seen)
        seen |= set(values.tolist())


def test_others_are_not_kept_in_tables() -> None:
    known = Known()
    assert known.new("g", np.array([0.5])) is None
    assert known.new("g", np.array([0, 2**40])) is None
    rows = known.new("g", np.array([3, 4]))
    assert rows is not None
    assert rows.tolist() == [0, 1]
    assert known.new("g", np.array([-(2**40), 4])) is None


@pytest.fixture
def files(tmp_path: Path) -> tuple[pd.DataFrame, str]:
    rng = np.random.default_rng(5)
    n = 3000
    data = pd.DataFrame({
        "y": 100 + rng.normal(size=n),
        "x": 50 + rng.normal(size=n),
        "f": rng.choice(["a", "b"], size=n),
        "g": np.sort(rng.integers(-50, 400, size=n)),  # new levels in every chunk
        "h": rng.integers(2, 30, size=n),
    })  # fmt: skip
    data.to_parquet(tmp_path / "rows.parquet")
    return data, str(tmp_path / "rows.parquet")


@pytest.mark.parametrize(
    "formula",
    ["y ~ x + (x | g)", "y ~ x + (1 | g) + (1 | h)", "y ~ f * x + (1 | g:h)", "y ~ 0 + x + (1 | g)"],
)
def test_models_of_chunks_are_those_of_the_table(files: tuple[pd.DataFrame, str], formula: str) -> None:
    data, path = files
    whole, chunks = interlace.lmer(formula, data), interlace.lmer(formula, interlace.parquet(path, rows=256))
    assert chunks.loglik == pytest.approx(whole.loglik, rel=1e-11)
    np.testing.assert_allclose(chunks.fixef, whole.fixef, rtol=1e-7)
    assert {name: one.index.tolist() for name, one in chunks.ranef().items()} == {
        name: one.index.tolist() for name, one in whole.ranef().items()
    }


def test_the_origin_is_the_mean_of_all_rows(files: tuple[pd.DataFrame, str]) -> None:
    data, path = files
    encoding, rows = learn(parse("y ~ x + (x | g)"), interlace.parquet(path, rows=256), context={})
    found, known = Origin.of(encoding, rows), Origin.of(*learn(parse("y ~ x + (x | g)"), data, context={}))
    assert rows.means.keys() == {"y", "x"}
    assert found.y == pytest.approx(known.y, rel=1e-14)
    np.testing.assert_allclose(found.x, known.x, rtol=1e-14)
    np.testing.assert_allclose(found.z[0], known.z[0], rtol=1e-14)


@pytest.mark.parametrize("pieces", [1, 2])
def test_numbers_of_arrow_lie_where_they_are(pieces: int) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    values = np.arange(6.0)
    given = pyarrow.chunked_array(np.split(values, pieces))
    table = pyarrow.table({"y": given, "x": [1.0, 2, 4, 3, 5, 7], "g": [0, 0, 1, 1, 1, 0]})
    found = Frame.read(table, ["y", "g"])
    np.testing.assert_array_equal(found.columns["y"], values)
    first = table.column("y").chunk(0).to_numpy(zero_copy_only=True)
    assert np.shares_memory(found.columns["y"], first) is (pieces == 1)
