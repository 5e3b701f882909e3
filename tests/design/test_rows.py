"""Parquet files read in chunks: the same model as of the table in memory, whatever is learnt and asked."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
from pyarrow import dataset
from pyarrow import parquet as arrow

import interlace
from interlace.design import chunked as room
from interlace.design.encoding import Encoding
from interlace.design.frame import Frame
from interlace.design.joining import joined
from interlace.design.learning_rows import learn
from interlace.errors import DataError, FormulaError, InterlaceError, ModelError
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.origin import Origin

CUTS = (0, 500, 520, 1300)


@pytest.fixture(scope="module")
def table() -> pyarrow.Table:
    rng = np.random.default_rng(1)
    n = CUTS[-1]
    data = pd.DataFrame(
        {
            "x": rng.normal(3, 1, n),
            "z": rng.gamma(2, size=n),
            "f": rng.choice(list("abcde"), n),
            "h": rng.integers(0, 20, n).astype(str),
            "g": rng.integers(0, 60, n),
            "k": rng.integers(0, 25, n),
            "w": rng.uniform(0.5, 2, n),
            "o": rng.normal(size=n),
            "b": rng.random(n) < 0.3,
        }
    )
    data["q"] = pd.Categorical(
        rng.choice(["lo", "mid", "hi"], n), categories=["lo", "mid", "hi"], ordered=True
    )
    data["y"] = (
        9
        + data.x / 2
        + rng.normal(size=60)[data.g] * data.x
        + rng.normal(size=50)[2 * data.k + data.b]
        + rng.normal(size=n)
    )
    data.loc[rng.choice(n, 20), "x"] = np.nan
    data.loc[rng.choice(n, 12), "f"] = None
    data.loc[rng.choice(n, 12), "y"] = np.nan
    data.loc[500:519, "z"] = np.nan  # the whole of the second file
    return pyarrow.Table.from_pandas(data.assign(k="k" + data.k.astype(str)), preserve_index=False)


@pytest.fixture(scope="module")
def files(table: pyarrow.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts")
    for i, (start, stop) in enumerate(pairwise(CUTS)):
        arrow.write_table(table.slice(start, stop - start), folder / f"{i}.parquet", row_group_size=300)
    return folder


MODELS: list[tuple[str, dict[str, Any]]] = [
    ("y ~ x + f + (1 | g)", {}),
    ("y ~ poly(x, 2) * f + q + (1 + x | g) + (1 | k)", {"reml": False}),
    ("log(y + 20) ~ ns(z, 3) + h + b + (x || g)", {"weights": "w", "offset": "o"}),
    ("y ~ scale(x) + I(z - median(z)) + ave(z, f) + (1 | k:b) + offset(o)", {}),
    ("y ~ . - w - o + (1 | g)", {"weights": "w", "contrasts": {"f": "sum"}}),
    ("y ~ factor(h) + cut(z, 3) + interaction(f, b) + (1 | g)", {}),
    ("y ~ 0 + q + bs(z, df=4) + (1 | factor(k))", {}),
]


@pytest.mark.parametrize(("formula", "options"), MODELS)
def test_a_fit_from_files_is_the_fit_of_the_table(
    formula: str, options: dict[str, Any], table: pyarrow.Table, files: Path
) -> None:
    whole = interlace.lmer(formula, table, **options)
    chunks = interlace.lmer(formula, interlace.parquet(files, rows=256), **options)
    assert list(chunks.fixef.index) == list(whole.fixef.index)
    assert chunks.nobs == whole.nobs
    for values in (
        lambda m: m.fixef, lambda m: m.se, lambda m: m.theta, lambda m: m.loglik, lambda m: m.sigma,
        lambda m: m.fitted, lambda m: m.residuals("pearson"),
        lambda m: m.ranef()[next(iter(m.ngroups))],
        lambda m: list(m.r2().values()), lambda m: m.predict(), lambda m: m.predict(table.slice(0, 99)),
        lambda m: m.simulate(seed=1)["sim_1"].to_numpy(), lambda m: m.refit(reml=not m.reml).fixef,
    ):  # fmt: skip
        _equal(values(chunks), values(whole), 1e-12)
    _equal(chunks.coef_table(), whole.coef_table(), 1e-10)
    _equal(chunks.anova(type=3), whole.anova(type=3), 1e-10)
    a, b = whole.fit.encoding, chunks.fit.encoding
    assert list(b.covariates) == list(a.covariates)
    for name, known in a.covariates.items():
        found = b.covariates[name]
        assert (found.n, found.low, found.high) == (known.n, known.low, known.high)
        assert found.mean == pytest.approx(known.mean, rel=1e-13)
    shown = [str(m.summary()) for m in (whole, chunks)]
    assert shown[1].splitlines()[4:] == [s for s in shown[0].splitlines() if not s.startswith("   Data")][4:]


def _equal(found: Any, expected: Any, share: float) -> None:
    found, expected = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    assert found.shape == expected.shape
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, rtol=0, atol=share * np.nanmax(np.abs(expected)))


def test_comparisons_and_smaller_random_parts(table: pyarrow.Table, files: Path) -> None:
    source = interlace.parquet(files, rows=400)
    tables = []
    for data in (table, source):
        m = interlace.lmer("y ~ x + f + (0 + f | g) + (x | k)", data)
        small = interlace.lmer("y ~ x + f + (1 | g)", data)
        tables.append((m.ranova(), interlace.compare(small, m).select_dtypes("number")))
    for whole, chunks in zip(*tables, strict=True):
        _equal(chunks, whole, 1e-8)


def test_anything_that_names_files(table: pyarrow.Table, files: Path) -> None:
    expected = interlace.lmer("y ~ x + (1 | g)", table).loglik
    paths = sorted(files.glob("*.parquet"))
    for source in (files, str(files), f"{files}/*.parquet", paths, [str(p) for p in paths]):
        assert interlace.lmer("y ~ x + (1 | g)", interlace.parquet(source)).loglik == pytest.approx(expected)
    opened = dataset.dataset(files)
    for data in (opened, interlace.parquet(opened)):
        assert interlace.lmer("y ~ x + (1 | g)", data).loglik == pytest.approx(expected)


def test_a_frame_is_the_one_chunk(table: pyarrow.Table, files: Path) -> None:
    """Origin and products are summed over chunks; the source can be read again and again."""
    formula = "y ~ x * f + (1 + x | g)"
    encoding, whole = learn(formula, table)
    assert [d.nrows for d in whole.designs()] == [whole.n]
    assert whole.design is next(whole.designs())
    again, rows = learn(formula, interlace.parquet(files, rows=300))
    assert again.fixed_names == encoding.fixed_names
    assert [d.nrows for d in rows.designs()] == [d.nrows for d in rows.designs()]
    assert sum(d.nrows for d in rows.designs()) == rows.n == whole.n
    assert rows.n_read == whole.n_read
    np.testing.assert_array_equal(np.concatenate([d.X for d in rows.designs()]), whole.design.X)
    np.testing.assert_array_equal(np.concatenate([d.kept for d in rows.designs()]), whole.design.kept)
    origin = Origin.of(encoding, whole)
    A, B = (CrossProducts.of(encoding, r, origin=origin).products for r in (whole, rows))
    np.testing.assert_allclose(B.xx, A.xx, rtol=1e-13, atol=1e-10)
    np.testing.assert_allclose(B.zx(0), A.zx(0), rtol=1e-13, atol=1e-10)
    assert B.n == A.n


def test_what_needs_all_rows_is_refused(files: Path) -> None:
    m = interlace.lmer("y ~ x + f + (1 | g)", interlace.parquet(files))
    refused: list[Callable[[], object]] = [
        lambda: m.fit.kernel_rows(),
        lambda: m.fit.design, lambda: m.residuals("marginal-cholesky"),
        lambda: m.bootstrap(5, kind="case", seed=1), lambda: m.permutation_test("x"),
        lambda: m.augment(),
    ]  # fmt: skip
    instead = r"fit their table: pyarrow\.parquet\.read_table"
    for ask in refused:
        with pytest.raises(ModelError, match=rf"needs all rows in memory at once.*read in chunks.*{instead}"):
            ask()


def test_a_model_of_files_pickles(files: Path) -> None:
    m = interlace.lmer("y ~ x + f + (1 | g)", interlace.parquet(files))
    again = pickle.loads(pickle.dumps(m))
    np.testing.assert_array_equal(again.fitted, m.fitted)
    ml = pickle.loads(pickle.dumps(m.refit(reml=False)))
    np.testing.assert_array_equal(ml.fixef, m.refit(reml=False).fixef)


def test_levels_of_chunks_are_put_together(tmp_path: Path) -> None:
    """Text is sorted; categories keep the order in which a table of all files has them."""
    parts = [["m", "z"], ["a", "m"], ["b", None]]
    for i, part in enumerate(parts):
        text = pyarrow.array(part * 150)
        columns = {
            "t": text,
            "c": text.dictionary_encode(),
            "y": np.arange(300.0) ** 2,
            "g": np.arange(300) % 7,
        }
        arrow.write_table(pyarrow.table(columns), tmp_path / f"{i}.parquet")
    whole = arrow.read_table(tmp_path)
    source = interlace.parquet(tmp_path, rows=256)
    for name in ("t", "c"):
        formula = f"y ~ {name} + (1 | g)"
        a, b = Encoding.learn(formula, whole)[0], learn(formula, source)[0]
        assert b.fixed_names == a.fixed_names
    assert learn("y ~ t + (1 | g)", source)[0].fixed_factors["t"].levels == ("a", "b", "m", "z")
    assert learn("y ~ c + (1 | g)", source)[0].fixed_factors["c"].levels == ("m", "z", "a", "b")


def test_a_chunk_of_nothing_but_missing_text(tmp_path: Path) -> None:
    y, g = np.arange(600.0) ** 2, np.arange(600) % 7
    t = pyarrow.array([None] * 300 + ["a", "b"] * 150, type=pyarrow.string())
    arrow.write_table(pyarrow.table({"y": y, "g": g, "t": t}), tmp_path / "0.parquet", row_group_size=300)
    m = interlace.lmer("y ~ t + (1 | g)", interlace.parquet(tmp_path / "0.parquet", rows=300))
    assert (m.nobs, list(m.fixef.index)) == (300, ["Intercept", "t[T.b]"])
    frames = [Frame.read({"t": [None, None]}), Frame.read({"t": ["a", None]})]
    together = joined(frames, frozenset())
    assert together.missing["t"].tolist() == [True, True, False, True]


@pytest.mark.parametrize(
    ("formula", "options", "error", "words"),
    [
        ("y ~ nothing + (1 | g)", {}, FormulaError, "the data have no column 'nothing'"),
        ("y ~ x + (1 | g)", {"weights": np.ones(1300)}, DataError, "must be the name of a column"),
        ("y ~ x + (1 | g)", {"weights": "nothing"}, DataError, "no column 'nothing'"),
        ("y ~ x + (1 | g)", {"weights": "o"}, DataError, "must be positive and finite; row"),
        ("y ~ x + (1 | g)", {"na_action": "error"}, DataError, "there are missing values"),
        ("y ~ log(o) + (1 | g)", {}, DataError, r"'log\(o\)' is nan at row \d+"),
        ("y ~ x + (1 | w)", {}, DataError, "holds numbers that are not whole"),
        ("y ~ x + (1 | g)", {"contrasts": {"f": "sum"}}, DataError, "is not a categorical factor"),
        ("y ~ I(x * 0) + x:f + (I(0 * x + 1) | g)", {}, ModelError, r"constant \(always 1\)"),
    ],
)  # fmt: skip
def test_errors_are_those_of_a_table(
    formula: str, options: dict[str, Any], error: type[InterlaceError], words: str, files: Path
) -> None:
    with pytest.raises(error, match=words):
        interlace.lmer(formula, interlace.parquet(files, rows=256), **options)


def test_a_bad_value_is_told_with_its_row(tmp_path: Path) -> None:
    y = np.arange(1000.0) ** 1.5
    x = np.cos(np.arange(1000.0))
    x[777] = np.inf
    arrow.write_table(pyarrow.table({"y": y, "x": x, "g": np.arange(1000) % 9}), tmp_path / "0.parquet")
    with pytest.raises(DataError, match="'x' is inf at row 777"):
        interlace.lmer("y ~ x + (1 | g)", interlace.parquet(tmp_path, rows=256))


def test_files_that_change_or_go(table: pyarrow.Table, tmp_path: Path) -> None:
    path = tmp_path / "0.parquet"
    arrow.write_table(table.slice(0, 1000), path)
    m = interlace.lmer("y ~ x + (1 | g)", interlace.parquet(path))
    arrow.write_table(table.slice(0, 900), path)
    with pytest.raises(DataError, match="they have changed, so fit again"):
        m.residuals()
    path.write_text("no Parquet file")
    with pytest.raises(DataError, match="cannot be read"):
        m.residuals()
    path.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        m.residuals()


def test_what_are_no_files(tmp_path: Path) -> None:
    for source, words in [
        (tmp_path / "none.parquet", "there is no Parquet file"),
        (f"{tmp_path}/*.parquet", "there is no Parquet file"),
        ([], "give the path of a Parquet file"),
        (pd.DataFrame(), "give the path of a Parquet file"),
        ([3], "a path is text"),
    ]:
        with pytest.raises(DataError, match=words):
            interlace.parquet(source)
    for rows in (0, True, 1e6, "many"):
        with pytest.raises(DataError, match="rows must be a whole number, 1 or more"):
            interlace.parquet(tmp_path, rows=rows)  # type: ignore[arg-type]
    (tmp_path / "text.parquet").write_text("no Parquet file")
    with pytest.raises(DataError, match="cannot be read"):
        interlace.lmer("y ~ x + (1 | g)", interlace.parquet(tmp_path / "text.parquet"))
    arrow.write_table(pyarrow.table({"y": pyarrow.array([], "float64")}), tmp_path / "empty.parquet")
    with pytest.raises(DataError, match="the data have no rows"):
        interlace.lmer("y ~ 1 + (1 | factor(y))", interlace.parquet(tmp_path / "empty.parquet"))


def test_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"needs pyarrow: pip install 'interlace\[parquet\]'"):
        interlace.parquet("anything")


def test_a_function_that_needs_more_room_than_there_is(files: Path) -> None:
    n = learn("y ~ x + f + (1 | g)", interlace.parquet(files))[1].n

    def no_room(needed: float, what: str) -> None:
        assert needed == 8.0 * n * 16.0
        raise ModelError(what.format("too much"))

    with pytest.raises(
        ModelError, match=r"poly\(x, 2\) learns from all its rows at once, which takes too much"
    ):
        learn("y ~ poly(x, 2) + f + (1 | g)", interlace.parquet(files), room=no_room)
    learn("y ~ log(x + 9) + f + (1 | g)", interlace.parquet(files), room=no_room)


def test_tables_are_wanted_elsewhere(files: Path, table: pyarrow.Table) -> None:
    m = interlace.lmer("y ~ x + (1 | g)", table)
    with pytest.raises(DataError, match=r"the Parquet data '.*', which are read in chunks"):
        m.predict(interlace.parquet(files))
    with pytest.raises(DataError, match=r"the data are the path 'some.parquet'; read the file: give a"):
        m.predict("some.parquet")
    with pytest.raises(DataError, match=r"there is no Parquet or CSV file 'some.parquet'"):
        interlace.lmer("y ~ x + (1 | g)", "some.parquet")
