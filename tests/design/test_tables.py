"""Tables as users bring them: streams, odd names of columns, labels of any type, numbers read as text."""

from __future__ import annotations

import enum
import uuid
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import interlace
from interlace.design.frame import Frame
from interlace.errors import DataError, FormulaError, InterlaceError

FORMULA = "Reaction ~ Days + (1 | Subject)"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    table = interlace.datasets.load("sleepstudy")
    return table.assign(Subject=table["Subject"].astype(str))


@pytest.fixture(scope="module")
def model(data: pd.DataFrame) -> interlace.LinearMixedModel:
    return interlace.lmer(FORMULA, data)


class Stream:
    """A table of a library that nobody knows: all it has is an Arrow stream."""

    def __init__(self, data: pd.DataFrame) -> None:
        self.table = pa.Table.from_pandas(data)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.table.__arrow_c_stream__(requested_schema)


def duckdb_relation(data: pd.DataFrame) -> Any:
    connection = duckdb.connect()
    connection.register("data", data)
    return connection.sql("select * from data")


@pytest.mark.parametrize(
    "make",
    [
        Stream,
        duckdb_relation,
        lambda d: pa.Table.from_pandas(d).to_reader(),
        lambda d: pa.Table.from_pandas(d).to_batches()[0],
    ],
    ids=["a stream", "DuckDB", "a reader, once", "a batch"],
)
def test_arrow_streams_are_tables(make: Any, data: pd.DataFrame, model: interlace.LinearMixedModel) -> None:
    m = interlace.lmer(FORMULA, make(data))
    assert m.loglik == model.loglik
    np.testing.assert_array_equal(m.predict(make(data)), model.predict(data))
    assert isinstance(m.residuals(), np.ndarray) and isinstance(m.simulate(2, seed=1), pa.Table)


@pytest.mark.parametrize(
    "make",
    [lambda t: t, lambda t: t.to_batches()[0], lambda t: t.to_reader()],
    ids=["a table", "a batch", "a reader, once"],
)
def test_columns_of_arrow_with_one_name(
    make: Any, data: pd.DataFrame, model: interlace.LinearMixedModel
) -> None:
    columns = [pa.array(data[name]) for name in ("Reaction", "Days", "Subject", "Days")]

    def twice() -> Any:
        return make(pa.table(columns, names=["Reaction", "Days", "Subject", "Days"]))

    for call in (
        lambda: interlace.lmer(FORMULA, twice()),
        lambda: model.predict(twice()),
        lambda: interlace.Accumulator(FORMULA, ["Reaction", "Days", "Subject"]).update(twice()),
    ):
        with pytest.raises(DataError, match="2 columns named 'Days'; rename all but one"):
            call()


@pytest.mark.parametrize(
    "make",
    [lambda t: t, lambda t: t.to_batches()[0], lambda t: t.to_reader()],
    ids=["a table", "a batch", "a reader, once"],
)
def test_columns_of_arrow_with_one_name_matter_only_if_used(
    make: Any, data: pd.DataFrame, model: interlace.LinearMixedModel
) -> None:
    columns = [pa.array(data[name]) for name in ("Days", "Reaction", "Days", "Days", "Subject")]

    def table() -> Any:
        return make(pa.table(columns, names=["z", "Reaction", "z", "Days", "Subject"]))

    m = interlace.lmer(FORMULA, table())
    assert m.loglik == model.loglik
    np.testing.assert_array_equal(m.predict(table()), model.predict(data))
    assert m.augment().column_names[:3] == ["Reaction", "Days", "Subject"]
    assert "levels of 180 rows" in repr(interlace.Accumulator(FORMULA, data).update(table()))
    with pytest.raises(DataError, match="2 columns named 'z'; rename all but one"):
        interlace.lmer("Reaction ~ z + (1 | Subject)", table())
    with pytest.raises(DataError, match="column 'x' of the responses"):
        m.refit(pa.table([columns[1], columns[4]], names=["Reaction", "x"]))


