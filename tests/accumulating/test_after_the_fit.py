"""What a model answers whose rows are read in chunks, or are not here: the table of docs/clusters.md."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

import interlace
from interlace.errors import DataError, InterlaceError, InterlaceWarning, ModelError
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
    """All numbers of an answer, whatever holds them, one after the other."""
    if isinstance(answer, pd.DataFrame):
        return answer.select_dtypes("number").to_numpy(dtype=float).ravel()
    if isinstance(answer, Mapping):
        return np.concatenate([_numbers(one) for one in answer.values()] or [np.zeros(0)])
    if isinstance(answer, list | tuple):
        return np.concatenate([_numbers(one) for one in answer] or [np.zeros(0)])
    for part in ("frame", "table", "draws", "fixef", "random", "statistic"):
        if hasattr(answer, part):
            return _numbers(getattr(answer, part))
    found = np.asarray(answer)
    return found.astype(float).ravel() if found.dtype.kind in "biuf" else np.zeros(0)


def same_numbers(answer: Any, expected: Any) -> None:
    """To 1e-10. An end of an interval at 1e131 is the exponential of a number that agrees."""
    found, whole = _numbers(answer), _numbers(expected)
    there = np.isfinite(whole) & (np.abs(whole) < 1e100)
    assert len(found) == len(whole) and np.array_equal(np.isfinite(found), np.isfinite(whole))
    assert not there.any() or away(found[there], whole[there]) < 1e-10


REST = [
    "condvar", "convergence", "df_resid", 'emmip("a")', "equation()", "fit.n_parameters", "formula",
    "model_matrix()", "model_matrix(new)", "ngroups", "nobs", 'permutation_test("x:a", 9, seed=1)',
    "random_effects", "reml", "reml_criterion", 'report(folder / "page.html")',
    'rotate_ranef("g", effect="x")',
    'save(folder / "model.interlace")', "without_rows()", 'influence("a", method="refit")', "influence()",
    'dfbetas("a")', 'bootstrap(3, kind="case", seed=1)', 'bootstrap(3, kind="wild", seed=1)',
    'confint(method="bootstrap", n=9, seed=1)', 'vcov("CR3")', 'coef_table(vcov="CR1", cluster="a")',
    'anova(ddf="kenward-roger", type=2)', 'drop1(ddf="kenward-roger")', "cross_validate(k=5, seed=1)",
    'cross_validate("g", k=4, seed=1)', "refit(np.column_stack([y, y + x]))",
    'emmeans("a", at={"x": [0, 1]})', 'emmeans("a", cov_reduce=np.median)', 'residuals("pearson")',
    'predict(interval="prediction")',
]  # fmt: skip


OTHER_DRAWS = "products", 'confint(method="bootstrap", n=9, seed=1)'  # of the same law


@pytest.mark.slow
@pytest.mark.parametrize("call", REST)
@pytest.mark.parametrize("kind", ["products", "reads"])
def test_every_other_public_method(
    call: str, kind: str, models: dict[str, Any], data: pd.DataFrame, tmp_path: Path
) -> None:
    """The answer of the table, or an error of our own that says what to do."""
    y = data["y"].to_numpy()
    names = {"new": data.iloc[:5], "y": y[::-1], "x": np.arange(600.0), "np": np, "folder": tmp_path}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterlaceWarning)
        try:
            answer = asked(call, models[kind], names)
        except InterlaceError as error:
            assert re.search(
                r"fit their table|accumulator.fit\(rows=|are not here|not nested|take ", str(error)
            )
        else:
            if (kind, call) != OTHER_DRAWS:
                same_numbers(answer, asked(call, models["table"], names))


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
            if kind != "table" and "plot" not in call:
                same_numbers(answer, asked(call, models["table"], names))
        for kind in kinds[: kinds.index(how)]:
            with pytest.raises((ModelError, DataError), match=r"rows|data of the model are not here"):
                asked(call, models[kind], names)


def test_the_table_of_the_page_has_nearly_all_methods() -> None:
    """Those that are not in it are about the model itself, or other words for what is there."""
    said = {call.split("(")[0].split(".")[0] for call, _ in ASKED}
    public = {name for name in dir(interlace.LinearMixedModel) if not name.startswith("_")} - set(
        vars(Aliases)
    )
    rest = {re.split(r"[(.]", call)[0] for call in REST}
    assert public == said | rest


@pytest.mark.parametrize("options", [{}, {"weights": "w"}])
def test_values_of_rows_chunk_by_chunk(options: dict[str, Any], data: pd.DataFrame, files: Any) -> None:
    whole, m = interlace.lmer(FORMULA, data, **options), interlace.lmer(FORMULA, files, **options)
    tables = list(m.stream(*WHAT))
    assert sum(table.num_rows for table in tables) == 598
    assert len(tables) >= 3 and all(table.num_rows <= 255 for table in tables)
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
