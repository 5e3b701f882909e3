"""Means of coefficients from elsewhere: beside R's qdrg, statsmodels' fits, and the errors."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import DataError, FormulaError

FOUND = json.loads((Path(__file__).parent / "qdrg.json").read_text())
CASES = {case["name"]: case for case in FOUND["cases"]}
COLUMNS = {"estimate": ("emmean", "estimate", "prediction"), "se": ("SE",), "df": ("df",),
           "lower": ("lower.CL", "asymp.LCL"), "upper": ("upper.CL", "asymp.UCL")}  # fmt: skip


def data(name: str) -> pd.DataFrame:
    return pd.DataFrame(FOUND["data"][name])


def _df(case: dict[str, Any]) -> float | None:
    return case["df"] if isinstance(case.get("df"), int | float) else None


def model(name: str, **changes: Any) -> Any:
    case = CASES[name]
    names = case["names"]
    given = {
        "coef": {k: np.nan if v is None else v for k, v in case["coef"].items()},
        "vcov": pd.DataFrame(case["vcov"], index=names, columns=names),
        "df": _df(case),
    }
    return interlace.qdrg(case["formula"], data(case["data"]), **(given | changes))


def same(table: pd.DataFrame, theirs: dict[str, Any], df: float | None) -> None:
    """R writes both NaN and infinite df as null; its quantiles of the studentised range have nine digits."""
    for mine, names in COLUMNS.items():
        found = next(theirs[name] for name in names if name in theirs)
        nothing = np.inf if mine == "df" and df is None else np.nan
        values = np.array([nothing if v is None else v for v in found], dtype=float)
        np.testing.assert_allclose(table[mine], values, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_beside_qdrg(name: str) -> None:
    case, found = CASES[name], model(name)
    same(found.emmeans("A").frame, case["A"], _df(case))
    pairs = found.emmeans("A | B").pairs()
    same(pairs.confint(), case["pairs"], _df(case))
    np.testing.assert_allclose(
        pairs.test()["p"], [np.nan if p is None else p for p in case["pairs"]["p.value"]], rtol=1e-9
    )
    same(found.frame, case["grid"], _df(case))


@pytest.mark.parametrize("name", ["lm", "weighted", "logit", "poisson"])
def test_joint_tests(name: str) -> None:
    theirs = CASES[name]["joint"]
    mine = model(name).joint_tests()
    order = [list(mine.index).index(term) for term in theirs["model term"]]
    np.testing.assert_allclose(mine["F"].to_numpy()[order], theirs["F.ratio"], atol=5e-4)  # R rounds F
    np.testing.assert_allclose(mine["p"].to_numpy()[order], theirs["p.value"], rtol=1e-6)


def test_orders_and_spellings() -> None:
    """By name in any order, in R's and in patsy's spelling, or without names in the order of the columns."""
    expected = model("lm").emmeans("A").frame
    case = CASES["lm"]
    mine = ["Intercept", "A[T.b]", "A[T.c]", "B[T.q]", "x", "A[T.b]:B[T.q]", "A[T.c]:B[T.q]"]
    ours = interlace.lmer("y ~ A * B + x + (1 | g)", data("d").assign(g=np.arange(49) % 7)).fixef.index
    assert list(ours) == mine
    values = np.array(list(case["coef"].values()))
    assert list(case["coef"]) == ["(Intercept)", "Ab", "Ac", "Bq", "x", "Ab:Bq", "Ac:Bq"]
    V = np.array(case["vcov"])
    patsy = ["Intercept", "C(A)[T.b]", "C(A)[T.c]", "B[T.q]", "x", "C(A)[T.b]:B[T.q]", "B[T.q]:C(A)[T.c]"]
    back = np.arange(6, -1, -1)
    ways = [
        ("y ~ A * B + x", values, V),
        ("~ A * B + x", list(values), V.tolist()),
        ("y ~ A * B + x", pd.Series(values, mine).iloc[back], V[np.ix_(back, back)]),
        ("y ~ A * B + x", pd.Series(values, mine), pd.DataFrame(V, mine, mine).iloc[back, back]),
        ("y ~ C(A) * B + x", dict(zip(patsy, values, strict=True)), V),
        ("y ~ A * B + x", pd.Series(values), V),  # labels that are numbers say nothing
    ]
    for formula, coef, vcov in ways:
        found = interlace.qdrg(formula, data("d"), coef, vcov, case["df"]).emmeans("A").frame
        np.testing.assert_allclose(found["estimate"], expected["estimate"], rtol=1e-12)
        np.testing.assert_allclose(found["se"], expected["se"], rtol=1e-12)


def test_all_coefficients_of_columns_that_depend_on_others() -> None:
    """The shortest of all solutions, as a pseudoinverse gives it, tells what R's with NaN tells."""
    frame = data("missing")
    one = {name: (frame[name] == name_level).to_numpy(float) for name, name_level in (("A", "b"), ("B", "q"))}
    c = (frame["A"] == "c").to_numpy(float)
    X = np.column_stack(
        [np.ones(len(frame)), frame["x"], one["A"], c, one["B"], one["A"] * one["B"], c * one["B"]]
    )
    y = frame["y"].to_numpy()
    names = ["Intercept", "x", "A[T.b]", "A[T.c]", "B[T.q]", "A[T.b]:B[T.q]", "A[T.c]:B[T.q]"]
    inverse = np.linalg.pinv(X)
    beta = inverse @ y
    df = len(y) - 6
    V = inverse @ inverse.T * np.sum((y - X @ beta) ** 2) / df
    frames = (pd.Series(beta, names), pd.DataFrame(V, names, names))
    found = interlace.qdrg("y ~ x + A * B", frame, *frames, df)
    expected = model("missing")
    for table, other in (
        (found.emmeans("A").frame, expected.emmeans("A").frame),
        (found.frame, expected.frame),
    ):
        np.testing.assert_allclose(table[["estimate", "se"]], other[["estimate", "se"]], rtol=1e-9)
    assert found.frame["estimate"].isna().sum() == 1


