"""Sources that are read in chunks: the same model from each, read again and again, and what is refused."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest
from pyarrow import csv
from pyarrow import parquet as arrow

import interlace
from interlace.design import chunked, files
from interlace.errors import DataError, ModelError

FORMULA = "y ~ x * f + (x | g) + (1 | h)"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    n = 1100
    found = pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "f": rng.choice(["red", "green", "it's blue"], n),
            "g": rng.integers(0, 30, n),
            "h": rng.choice(list("abcdefgh"), n),
            "unused": rng.normal(size=n),
        }
    )
    found["y"] = 5 + found["x"] + rng.normal(size=30)[found["g"]] * found["x"] + rng.normal(size=n)
    found.loc[rng.choice(n, 30), "x"] = np.nan
    found.loc[rng.choice(n, 10), "f"] = None
    return found


def _files(data: pd.DataFrame, folder: Path, kind: str) -> str:
    folder = folder / kind
    folder.mkdir(exist_ok=True)
    for i, part in enumerate(np.array_split(np.arange(len(data)), 3)):
        some = data.iloc[part]
        if kind == "parquet":
            some.to_parquet(folder / f"{i}.parquet", index=False)
        else:
            name = {"csv": "csv", "zipped": "csv.gz", "tabs": "tsv"}[kind]
            some.to_csv(folder / f"{i}.{name}", index=False, sep="\t" if kind == "tabs" else ",")
    return f"{folder}/*.{'parquet' if kind == 'parquet' else name}"


def _reader(table: pyarrow.Table) -> Callable[[], Any]:
    return lambda: pyarrow.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=170))


SOURCES: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "parquet": lambda data, folder: _files(data, folder, "parquet"),
    "csv": lambda data, folder: _files(data, folder, "csv"),
    "zipped csv": lambda data, folder: _files(data, folder, "zipped"),
    "tabs": lambda data, folder: _files(data, folder, "tabs"),
    "reader": lambda data, folder: _reader(pyarrow.Table.from_pandas(data)),
    "stream": lambda data, folder: lambda: polars.from_pandas(data),
    "relation": lambda data, folder: duckdb.from_df(data),
    "lazy": lambda data, folder: polars.from_pandas(data).lazy(),
}


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("rows", [256, 700, 5000])
def test_the_same_model_from_each(kind: str, rows: int, data: pd.DataFrame, tmp_path: Path) -> None:
    whole = interlace.lmer(FORMULA, data)
    m = interlace.lmer(FORMULA, interlace.chunks(SOURCES[kind](data, tmp_path), rows=rows))
    assert m.loglik == pytest.approx(whole.loglik, rel=1e-12)
    np.testing.assert_allclose(m.fixef, whole.fixef, rtol=1e-9)
    np.testing.assert_allclose(m.coef_table()["df"], whole.coef_table()["df"], rtol=1e-6)
    np.testing.assert_allclose(m.fitted, whole.fitted, rtol=1e-8)
    assert (m.fit.rows.n, m.fit.rows.n_read) == (whole.fit.rows.n, len(data))
    assert "unused" not in m.fit.rows.columns


def _query(data: pd.DataFrame, folder: Path) -> tuple[Any, str]:
    connection = duckdb.connect()
    connection.register("found", data)
    return connection, "select * from found"


SOURCES_OF_MODELS = {kind: SOURCES[kind] for kind in ("parquet", "csv", "lazy", "reader")} | {
    "paths": lambda data, folder: sorted(Path(_files(data, folder, "parquet")).parent.glob("*.parquet")),
    "query": _query,
}


@pytest.mark.parametrize("kind", SOURCES_OF_MODELS)
def test_given_to_lmer_itself(kind: str, data: pd.DataFrame, tmp_path: Path) -> None:
    source = SOURCES_OF_MODELS[kind](data, tmp_path)
    assert interlace.lmer(FORMULA, source).loglik == pytest.approx(interlace.lmer(FORMULA, data).loglik)


def test_a_query_and_weights(data: pd.DataFrame) -> None:
    connection = duckdb.connect()
    connection.register("found", data.assign(w=1.0 + data["g"] % 3))
    rows = interlace.chunks(connection, query="select * from found where g < 20 and x is not null", rows=300)
    some = data[(data["g"] < 20) & data["x"].notna()]
    expected = interlace.lmer("y ~ x + (1 | g)", some.assign(w=1.0 + some["g"] % 3), weights="w")
    assert interlace.lmer("y ~ x + (1 | g)", rows, weights="w").loglik == pytest.approx(expected.loglik)


def test_partitions_of_dask(data: pd.DataFrame) -> None:
    frame = pytest.importorskip("dask.dataframe").from_pandas(data, npartitions=4)
    whole = interlace.lmer(FORMULA, data)
    for source in (frame, interlace.chunks(frame, rows=256)):
        m = interlace.lmer(FORMULA, source)
        assert m.loglik == pytest.approx(whole.loglik, rel=1e-12)
        np.testing.assert_allclose(m.fitted, whole.fitted, rtol=1e-8)


def test_a_partition_of_dask_with_values_of_another_kind(data: pd.DataFrame) -> None:
    dd = pytest.importorskip("dask.dataframe")
    for changed in (data["x"].astype(str), data["x"] > 0):
        parts = [data, data.assign(x=changed)]
        frame = dd.from_map(lambda part: part, parts, meta=data.iloc[:0])
        with pytest.raises(DataError, match=r"partition 1 of .*: column 'x' has (text|logical)"):
            interlace.lmer("y ~ x + (1 | g)", frame)


def test_names_with_quotes(data: pd.DataFrame) -> None:
    relation = duckdb.from_df(data.rename(columns={"x": 'a "b"'}))
    m = interlace.lmer('y ~ Q("a \\"b\\"") + (1 | g)', interlace.chunks(relation))
    assert m.loglik == pytest.approx(interlace.lmer("y ~ x + (1 | g)", data).loglik)


def test_files_of_several_types_have_the_widest(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    g, y = np.repeat(np.arange(20), 20), rng.normal(size=400)
    whole, half = np.arange(200) % 7, rng.normal(size=200)
    arrow.write_table(pyarrow.table({"y": y[:200], "x": whole, "g": g[:200]}), tmp_path / "0.parquet")
    arrow.write_table(pyarrow.table({"y": y[200:], "x": half, "g": g[200:]}), tmp_path / "1.parquet")
    m = interlace.lmer("y ~ x + (1 | g)", tmp_path)
    expected = interlace.lmer("y ~ x + (1 | g)", {"y": y, "x": np.concatenate([whole, half]), "g": g})
    assert m.loglik == pytest.approx(expected.loglik)


def test_a_file_that_differs_is_named(tmp_path: Path) -> None:
    y, g = np.random.default_rng(1).normal(size=40), np.arange(40) % 5
    arrow.write_table(pyarrow.table({"y": y, "g": g}), tmp_path / "0.parquet")
    arrow.write_table(pyarrow.table({"y": ["a"] * 40, "g": g}), tmp_path / "1.parquet")
    with pytest.raises(DataError, match=r"the file '.*1\.parquet' cannot be read.*"):
        interlace.lmer("y ~ 1 + (1 | g)", tmp_path)
    arrow.write_table(pyarrow.table({"y": y}), tmp_path / "1.parquet")
    with pytest.raises(DataError, match=r"^the file '.*1\.parquet' has no column 'g', which other"):
        interlace.lmer("y ~ 1 + (1 | g)", tmp_path)
    (tmp_path / "1.parquet").write_text("no Parquet file")
    with pytest.raises(DataError, match=r"1\.parquet"):
        interlace.lmer("y ~ 1 + (1 | g)", tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y": np.inf}, r"row 7 of the file '.*1\.{kind}': 'y' is inf at row 207"),
        ({"x": -np.inf}, r"row 7 of the file '.*1\.{kind}': 'x' is -inf at row 207"),
        ({"w": 0.0}, r"row 7 of the file '.*1\.{kind}': weights 'w' must be positive and finite; row 207"),
    ],
)
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_bad_value_names_its_file(
    change: dict[str, float], words: str, kind: str, data: pd.DataFrame, tmp_path: Path
) -> None:
    bad = data.reset_index(drop=True).assign(w=1.0)
    for name, value in change.items():
        bad.loc[207, name] = value
    for i in range(2):
        part = bad.iloc[200 * i : 200 * i + 200]
        part.to_parquet(tmp_path / f"{i}.parquet", index=False)
        part.to_csv(tmp_path / f"{i}.csv", index=False)
    with pytest.raises(DataError, match=words.replace("{kind}", kind)):
        interlace.lmer("y ~ x + (1 | g)", f"{tmp_path}/*.{kind}", weights="w")


def test_a_value_of_another_kind_in_a_csv_file(tmp_path: Path) -> None:
    lines = ["y,g", *(f"{i % 7},{i % 5}" for i in range(40))]
    (tmp_path / "0.csv").write_text("\n".join(lines))
    (tmp_path / "1.csv").write_text("\n".join([*lines, "many,3"]))
    with pytest.raises(DataError, match=r"the file '.*1\.csv' cannot be read"):
        interlace.lmer("y ~ 1 + (1 | g)", f"{tmp_path}/*.csv")


def test_an_empty_file_among_others(tmp_path: Path, data: pd.DataFrame) -> None:
    data.to_parquet(tmp_path / "0.parquet", index=False)
    data.iloc[:0].to_parquet(tmp_path / "1.parquet", index=False)
    m = interlace.lmer("y ~ x + (1 | g)", tmp_path)
    assert m.loglik == pytest.approx(interlace.lmer("y ~ x + (1 | g)", data).loglik)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda data: _reader(pyarrow.Table.from_pandas(data))(), "can be read once.*give the function"),
        (lambda data: lambda: 3, "must return a pyarrow.RecordBatchReader.*not 3"),
        (lambda data: data, "chunks of an object of type DataFrame are not known"),
        (lambda data: 3, "chunks of an object of type int are not known"),
        (lambda data: "nowhere.csv", "there is no Parquet or CSV file 'nowhere.csv'"),
    ],
)
def test_what_is_no_source(make: Callable[[pd.DataFrame], Any], words: str, data: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=words):
        interlace.lmer("y ~ x + (1 | g)", interlace.chunks(make(data)))


def test_a_function_that_gives_the_same_reader_twice(data: pd.DataFrame) -> None:
    """The second time there are no rows left in it."""
    reader = _reader(pyarrow.Table.from_pandas(data))()
    with pytest.raises(DataError, match="have 0 rows without missing values, where there were"):
        interlace.lmer(FORMULA, interlace.chunks(lambda: reader))


def test_queries_that_fail(data: pd.DataFrame) -> None:
    connection = duckdb.connect()
    for query, words in [
        ("selec 1", "DuckDB refuses the query"), (3, "SQL as text")
    ]:  # fmt: skip
        with pytest.raises(DataError, match=words):
            interlace.chunks(connection, query=query)  # type: ignore[arg-type]
    with pytest.raises(
        DataError, match="asked of a connection of DuckDB, not of an object of type DataFrame"
    ):
        interlace.chunks(data, query="select 1")
    connection.register("found", data)
    bad = interlace.chunks(connection, query="select y, cast(f as double) as x, g from found")
    with pytest.raises(DataError, match="the rows of the DuckDB relation cannot be read"):
        interlace.lmer("y ~ x + (1 | g)", bad)
    lazy = polars.from_pandas(data).lazy().with_columns(x=polars.col("f").cast(polars.Float64))
    with pytest.raises(DataError, match="the rows of the polars LazyFrame cannot be read"):
        interlace.lmer("y ~ x + (1 | g)", lazy)


def test_files_of_two_kinds(tmp_path: Path, data: pd.DataFrame) -> None:
    data.to_parquet(tmp_path / "0.parquet")
    csv.write_csv(pyarrow.Table.from_pandas(data), tmp_path / "1.csv")
    with pytest.raises(DataError, match=r"of several kinds \(CSV, Parquet\)"):
        interlace.chunks([tmp_path / "0.parquet", tmp_path / "1.csv"])
    with pytest.raises(DataError, match=r"of several kinds \(CSV, Parquet\)"):
        interlace.lmer(FORMULA, tmp_path)


def test_a_folder_is_of_the_kind_of_its_files(tmp_path: Path, data: pd.DataFrame) -> None:
    (tmp_path / "year=2020").mkdir()
    (tmp_path / "_about.txt").write_text("files whose names begin so are not read")
    for start, name in ((0, "0.csv"), (600, "year=2020/1.csv")):
        data.iloc[start : start + 600].to_csv(tmp_path / name, index=False)
    m = interlace.lmer("y ~ x + (1 | h)", str(tmp_path))
    whole = interlace.lmer("y ~ x + (1 | h)", data)
    assert m.nobs == whole.nobs > 600
    np.testing.assert_allclose(m.fixef, whole.fixef, rtol=1e-9)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nowhere", "neither a folder nor a path that ends in .parquet"),
        ("book.xlsx", "read other files yourself"),
        ("nowhere/part.csv", "there is no Parquet or CSV file"),
        ("empty", "the folder '.*empty' holds no files"),
    ],
)
def test_paths_where_nothing_is(tmp_path: Path, path: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=words):
        interlace.lmer(FORMULA, tmp_path / path)


@pytest.mark.parametrize("kind", ["reader", "relation", "lazy"])
def test_a_pickled_model_leaves_its_rows(kind: str, data: pd.DataFrame, tmp_path: Path) -> None:
    m = interlace.lmer(FORMULA, interlace.chunks(SOURCES[kind](data, tmp_path)))
    again = pickle.loads(pickle.dumps(m))
    assert again.coef_table().equals(m.coef_table())
    with pytest.raises(DataError, match="stayed in the process that fitted the model"):
        _ = again.fitted


@pytest.mark.parametrize("kind", ["csv", "relation", "lazy", "reader"])
def test_how_all_rows_are_had_is_said(kind: str, data: pd.DataFrame, tmp_path: Path) -> None:
    source = interlace.chunks(SOURCES[kind](data, tmp_path))
    m = interlace.lmer(FORMULA, source)
    with pytest.raises(ModelError, match=rf"fit their table: {source.table.split('(')[0]}\("):
        m.augment()


def test_pyarrow_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunked, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"needs pyarrow: pip install 'interlace\[parquet\]'"):
        interlace.chunks("anything")


def test_a_filtered_dataset_has_the_rows_that_are_left(data: pd.DataFrame, tmp_path: Path) -> None:
    from pyarrow import dataset

    _files(data, tmp_path, "parquet")
    some = dataset.dataset(tmp_path / "parquet").filter(dataset.field("g") < 20)
    m, whole = (interlace.lmer(FORMULA, d) for d in (interlace.parquet(some), data[data["g"] < 20]))
    assert m.nobs == whole.nobs
    np.testing.assert_allclose(m.fixef, whole.fixef, rtol=1e-11)
    np.testing.assert_allclose(m.fitted, whole.fitted, rtol=1e-9)


def test_files_that_cannot_be_listed_are_not_taken_for_filtered() -> None:
    class Broken:
        def get_fragments(self) -> Any:
            raise pyarrow.ArrowInvalid("no such footer")

    with pytest.raises(pyarrow.ArrowInvalid, match="no such footer"):
        files._fragments(Broken())
