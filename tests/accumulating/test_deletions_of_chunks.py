"""Groups that leave a model whose rows are read in chunks: the numbers of the table in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import ModelError

from .passes import away, cut


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(21)
    n = 420
    found = pd.DataFrame({"g": rng.integers(0, 15, n), "h": rng.integers(0, 6, n), "x": rng.normal(size=n)})
    found["school"] = np.array(["s2", "s10", "s1", "s3"])[found["g"] % 4]
    found["a"] = rng.choice(["no", "yes"], n)
    found["w"], found["o"] = rng.uniform(0.5, 2, n), rng.normal(5, 3, n)
    effects = rng.normal(size=(15, 2))[found["g"]]
    found["y"] = rng.normal(size=6)[found["h"]]
    found["y"] += 10 + found["x"] + effects[:, 0] + effects[:, 1] * found["x"] + rng.normal(size=n)
    found.loc[[3, 400], "x"] = np.nan
    return found


@pytest.fixture(scope="module")
def files(data: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("deletions")
    for i, part in enumerate(cut(data, 130)):
        part.to_parquet(folder / f"{i}.parquet", index=False)
    return interlace.chunks(folder, rows=256)


MODELS: list[tuple[str, dict[str, Any]]] = [
    ("y ~ x + a + (1 + x | g)", {"weights": "w"}),
    ("y ~ x + (1 | g) + (1 | h)", {"offset": "o", "reml": False}),
]


def numbers(table: Any) -> pd.DataFrame:
    found = table if isinstance(table, pd.DataFrame) else table.to_pandas()
    return found.select_dtypes("number")


@pytest.mark.parametrize(("formula", "options"), MODELS)
@pytest.mark.parametrize("method", ["fixed", "onestep", "refit"])
def test_levels_that_leave(
    formula: str, options: dict[str, Any], method: str, data: pd.DataFrame, files: Any
) -> None:
    whole, m = interlace.lmer(formula, data, **options), interlace.lmer(formula, files, **options)
    for level in ("g", "school"):
        found, expected = m.influence(level, method=method), whole.influence(level, method=method)
        assert list(found.index) == list(expected.index) and found.attrs == expected.attrs
        assert away(found, expected) < 1e-6
    one = {"delete": ["s1", "s3"], "method": method}
    assert away(m.influence("school", **one), whole.influence("school", **one)) < 1e-6


@pytest.mark.parametrize(("formula", "options"), MODELS)
def test_estimates_without_levels(
    formula: str, options: dict[str, Any], data: pd.DataFrame, files: Any
) -> None:
    whole, m = interlace.lmer(formula, data, **options), interlace.lmer(formula, files, **options)
    assert away(numbers(m.dfbetas("g")), numbers(whole.dfbetas("g"))) < 1e-7
    found, expected = m.case_delete("g", method="refit"), whole.case_delete("g", method="refit")
    assert away(found.fixef, expected.fixef) < 1e-6 and away(found.varcomp, expected.varcomp) < 1e-5
    pd.testing.assert_frame_equal(found.ranef["g"], expected.ranef["g"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("formula", "options"), MODELS)
def test_rows_that_leave(formula: str, options: dict[str, Any], data: pd.DataFrame, files: Any) -> None:
    whole, m = interlace.lmer(formula, data, **options), interlace.lmer(formula, files, **options)
    assert away(numbers(m.influence()), numbers(whole.influence())) < 1e-8
    assert away(numbers(m.dfbetas()), numbers(whole.dfbetas())) < 1e-8
    one = {"delete": [5, 300], "method": "refit"}
    assert away(numbers(m.influence(**one)), numbers(whole.influence(**one))) < 1e-6


@pytest.mark.parametrize(("formula", "options"), MODELS)
def test_groups_that_are_held_out(
    formula: str, options: dict[str, Any], data: pd.DataFrame, files: Any
) -> None:
    whole, m = interlace.lmer(formula, data, **options), interlace.lmer(formula, files, **options)
    for asked in ({"by": "g"}, {"by": "school"}, {"by": "g", "k": 3, "seed": 1}, {"k": 4, "seed": 2}):
        found, expected = m.cross_validate(**asked), whole.cross_validate(**asked)
        assert away(found.summary(), expected.summary()) < 1e-6
        assert away(numbers(found.table), numbers(expected.table)) < 1e-5
        assert list(found.table.index) == list(expected.table.index)
        assert away(found.predictions["predicted"], expected.predictions["predicted"].dropna()) < 1e-6
    small, part = (interlace.lmer("y ~ x + (1 | g)", one, **options) for one in (data, files))
    found, expected = interlace.compare_cv([m, part], "g"), interlace.compare_cv([whole, small], "g")
    assert away(numbers(found), numbers(expected)) < 1e-5


def test_a_group_that_has_most_of_the_rows(data: pd.DataFrame, tmp_path: Path) -> None:
    """What is left is added up, not taken away."""
    uneven = data.assign(part=np.where(data["g"] < 11, "most", "rest"))
    for i, some in enumerate(cut(uneven, 130)):
        some.to_parquet(tmp_path / f"{i}.parquet", index=False)
    m = interlace.lmer("y ~ x + (1 | g)", interlace.chunks(tmp_path, rows=256))
    expected = interlace.lmer("y ~ x + (1 | g)", uneven).cross_validate(by="part").summary()
    assert away(m.cross_validate(by="part").summary(), expected) < 1e-6


def test_folds_that_need_all_rows(files: Any) -> None:
    m = interlace.lmer("y ~ scale(x) + (1 | g)", files)
    with pytest.raises(ModelError, match=r"scale\(x\) learns from the rows that are left.*transforms='data'"):
        m.cross_validate(by="g")
    assert m.cross_validate(by="g", transforms="data").leaks == "scale(x)"
    with pytest.raises(ModelError, match="leave rows out that they do not predict"):
        m.cross_validate(k=[(np.arange(100), np.arange(100, 200))], transforms="data")