def test_slopes_and_a_pickle() -> None:
    found = model("weighted", df=None, weights="w")
    slopes = found.emtrends("x", "B").frame
    assert np.isinf(slopes["df"]).all()
    case = CASES["weighted"]["coef"]
    np.testing.assert_allclose(
        slopes["estimate"], case["x"] + 2 * case["I(x^2)"] * data("d")["x"].mean(), rtol=1e-6
    )
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.frame["estimate"], found.frame["estimate"])
    assert "A = a, b, c" in repr(found) and "asymptotic" in repr(found)


def test_a_response_on_a_log_scale() -> None:
    frame = data("d").assign(y=lambda d: np.exp(d["y"]))
    case = CASES["lm"]
    found = interlace.qdrg("log(y) ~ A * B + x", frame, case["coef"], case["vcov"], case["df"])
    np.testing.assert_allclose(
        found.emmeans("A").regrid().frame["estimate"], np.exp(model("lm").emmeans("A").frame["estimate"])
    )


V7 = np.eye(7)
LOPSIDED = V7 + 0.1 * (np.arange(49).reshape(7, 7) == 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coef": np.ones(6)}, "6 values, and the formula makes 7 columns: Intercept, A"),
        ({"coef": np.ones((7, 1))}, "one-dimensional"),
        ({"coef": ["one"] * 7}, "coef must be numbers"),
        ({"coef": np.full(7, np.nan), "vcov": V7}, "all NaN"),
        ({"coef": np.array([np.inf, 1, 1, 1, 1, 1, 1]), "vcov": V7}, "infinite"),
        ({"coef": pd.Series(1.0, [*"bcdefg", "x"])}, "names 'b', which is no column.*Intercept"),
        ({"coef": pd.Series(1.0, ["Intercept", "x", "xx"])}, "did you mean 'x'"),
        ({"coef": pd.Series(1.0, ["Intercept", "(Intercept)"])}, "names 'Intercept' twice"),
        ({"coef": {"Intercept": 1.0, "x": 2.0}, "vcov": np.eye(2)}, r"no value for A\[T.b\].*data tell it"),
        ({"vcov": np.eye(6), "coef": np.ones(7)}, "vcov has 6 rows, and coef has 7 values"),
        ({"vcov": np.ones(7)}, r"square matrix, and has shape \(7,\)"),
        ({"coef": np.ones(7), "vcov": LOPSIDED}, r"not symmetric: 0.1 for Intercept and A\[T.b\], and 0"),
        ({"coef": np.ones(7), "vcov": -V7}, "negative variance: -1 of Intercept"),
        ({"coef": np.ones(7), "vcov": V7 + 3 * V7[::-1]}, "no covariance matrix"),
        ({"coef": np.ones(7), "vcov": V7 * np.array([np.nan, 1, 1, 1, 1, 1, 1])}, "no finite variances"),
        ({"df": 0}, "df must be above zero"),
        ({"df": "many"}, "df"),
        ({"sigma": -1.0}, "sigma must be above zero"),
    ],
)
def test_errors(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        model("lm", **changes)


def test_other_errors() -> None:
    with pytest.raises(FormulaError, match="random terms have no coefficients"):
        interlace.qdrg("y ~ A + (1 | B)", data("d"), [1.0], [[1.0]])
    with pytest.raises(DataError, match="formula must be text"):
        interlace.qdrg(3, data("d"), [1.0], [[1.0]])
    with pytest.raises(DataError, match="ddf='kenward-roger' cannot be had"):
        model("lm").emmeans("A", ddf="kenward-roger")
    with pytest.raises(DataError, match="vcov='CR2' cannot be had"):
        model("lm").emmeans("A", vcov="CR2")
    with pytest.raises(AttributeError, match="no attribute 'loglik'"):
        _ = model("lm").loglik
    with pytest.raises(TypeError, match="qdrg"):
        interlace.qdrg("y ~ A", data("d"), [1.0], [[1.0]], link="log")


def test_beside_statsmodels() -> None:
    """OLS and GLM as they come from there, names and all."""
    api = pytest.importorskip("statsmodels.formula.api")
    sm = pytest.importorskip("statsmodels.api")
    frame = data("d")
    for name, fitted in (
        ("lm", api.ols("y ~ C(A) * B + x", frame).fit()),
        ("logit", api.glm("hit ~ C(A) * B + x", frame, family=sm.families.Binomial()).fit()),
    ):
        df = fitted.df_resid if name == "lm" else None
        found = interlace.qdrg(fitted.model.formula, frame, fitted.params, fitted.cov_params(), df=df)
        expected = model(name).emmeans("A").frame
        columns = ["estimate", "se", "df", "lower", "upper"]
        np.testing.assert_allclose(found.emmeans("A").frame[columns], expected[columns], rtol=1e-6)
        new = pd.DataFrame({"A": ["a", "b"], "B": ["p", "q"], "x": frame["x"].mean()})
        means = found.emmeans("A * B").frame.set_index(["A", "B"])["estimate"]
        link = fitted.predict(new) if name == "lm" else fitted.predict(new, which="linear")
        np.testing.assert_allclose([means["a", "p"], means["b", "q"]], link, rtol=1e-10)
