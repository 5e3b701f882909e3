"""What a model answers whose rows are read in chunks, or are not here: the table of docs/clusters.md."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

import interlace
from interlace.errors import DataError, InterlaceWarning, ModelError
from interlace.model.aliases import Aliases
from interlace.prediction.streamed import WHAT

from .passes import away, cut, passed

FORMULA = "y ~ x * a + (1 + x | g)"
PAGE = Path(__file__).parent.parent.parent / "docs" / "clusters.md"
ROW = re.compile(r"^\| (`.*`.*) \| (products|reads|table) \|$", re.M)
ASKED = [
    (call, how) for calls, how in ROW.findall(PAGE.read_text()) for call in re.findall(r"`([^`]+)`", calls)
]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(12)
    n = 600
    found = pd.DataFrame({"g": rng.integers(0, 25, n), "x": rng.normal(size=n)})
    found["a"] = rng.choice(["no", "yes"], n)
    effects = rng.normal(size=(25, 2))[found["g"]]
    found["y"] = found["x"] + effects[:, 0] + effects[:, 1] * found["x"] + rng.normal(size=n)
    found["w"] = rng.uniform(0.5, 2, n)
    found.loc[[3, 400], "x"] = np.nan
    return found


@pytest.fixture(scope="module")
def files(data: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("after")
    for i, part in enumerate(cut(data, 200)):
        part.to_parquet(folder / f"{i}.parquet", index=False)
    return interlace.chunks(folder, rows=256)


@pytest.fixture(scope="module")
def models(data: pd.DataFrame, files: Any) -> dict[str, Any]:
    parts = cut(data, 150)
    return {
        "products": passed(interlace.Accumulator(FORMULA, data), parts).fit(),
        "reads": interlace.lmer(FORMULA, files),
        "table": interlace.lmer(FORMULA, data),
    }


def asked(call: str, m: Any, names: dict[str, Any]) -> Any:
    """The answer; what comes chunk by chunk is read to the end."""
    answer = eval(f"m.{call}", {**names, "m": m})
    return list(answer) if isinstance(answer, Iterator) else answer


def _numbers(answer: Any) -> np.ndarray:
    if isinstance(answer, pd.DataFrame):
        return answer.select_dtypes("number").to_numpy(dtype=float)
    return np.asarray(answer, dtype=float)


@pytest.mark.slow
@pytest.mark.parametrize(("call", "how"), ASKED)
def test_the_table_of_the_page(call: str, how: str, models: dict[str, Any], data: pd.DataFrame) -> None:
    kinds = list(models)
    names = {"new": data.iloc[:5], "y": data["y"].to_numpy()[::-1] + 2.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterlaceWarning)
        for kind in kinds[kinds.index(how) :]:
            answer = asked(call, models[kind], names)
            assert answer is not None
            if how != "table" and isinstance(answer, pd.Series | pd.DataFrame | float):
                whole = asked(call, models["table"], names)
                assert away(_numbers(answer), _numbers(whole)) < 1e-8
        for kind in kinds[: kinds.index(how)]:
            with pytest.raises((ModelError, DataError), match=r"rows|data of the model are not here"):
                asked(call, models[kind], names)


def test_the_table_of_the_page_has_nearly_all_methods() -> None:
    """Those that are not in it are about the model itself, or other words for what is there."""
    said = {call.split("(")[0].split(".")[0] for call, _ in ASKED}
    public = {name for name in dir(interlace.LinearMixedModel) if not name.startswith("_")} - set(
        vars(Aliases)
    )
    rest = {
        "condvar", "convergence", "df_resid", "emmip", "equation", "fit", "formula", "model_matrix",
        "ngroups", "nobs", "permutation_test", "random_effects", "reml", "reml_criterion", "report",
        "rotate_ranef", "save", "without_rows",
    }  # fmt: skip
    assert public - said == rest


@pytest.mark.parametrize("options", [{}, {"weights": "w"}])
def test_values_of_rows_chunk_by_chunk(options: dict[str, Any], data: pd.DataFrame, files: Any) -> None:
    whole, m = interlace.lmer(FORMULA, data, **options), interlace.lmer(FORMULA, files, **options)
    tables = list(m.stream(*WHAT))
    assert [table.num_rows for table in tables] == [255, 255, 88]
    found = {name: np.concatenate([np.asarray(table[name]) for table in tables]) for name in ("row", *WHAT)}
    assert found["row"].tolist() == [i for i in range(600) if i not in (3, 400)]
    assert away(found["fitted"], whole.fitted) < 1e-11
    assert away(found["leverage"], whole.leverage()["overall"]) < 1e-11
    for kind in WHAT[3:]:
        assert away(found[kind], whole.residuals(kind)) < 1e-10
        assert away(m.residuals(kind), whole.residuals(kind)) < 1e-10
    assert away(m.leverage("g"), whole.leverage("g")) < 1e-11
    assert away(found["marginal-fitted"], whole.predict(random="none").dropna()) < 1e-11


def test_into_a_file(data: pd.DataFrame, files: Any, tmp_path: Path) -> None:
    whole, m = interlace.lmer(FORMULA, data), interlace.lmer(FORMULA, files)
    path = tmp_path / "out.parquet"
    assert m.stream(to=path) == 598
    table = parquet.read_table(path)
    assert table.column_names == ["row", "fitted", "response"]
    assert away(table["response"], whole.residuals()) < 1e-11
    assert m.stream(data=files, to=path, se=True, interval="confidence") == 600
    table = parquet.read_table(path)
    assert table.column_names == ["row", "predicted", "se", "lower", "upper"]
    assert table["predicted"].null_count == 2
    expected = whole.predict(data, se=True, interval="confidence")
    assert away(table.to_pandas()[["predicted", "se", "lower", "upper"]], expected) < 1e-11


def test_a_file_that_is_not_finished_is_not_there(data: pd.DataFrame, files: Any, tmp_path: Path) -> None:
    m = interlace.lmer(FORMULA, files)
    new = data.assign(g=np.where(np.arange(600) < 500, data["g"], 99))
    new.to_parquet(tmp_path / "new.parquet")
    path = tmp_path / "out.parquet"
    with pytest.raises(DataError, match="has a level that the fit has not seen: '99'"):
        m.stream(data=interlace.chunks(tmp_path / "new.parquet", rows=256), to=path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["new.parquet"]
    with pytest.raises(DataError, match="cannot be written"):
        m.stream(to=tmp_path / "nowhere" / "out.parquet")
    with pytest.raises(DataError, match="to= is the path of a Parquet file"):
        m.stream(to=3)


@pytest.mark.parametrize(
    ("what", "options", "words"),
    [
        (("fited",), {}, "fited.*fitted"),
        (("marginal-cholesky",), {}, "marginal-cholesky"),
        ((), {"se": True}, "are of predictions: give data= with them"),
        (("fitted",), {"data": "x.parquet"}, "name nothing beside data="),
        ((), {"data": {"x": [1.0]}}, r"m.predict\(newdata\) takes tables"),
    ],
)
def test_what_cannot_be_streamed(what: Any, options: dict[str, Any], words: str, models: Any) -> None:
    with pytest.raises(DataError, match=words):
        models["reads"].stream(*what, **options)