def test_columns_of_duckdb_with_one_name(data: pd.DataFrame, model: interlace.LinearMixedModel) -> None:
    connection = duckdb.connect()
    connection.register("data", data)
    relation = connection.sql("select *, 1 as z, 2 as z from data")
    assert interlace.lmer(FORMULA, relation).loglik == model.loglik
    np.testing.assert_array_equal(model.predict(relation), model.predict(data))


def test_a_parquet_file_that_pyarrow_does_not_read_for_its_names(data: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "twice.parquet"
    pq.write_table(pa.table([pa.array(data["Days"])] * 2, names=["x", "x"]), path)
    with pytest.raises(DataError, match="several columns have one name; rename all but one"):
        interlace.lmer(FORMULA, path)


def test_lazy_tables_say_how_their_rows_are_had(data: pd.DataFrame) -> None:
    lazy = pl.from_pandas(data).lazy()
    m = interlace.lmer(FORMULA, lazy)  # read in chunks
    with pytest.raises(DataError, match=r"a lazy table of polars, without rows yet: get them by collect\(\)"):
        m.predict(lazy)
    for nothing in (pl.Series([1.0]), pa.chunked_array([[1.0]])):
        with pytest.raises(DataError, match="the data are of type"):
            interlace.lmer(FORMULA, nothing)


def test_columns_of_several_levels(data: pd.DataFrame, model: interlace.LinearMixedModel) -> None:
    table = data.copy()
    table.columns = pd.MultiIndex.from_tuples([("Reaction", "ms"), ("Days", "d"), ("Subject", "id")])
    with pytest.raises(DataError, match="have 2 levels") as caught:
        interlace.lmer(FORMULA, table)
    advised = {"data": table}
    exec(str(caught.value).partition("by one text: ")[2], advised)
    m = interlace.lmer("Reaction_ms ~ Days_d + (1 | Subject_id)", advised["data"])
    assert m.loglik == model.loglik


def test_names_that_are_no_text(data: pd.DataFrame, model: interlace.LinearMixedModel) -> None:
    table = data.set_axis([0, 2020, "Subject"], axis=1)
    for kind in (table, dict(table.items())):
        m = interlace.lmer("`0` ~ `2020` + (1 | Subject)", kind)
        assert m.loglik == model.loglik and list(m.fixef.index) == ["Intercept", "2020"]
    with pytest.raises(FormulaError, match="have the columns 0, 2020, Subject"):
        interlace.lmer(FORMULA, table)
    with pytest.raises(DataError, match="2 columns named '1'"):
        Frame.read(pd.DataFrame([[1, 2]], columns=[1, "1"]))


def test_a_group_in_the_index(data: pd.DataFrame) -> None:
    words = r"'Subject' is in the index of the data: data.reset_index\(\) makes it a column"
    for table in (data.set_index("Subject"), data.set_index(["Subject", "Days"])):
        with pytest.raises(InterlaceError, match=words):
            interlace.lmer("Reaction ~ 1 + (1 | Subject)", table)
    with pytest.raises(InterlaceError, match="'w' is in the index"):
        table = data.assign(w=1.0).set_index("w")
        interlace.lmer(FORMULA, table, weights="w")


Colour = enum.Enum("Colour", ["red", "blue", "green"])


@pytest.mark.parametrize(
    "label",
    [
        lambda s: ("site", int(s)),
        lambda s: uuid.uuid5(uuid.NAMESPACE_DNS, s),
        lambda s: frozenset([s]),
        lambda s: s.encode(),
        lambda s: pd.Period(year=int(s), freq="Y"),
        lambda s: pd.Interval(int(s), int(s) + 1),
    ],
    ids=["tuple", "UUID", "set", "bytes", "period", "interval"],
)
def test_labels_of_any_type(label: Any, data: pd.DataFrame, model: interlace.LinearMixedModel) -> None:
    labels = [label(s) for s in data["Subject"]]
    m = interlace.lmer(FORMULA, data.assign(Subject=pd.Series(labels, dtype=object)))
    assert m.loglik == pytest.approx(model.loglik, rel=1e-10) and m.ngroups == {"Subject": 18}
    new = {"Days": [0.0, 9.0], "Subject": [label("308"), label("372")]}
    old = {"Days": [0.0, 9.0], "Subject": ["308", "372"]}
    np.testing.assert_allclose(m.predict(new), model.predict(old), rtol=1e-8)
    text = "308" if isinstance(label("308"), bytes) else str(label("308"))
    assert text in m.ranef()["Subject"].index
    assert "Traceback" not in str(m.ranef(condvar=True)) + str(m.summary())


def test_missing_labels_are_missing(data: pd.DataFrame) -> None:
    labels: list[Any] = [(s,) for s in data["Subject"]]
    labels[3] = None
    assert interlace.lmer(FORMULA, data.assign(Subject=pd.Series(labels, dtype=object))).nobs == 179


def test_labels_in_order_of_their_values() -> None:
    read = Frame.read({"t": [(10,), (9,), (10,)], "e": list(Colour)}).columns
    assert read["t"].levels.tolist() == ["(9,)", "(10,)"] and read["t"].codes.tolist() == [1, 0, 1]
    assert read["e"].levels.tolist() == ["Colour.blue", "Colour.green", "Colour.red"]
    categories = pd.Categorical([(1, 2), (3, 4)])
    assert Frame.read({"c": categories}).columns["c"].levels.tolist() == ["(1, 2)", "(3, 4)"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([object(), object()], "holds objects of type object"),
        ([[1], [2]], "has 2 dimensions"),
        (pd.Series([[1], [2]]), "holds objects of type list"),
        ([([],), ([],)], "holds objects of type tuple"),
        ([1, "two"], r"types int, str \(such as 'two'\).*to_numeric\(data\['a'\]"),
        ([1j, 2j], "complex"),
        ([b"\xff", b"a"], "bytes that are no UTF-8"),
        (["\ud800", "a"], r"half a character \('\\ud800'\)"),
        (["1", "2.5", "n/a"], r"numbers as text, and 'n/a' among them: leave that cell empty.*to_numeric"),
        (["1", ""], "numbers as text, and '' among them"),
        (np.array(["1", "NA"]), "numbers as text, and 'NA' among them"),
        (pl.Series(["1", "."]), "numbers as text, and '.' among them"),
        (pd.Series(["1", "nan"], dtype="string"), "numbers as text, and 'nan' among them"),
    ],
)
def test_what_is_neither_numbers_nor_labels(values: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Frame.read({"a": values})


def test_text_with_a_gap_that_is_no_column_of_numbers() -> None:
    for values in (["a", "NA"], ["1", "2"], ["n/a", "n/a"], pd.Categorical(["1", "NA"]), ["1", "none"]):
        assert Frame.read({"a": values}).missing == {}


def test_text_for_a_response_says_how_it_becomes_numbers(data: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"such as '194\.3322'\); make it numbers.*to_numeric"):
        interlace.lmer(FORMULA, data.astype({"Reaction": str}))


def test_numbers_in_another_byte_order(data: pd.DataFrame, model: interlace.LinearMixedModel) -> None:
    table = {
        "Reaction": data["Reaction"].to_numpy().astype(">f8"),
        "Days": data["Days"].to_numpy().astype(">i2"),
        "Subject": (data["Subject"].astype(int) * 10_000).to_numpy().astype(">i8"),
    }
    assert interlace.lmer(FORMULA, table).loglik == model.loglik


def test_series_of_a_mapping_are_of_the_same_rows(
    data: pd.DataFrame, model: interlace.LinearMixedModel
) -> None:
    table = {name: data[name] for name in data}
    assert interlace.lmer(FORMULA, table).loglik == model.loglik
    shuffled = {**table, "Days": data["Days"][::-1]}
    with pytest.raises(DataError, match="'Reaction' and 'Days' are Series with different indexes"):
        interlace.lmer(FORMULA, shuffled)
    assert interlace.lmer(FORMULA, pd.DataFrame(shuffled)).loglik == model.loglik
    elsewhere = {**table, "unused": data["Days"][::-1]}
    assert interlace.lmer(FORMULA, elsewhere).loglik == model.loglik
