"""What functions, objects and codings of the caller may be, and what is said of those that cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import DataError, FormulaError, InterlaceError

N = 40


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    found = pd.DataFrame({"x": rng.normal(size=N), "f": list("abcd") * 10, "h": list("xy") * 20})
    return found.assign(y=rng.normal(size=N), when=pd.date_range("2020-01-01", periods=N))


def columns(formula: str, data: pd.DataFrame, u: Any) -> pd.DataFrame:
    """Of the model matrix, where `u` is what the formula calls so."""
    return interlace.lm(formula, data).model_matrix()


@pytest.mark.parametrize(
    ("formula", "u", "made"),
    [
        ("y ~ u(x)", lambda x: {"p": x, "q": x**2}, lambda d: {"u(x)[p]": d.x, "u(x)[q]": d.x**2}),
        ("y ~ u(x)", lambda x: pd.DataFrame({"p": x, 1: x**2}), lambda d: {
            "u(x)[p]": d.x, "u(x)[1]": d.x**2}),
        ("y ~ u(x)", lambda x: np.column_stack([x, x**2]), lambda d: {"u(x)[0]": d.x, "u(x)[1]": d.x**2}),
        ("y ~ I(x * u(x))", lambda x: np.int64(3), lambda d: {"I(x * u(x))": 3 * d.x}),
        ("y ~ I(x + u(x))", lambda x: np.bool_(True), lambda d: {"I(x + u(x))": d.x + 1}),
        ("y ~ u(f)", lambda f: f == "b", lambda d: {"u(f)[T.True]": (d.f == "b") * 1.0}),
        ("y ~ u(poly(x, 2))", lambda p: p[:, 0] * 2, lambda d: {
            "u(poly(x, 2))": 2 * (d.x - d.x.mean()) / np.sqrt(((d.x - d.x.mean()) ** 2).sum())}),
        ("y ~ u(x, 2)", lambda x, power: x**power, lambda d: {"u(x, 2)": d.x**2}),
        ("y ~ I(x * u)", np.int64(2), lambda d: {"I(x * u)": 2 * d.x}),
        ("y ~ I(f %in% u)", pd.Categorical(["a", "b"]), lambda d: {
            "I(f %in% u)[T.True]": d.f.isin(["a", "b"]) * 1.0}),
        ("y ~ C(f, u)", {"l": [-3, -1, 1, 3], "m": [0, 0, 1, 1], "n": [1, 0, 0, 0]}, lambda d: {
            "C(f, u)[l]": d.f.map(dict(zip("abcd", [-3, -1, 1, 3], strict=True))) * 1.0,
            "C(f, u)[m]": d.f.isin(["c", "d"]) * 1.0, "C(f, u)[n]": (d.f == "a") * 1.0}),
        ("y ~ u(x, x)", np.hypot, lambda d: {"u(x, x)": np.sqrt(2) * d.x.abs()}),
    ],
)  # fmt: skip
def test_what_it_is_taken_for(formula: str, u: Any, made: Any, data: pd.DataFrame) -> None:
    found, wanted = columns(formula, data, u), made(data)
    assert list(found) == ["Intercept", *wanted]
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-12, atol=1e-14)


def fails(x: Any) -> Any:
    raise DataError("an error of the caller's")


@pytest.mark.parametrize(
    ("formula", "u", "words"),
    [
        ("y ~ u(x)", lambda x: {"p": [1.0, 2.0], "q": [1.0]}, "gives are not numbers of one length"),
        ("y ~ u(x)", lambda x: {"p": ["a"] * N}, "gives are not numbers of one length: could not convert"),
        ("y ~ u(x)", lambda x: pd.DataFrame(), "'u(x)' gives no columns"),
        ("y ~ u(x)", lambda x: {"p": [1.0, 2.0]}, "'u(x)' has 2 rows where the data have 40"),
        ("y ~ u(x)", lambda x: np.zeros((3, 2)), "'u(x)' has 3 rows where the data have 40"),
        ("y ~ u(x)", lambda x: object(), "gives an object of type object, and no column"),
        ("y ~ u(x)", lambda x: [1, 2, 3], "is 3 constants and no column"),
        ("y ~ x:u(x)", lambda x: None, "is NULL and no column"),
        ("y ~ u(x)", lambda x: 1 / 0, "cannot be evaluated: ZeroDivisionError"),
        ("y ~ u(x)", fails, "an error of the caller's"),
        ("y ~ u(x)", np.hypot, "u() takes 2 columns or numbers here and nothing else"),
        ("y ~ u(f)", np.square, "gives it a column of categories"),
        ("y ~ u(when)", np.square, "gives it a column of dates"),
        ("y ~ u(x)", np.isnat, "cannot be evaluated: TypeError"),
        ("y ~ u(x)", 5, "is an object of type int and no function"),
        ("y ~ I(x + u)", np.ones((2, 2)), "a value of type ndarray cannot be taken for numbers"),
        ("y ~ C(f, u)", {"l": [1, 2, 3, 4], "m": [0, 0, 1]}, "neither a name nor a matrix of numbers"),
        ("y ~ C(f, u)", {}, "neither a name nor a matrix of numbers"),
        ("y ~ C(f, u)", [[1, 2], [3]], "neither a name nor a matrix of numbers"),
        ("y ~ C(f, u)", np.zeros((2, 2, 2)), "an array of shape (2, 2, 2)"),
        ("y ~ C(f, u)", np.array([[1.0], [2.0], [np.inf], [0.0]]), "has values that are not finite"),
        ("y ~ C(f, u)", np.ones(4), "not independent of each other and of the constant"),
        ("y ~ C(f, contr.nothing)", 0, "there is no contrast named 'contr.nothing'"),
        ("y ~ C(f, contr.sum(3))", 0, "is for 3 levels; the factor has 4"),
        ("y ~ C(f, contr.poly(scores=c(1, 1, 2, 3)))", 0, "must be different: [1.0, 1.0, 2.0, 3.0]"),
        ("y ~ C(f, contr.poly(scores=c(1, 2, 3)))", 0, "3 scores; give one for each"),
    ],
)  # fmt: skip
def test_what_it_is_not_taken_for(formula: str, u: Any, words: str, data: pd.DataFrame) -> None:
    with pytest.raises(InterlaceError) as error:
        columns(formula, data, u)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("y ~ ns(x, Boundary.knots = c(1, 1))", "must be two different numbers"),
        (
            "y ~ cr(x, knots = 0, lower_bound = 5, upper_bound = 6)",
            "lie between 5 and 6",
        ),
        ("y ~ I(x * seq(1, 5, -1))", "seq() cannot go from 1 to 5 by -1"),
        ("y ~ relevel(f, ref = x)", "relevel() needs a level for 'ref', not a column"),
        ("y ~ pmin()", "pmin() needs at least one argument; write pmin(x, 0)"),
        ("y ~ max()", "max() needs a column of the data"),
        ("y ~ I(x - quantile(x, 0.5, type = 3))", "knows R's default, type = 7, only"),
        ("y ~ interaction(f)", "interaction() needs two factors or more"),
        ("y ~ I(poly(x, 2) %in% 3)", "a matrix cannot be looked for"),
        ("y ~ I(x %in% f)", "numbers are looked for among text"),
        ("y ~ ifelse(x > 0, 1, f)", "cannot choose between text and the number 1"),
        ("y ~ a::(x)", "the name of a function is missing after '::'"),
        ("y ~ x * offset(x)", "an offset cannot be part of a product"),
        ("y ~ log(offset(x))", "an offset is a term of its own"),
        ("y ~ x + offset(f)", "the offset 'f' is not numeric"),
        ("y ~ I(when)", "convert it to numbers, for example (data['the column'] - "),
        ("y ~ x | f*", "'*' cannot join absorbed factors"),
    ],
)
def test_what_a_formula_cannot_say(formula: str, words: str, data: pd.DataFrame) -> None:
    with pytest.raises((FormulaError, DataError)) as error:
        interlace.lm(formula, data)
    assert words in str(error.value)


def test_splines_without_their_mean(data: pd.DataFrame) -> None:
    """As R's mgcv: the columns of a cyclic or natural spline sum to zero, and span what varies of it."""
    for kind in ("cr", "cc"):
        plain = interlace.lm(f"y ~ 0 + {kind}(x, df=5)", data)
        centred = interlace.lm(f"y ~ {kind}(x, df=4, constraints='center')", data)
        X = centred.model_matrix().drop(columns="Intercept")
        np.testing.assert_allclose(X.sum(), 0, atol=1e-10)
        np.testing.assert_allclose(centred.fitted, plain.fitted, rtol=1e-9)
        new = {"x": [-0.3, 0.4]}
        np.testing.assert_allclose(centred.predict(new), plain.predict(new), rtol=1e-9)


def test_functions_are_given_copies(data: pd.DataFrame) -> None:
    before = data.copy()

    def spoils(x: Any) -> Any:
        kept = np.array(x)
        x[:] = 0.0
        return kept

    interlace.lm("y ~ spoils(x)", data)
    pd.testing.assert_frame_equal(data, before)


def test_numbers_beyond_those_of_floating_point(data: pd.DataFrame) -> None:
    wide = data.assign(x=np.arange(N) + 2**53)
    with pytest.raises(DataError, match=r"integers beyond 2\^53 cannot be computed with exactly"):
        interlace.lm("y ~ I(x - 1)", wide)


def test_a_mapping_is_any_mapping(data: pd.DataFrame) -> None:
    class Own(Mapping[str, Any]):
        """A mapping that is no dict."""

        def __init__(self, x: Any) -> None:
            self.held = {"p": x, "q": x**3}

        def __getitem__(self, key: str) -> Any:
            return self.held[key]

        def __iter__(self) -> Any:
            return iter(self.held)

        def __len__(self) -> int:
            return len(self.held)

    assert list(columns("y ~ u(x)", data, Own)) == ["Intercept", "u(x)[p]", "u(x)[q]"]
