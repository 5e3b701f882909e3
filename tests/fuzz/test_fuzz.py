"""A handful of hostile cases, and the fuzzer itself: it must find what is put there to be found."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fuzz.__main__ import smallest
from fuzz.answers import WrongError, finite, lowest, same_as_dense, well_formed
from fuzz.broken import Dying, Hanging
from fuzz.case import Case, make
from fuzz.expressions import ATTACKS, CANARY
from fuzz.run import Finding, run
from fuzz.show import call
from fuzz.worker import Worker
from interlace.api import lmer
from interlace.errors import DataError
from interlace.model import LinearMixedModel

SOUND = Case(seed=1, number=1, rows=60)


@pytest.mark.parametrize("number", range(30))
def test_a_right_answer_or_an_error_of_ours(number: int) -> None:
    assert [f"{f.question}: {f.what}" for f in run(make(32, number))] == []


ML_MATRIX = (("reml", "False"), ("contrasts", "a matrix"))
FOUND = [
    # a chi-square that has no inverse, without a word; a factor that fails beside the optimum
    Case(71, 132, 5, "I(y*1e15)", ("f", "f*h"), ("(x | g)",)),
    Case(71, 179, 20, "k", ("(x + z + f)^2", "f*h", "f:h", "factor(t)"), ("(1 | f)",)),
    # weights of a size whose powers are no numbers; a small unit of weights taken for an exact fit
    Case(61, 260, 30, "y", ("x",), ("(0 + x | g)",), options=(("weights", "1e300"),)),
    Case(61, 260, 30, "y", ("x",), ("(0 + x | g)",), options=(("weights", "1e-100"),)),
    # zero times infinity in a product of columns; more covariances than memory has room for
    Case(502, 341, 8, "y", ("f:x", "x:z"), ("(1 | g)",), spoilt=(("x", "-inf"), ("z", "1e150"))),
    Case(502, 799, 120, "t", (), ("(factor(k) | cut(x, 3))", "(poly(t, 2) | f)"), spoilt=(("k", "nan"),)),
    # a curvature that is no number, in the second coordinates; powers that overflow in CR2
    Case(26, 18, 60, "center(y)", ("I(x**2)",), ("(I(x**2) || g)",), options=(("weights", "1e100"),)),
    Case(502, 1591, 12, "y + x", ("factor(t)", "poly(x, 2)"), ("(1 | C(g))", "(bs(x, df=4) | h)")),
    # columns of Z far from the origin, in dense algebra
    Case(603, 731, 12, "y", ("I(k %/% 2)",), ("(x | k/g)",), spoilt=(("x", "1e8 away"),)),
    # variances of zero that the data cannot tell either: no direction is flat in their roots
    Case(722, 95, 20, "k", ("ns(x, 3)", "I(k %/% 2)", "x:z:t"), ('(0 + dummy(f, "f1") | g)', "(0 + f | f)")),
    # hypotheses so far off that the distance in standard errors is no number
    Case(722, 2115, 12, "log(w)", ("f/x", "sqrt(t)", "f*h"), ("(f | g)",), table="polars", options=ML_MATRIX),
    # a criterion that falls towards residuals of zero: far beyond the fit it is what rounding left of it
    Case(771529, 888, 8, "k", ("x:f",), ("(1 | g/k)",), options=(("weights", "1e100"),)),
    # labels in an array without axes
    Case(1067, 169, 20, "scale(y)", ("C(f, contr.treatment(base = 2))", "f:h"), ("(0 + f || `g`)",)),
]


@pytest.mark.parametrize("case", FOUND, ids=lambda case: f"{case.seed}-{case.number}")
def test_what_was_found_once_is_not_found_again(case: Case) -> None:
    assert [f"{f.question}: {f.what}" for f in run(case)] == []


def test_a_case_is_made_from_its_numbers_alone() -> None:
    a, b = make(3, 5), make(3, 5)
    assert a == b
    pd.testing.assert_frame_equal(pd.DataFrame(SOUND.columns()), pd.DataFrame(SOUND.columns()))
    few = replace(SOUND, rows=8).columns()
    assert all(np.array_equal(values[:8], few[name]) for name, values in SOUND.columns().items())


def kinds(case: Case) -> set[str]:
    return {finding.kind for finding in run(case)}


# --- what the fuzzer must find ------------------------------------------------------------------------


def test_an_ordinary_model_is_in_order() -> None:
    assert kinds(SOUND) == set()


def test_a_foreign_exception_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LinearMixedModel, "simulate", lambda self, n, seed: [][0])
    assert any(kind.startswith("IndexError") for kind in kinds(SOUND))


def test_a_foreign_warning_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        LinearMixedModel, "icc", lambda self: warnings.warn("far too large", RuntimeWarning, 1)
    )
    assert any(kind.startswith("RuntimeWarning: far too large") for kind in kinds(SOUND))


def test_nan_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LinearMixedModel, "fitted", property(lambda self: np.full(self.nobs, np.nan)))
    assert any("NaN in fitted" in kind for kind in kinds(SOUND))


def test_an_empty_refusal_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: LinearMixedModel) -> None:
        raise DataError("no")

    monkeypatch.setattr(LinearMixedModel, "icc", refuse)
    assert kinds(SOUND) == {"an empty refusal"}


def test_code_that_runs_and_changed_data_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(self: Case, data: Any) -> LinearMixedModel:
        Path(CANARY).touch()
        data.loc[0, "y"] = 9.0
        return lmer(self.formula, data)

    monkeypatch.setattr(Case, "fit", fit)
    before = os.getcwd()
    assert {"code was run", "data changed"} <= kinds(SOUND)
    assert os.getcwd() == before


def test_a_wrong_fit_is_found() -> None:
    m = lmer(SOUND.formula, SOUND.data())
    same_as_dense(m)
    lowest(m, np.random.default_rng(1))
    wrong = LinearMixedModel(replace(m.fit, optimum=replace(m.fit.optimum, value=m.fit.optimum.value + 1)))
    with pytest.raises(WrongError, match="by dense algebra"):
        same_as_dense(wrong)
    with pytest.raises(WrongError, match="a lower criterion"):
        lowest(wrong, np.random.default_rng(1))


@pytest.mark.parametrize(
    ("row", "note", "word"),
    [
        ({"df": 3.0, "t": 1.0, "p": 0.2}, "", ""),
        ({"df": np.nan, "t": np.nan, "p": np.nan}, "no test", ""),
        ({"df": np.nan, "t": np.nan, "p": np.nan}, "", ""),
        ({"df": np.nan, "t": 1.0, "p": np.nan}, "no test", ""),
        ({"df": np.nan, "t": 1.0, "p": np.nan}, "", "without a note"),
        ({"df": np.nan, "t": 1.0, "p": 0.2}, "no test", "beside a p-value"),
        ({"df": 0.0, "t": 1.0, "p": 1.0}, "", "df 0"),
        ({"df": 3.0, "t": np.inf, "p": 0.0}, "", "infinity"),
        ({"df": 3.0, "t": 1.0, "p": 1.2}, "", "outside"),
    ],
)
def test_a_table_of_tests(row: dict[str, float], note: str, word: str) -> None:
    table = pd.DataFrame([row], index=["x"])
    table.attrs["note"] = note
    if not word:
        well_formed("table", table)
        return
    with pytest.raises(WrongError, match=word):
        well_formed("table", table)


def test_infinite_numbers_are_not_finite() -> None:
    finite("numbers", [1.0, np.inf], infinite=True)
    with pytest.raises(WrongError, match="infinity"):
        finite("numbers", [1.0, np.inf])


# --- the smallest call --------------------------------------------------------------------------------


class Broken:
    """In place of the process: every case with an offset shows the same fault."""

    def run(self, case: Case) -> list[Finding]:
        return [Finding(case, "m.icc()", "TypeError: x", "fault")] if "offset(z)" in case.formula else []


def test_a_finding_is_made_smaller_and_printed_as_code() -> None:
    case = Case(
        1, 2, 60, "log(y)", ("x", "offset(z)", "f"), ("(1 | g)", "(1 | k)"), None, (("x", "inf"),), "lists",
        (("reml", "False"),),
    )  # fmt: skip
    found = smallest(Broken(), Finding(case, "m.icc()", "TypeError: x", "fault"))
    assert found.case == Case(1, 2, 1, "y", ("offset(z)",), ("(1 | k)",))
    text = call(found)
    assert "case = Case(seed=1, number=2, rows=1, fixed=('offset(z)',), random=('(1 | k)',))" in text
    assert "m = interlace.lmer('y ~ offset(z) + (1 | k)', data)" in text
    assert text.splitlines()[-2:] == ["    m.icc()", "    # TypeError: x"]


@pytest.mark.slow
def test_a_process_that_hangs_or_dies_is_a_finding() -> None:
    worker = Worker(seconds=3.0, memory=4.0)
    try:
        assert worker.run(SOUND) == []
        assert [f.what for f in worker.run(Hanging(1, 1, 8))] == ["no answer in 3 s"]
        assert [f.what for f in worker.run(Dying(1, 1, 8))] == ["the process died with exit code 3"]
        assert worker.run(SOUND) == []
    finally:
        worker.stop()


@pytest.mark.slow
@pytest.mark.parametrize("place", ["{}", "I({})", "({} | g)", "(1 | {})", "{} ~"])
def test_every_hostile_expression(place: str) -> None:
    for attack in ATTACKS:
        text = place.format(attack)
        formula = f"{attack} ~ x + (1 | g)" if place == "{} ~" else f"y ~ x + {text} + (1 | g)"
        assert [(f.case.formula, f.what) for f in run(replace(SOUND, rows=20, text=formula))] == []
