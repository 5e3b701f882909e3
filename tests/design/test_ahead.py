"""The next chunk of rows is made by a thread of its own."""

import subprocess
import sys
import threading
import warnings

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.design.ahead import ahead
from interlace.errors import DataError, InterlaceWarning, warn


def numbers(n, seen):
    for i in range(n):
        seen.append((i, threading.current_thread() is threading.main_thread()))
        yield i


def test_the_order_is_kept_and_one_is_made_ahead():
    seen = []
    made = ahead(numbers(5, seen))
    assert next(made) == 0
    assert list(made) == [1, 2, 3, 4]
    assert [i for i, _ in seen] == [0, 1, 2, 3, 4]
    assert not any(here for _, here in seen)


def test_no_more_than_one_is_made_ahead():
    seen = []
    made = ahead(numbers(100, seen))
    for _ in range(10):
        next(made)
    made.close()
    assert len(seen) <= 11


def test_threads_end_with_the_reading():
    made = ahead(numbers(100, []))
    next(made)
    made.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("interlace-ahead")]


def test_what_is_read_is_closed():
    closed = []

    def opened():
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    made = ahead(opened())
    next(made)
    made.close()
    assert closed == [True]


def test_errors_come_where_they_belong():
    def failing():
        yield 1
        raise DataError("the second is wrong")

    made = ahead(failing())
    assert next(made) == 1
    with pytest.raises(DataError, match="the second is wrong"):
        next(made)


def test_the_thread_has_the_floating_point_settings_of_the_caller():
    def dividing():
        yield np.float64(1.0) / np.zeros(1)

    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        list(ahead(dividing()))


def test_warnings_are_those_of_the_line_of_the_caller(tmp_path):
    table = pd.DataFrame({"g": np.repeat(np.arange(20), 10), "s": np.tile(["a", "nan"], 100)})
    table["y"] = np.random.default_rng(3).normal(size=200)
    table.to_parquet(tmp_path / "rows.parquet")
    with pytest.warns(InterlaceWarning, match="the text 'nan'") as said:
        interlace.lmer("y ~ s + (1 | g)", interlace.parquet(tmp_path / "rows.parquet", rows=50))
    assert {warning.filename for warning in said} == {__file__}


def test_warnings_may_be_errors(recwarn):
    def warning():
        yield 1
        warn("the end is near", InterlaceWarning)

    made = ahead(warning())
    assert next(made) == 1
    with warnings.catch_warnings(), pytest.raises(InterlaceWarning, match="the end is near"):
        warnings.simplefilter("error")
        next(made)
    assert not [t for t in threading.enumerate() if t.name.startswith("interlace-ahead")]
    assert not len(recwarn)


def test_a_process_may_end_while_rows_are_read(tmp_path):
    table = pd.DataFrame({"g": np.repeat(np.arange(20), 10), "y": np.random.default_rng(2).normal(size=200)})
    table.to_parquet(tmp_path / "rows.parquet")
    code = f"""
import sys, interlace
source = interlace.parquet({str(tmp_path / "rows.parquet")!r}, rows=20)
rows = interlace.lmer("y ~ 1 + (1 | g)", source).fit.rows.designs()
next(rows)
sys.modules["here until the end"] = rows
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_files_are_read_ahead_and_functions_are_not(tmp_path):
    """A function of the caller's may have what belongs to one thread, as a connection to a data base has."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"g": np.repeat(np.arange(20), 10), "x": rng.normal(size=200)})
    table["y"] = table["x"] + rng.normal(size=200)
    table.to_parquet(tmp_path / "rows.parquet")
    here = []

    def opened():
        import pyarrow

        here.append(threading.current_thread() is threading.main_thread())
        return pyarrow.Table.from_pandas(table).to_reader()

    from_function = interlace.lmer("y ~ x + (1 | g)", interlace.chunks(opened, rows=50))
    assert here and all(here)
    from_files = interlace.lmer("y ~ x + (1 | g)", interlace.parquet(tmp_path / "rows.parquet", rows=50))
    assert from_files.loglik == from_function.loglik


def test_a_look_at_some_rows_leaves_no_thread(tmp_path):
    table = pd.DataFrame({"g": np.repeat(np.arange(20), 10), "y": np.random.default_rng(2).normal(size=200)})
    table.to_parquet(tmp_path / "rows.parquet")
    model = interlace.lmer("y ~ 1 + (1 | g)", interlace.parquet(tmp_path / "rows.parquet", rows=20))
    designs = model.fit.rows.designs()
    next(designs)
    designs.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("interlace-ahead")]
