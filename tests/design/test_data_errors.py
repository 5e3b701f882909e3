"""Data that are refused: what is wrong, where, and what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace.design.encoding import Encoding
from interlace.errors import DataError, FormulaError, InterlaceError, ModelError


def frame(**changed: Any) -> dict[str, Any]:
    base = {
        "y": [1.0, 2, 3, 5, 8, 13, 21, 34],
        "x": [1.0, 2, 3, 4, 5, 6, 7, 8],
        "a": ["u", "v"] * 4,
        "g": [1, 1, 2, 2, 3, 3, 4, 4],
    }
    return {**base, **changed}


def refused(formula: str, data: Any, **options: Any) -> InterlaceError:
    with pytest.raises(InterlaceError) as caught:
        Encoding.learn(formula, data, **options)
    return caught.value


@pytest.mark.parametrize(
    ("formula", "data", "kind", "words"),
    [
        ("y ~ x + (1|g)", frame(y=["a"] * 8), DataError, ["response 'y' is not numeric", "'a'"]),
        ("y ~ x + (1|g)", frame(y=[7.0] * 8), DataError, ["response 'y' is constant", "7"]),
        ("y ~ x + (1|g)", frame(y=[1, 2, np.inf, 3, 4, 5, 6, 7]), DataError, ["'y' is inf at row 2"]),
        (
            "y ~ x + (1|g)",
            frame(x=[1, 2, 3, 4, -np.inf, 5, np.inf, 7]),
            DataError,
            ["'x' is -inf at row 4", "2 such"],
        ),
        ("y ~ log(x) + (1|g)", frame(x=[1, 2, 3, 0, 4, 5, 6, 7]), DataError, ["'log(x)' is -inf at row 3"]),
        ("log(y) ~ x + (1|g)", frame(y=[1, 2, 3, 4, 5, 0, 6, 7]), DataError, ["'log(y)' is -inf at row 5"]),
        ("y ~ sqrt(x) + (1|g)", frame(x=[1, 2, 3, 4, 5, 6, -7, 8]), DataError, ["'sqrt(x)' is nan at row 6"]),
        ("y ~ 1 + (log(x)|g)", frame(x=[0, 2, 3, 4, 5, 6, 7, 8]), DataError, ["'log(x)' is -inf at row 0"]),
        (
            "y ~ x + offset(log(x)) + (1|g)",
            frame(x=[0, 1, 2, 3, 4, 5, 6, 7]),
            DataError,
            ["'log(x)' is -inf"],
        ),
        (
            "y ~ x + (1|g)",
            frame(g=[1.5, 1.5, 2, 2, 3, 3, 4, 4]),
            DataError,
            ["'g' holds numbers that are not whole, such as 1.5", "factor(g)"],
        ),
        ("y ~ x + (1|g)", frame(g=[7] * 8), DataError, ["> 1 sampled level", "'g' has 1"]),
        ("y ~ a + (1|g)", frame(a=["u"] * 8), DataError, ["factor 'a' has one level only", "'u'"]),
        ("y ~ flag + (1|g)", frame(flag=[True] * 8), DataError, ["factor 'flag' has one level only"]),
        (
            "y ~ d + (1|g)",
            frame(d=pd.date_range("2020", periods=8)),
            DataError,
            ["'d' has values of type datetime64"],
        ),
        ("y ~ x + (1|g)", frame(x=[1, 2, 3, 4, 5, 6, 7, "8"]), DataError, ["column 'x' mixes", "int, str"]),
        ("y ~ x + (1|g)", {k: [] for k in frame()}, DataError, ["no rows"]),
        ("y ~ x + (1|g)", frame(x=[np.nan] * 8), DataError, ["every one of the 8 rows", "'x' 8"]),
        ("y ~ x + (1|g)", frame(x=[1, 2]), DataError, ["column 'x' has 2 values, others have 8"]),
        ("y ~ x + (1|g)", frame(x=np.zeros((8, 2))), DataError, ["column 'x' has 2 dimensions"]),
        ("y ~ x + (1|g)", frame(x=np.arange(8) * 1j), DataError, ["column 'x'", "complex"]),
        ("y ~ factor(a, levels=['u']) + x + (1|g)", frame(), DataError, ["one level only"]),
        ("y ~ factor(k, levels=[1, 2]) + (1|g)", frame(k=[1, 2, 3, 1] * 2), DataError, ["no level at row 2"]),
        (
            "y ~ 1 + (1|factor(k, levels=[1, 2]))",
            frame(k=[1, 2, 3, 1] * 2),
            DataError,
            ["rows without a level"],
        ),
        ("y ~ I(x - x.mean()) + (1|g)", frame(), FormulaError, ["columns have no methods", "write mean(x)"]),
        ("y ~ np.cumsum(x) + (1|g)", frame(), FormulaError, ["'np.cumsum' cannot be called", "ufuncs"]),
        ("y ~ poly(x, 8) + (1|g)", frame(), DataError, ["degree 8 of 'poly(x, 8)' must be less than"]),
        ("y ~ log(a) + (1|g)", frame(), DataError, ["log() needs numbers", "'a' holds categories"]),
        (
            "y ~ poly(x, 2) + bs(x, df=1) + (1|g)",
            frame(),
            DataError,
            ["'bs(x, df=1)' needs df of at least 3"],
        ),
        ("y ~ offset(a) + (1|g)", frame(), DataError, ["offset 'a' is not numeric"]),
    ],
)
def test_refused(formula: str, data: Any, kind: type[Exception], words: list[str]) -> None:
    error = refused(formula, data)
    assert isinstance(error, kind)
    for word in words:
        assert word in str(error)


@pytest.mark.parametrize(
    ("formula", "words", "rest"),
    [
        ("y ~ X + (1|g)", "no column 'X'; did you mean 'x'", "X + (1|g)"),
        ("y ~ x + (1|group)", "no column 'group'", "group)"),
        ("Y ~ x + (1|g)", "no column 'Y'; did you mean 'y'", "Y ~ x + (1|g)"),
        ("y ~ log(xx) + (1|g)", "no column 'xx'; did you mean 'x'", "xx) + (1|g)"),
        ("y ~ x + (z|g)", "no column 'z'", "z|g)"),
        ("y ~ `my x` + (1|g)", "no column 'my x'", "`my x` + (1|g)"),
        ("y ~ np.load(x) + (1|g)", "write my_load = np.load", "np.load(x) + (1|g)"),
        ("y ~ np.mean(x) + (1|g)", "write mean(x)", "np.mean(x) + (1|g)"),
        ("y ~ np.core.os.system(x) + (1|g)", "'np.core.os.system' cannot", "np.core.os.system(x) + (1|g)"),
        ("y ~ sclae(x) + (1|g)", "no function 'sclae'; did you mean 'scale'", "sclae(x) + (1|g)"),
        ("y ~ wobble(x) + (1|g)", "no function 'wobble'; define it", "wobble(x) + (1|g)"),
        ("y ~ x + I(a + 1) + (1|g)", "in 'a + 1' a column of categories cannot be taken", "I(a + 1) + (1|g)"),
        ("y ~ x + log(x, base=2, 3) + (1|g)", "log() has", "log(x, base=2, 3) + (1|g)"),
    ],
)
def test_refused_with_a_caret(formula: str, words: str, rest: str) -> None:
    error = refused(formula, frame())
    assert isinstance(error, FormulaError)
    assert words in error.message
    assert error.text == formula and error.position is not None
    assert formula[error.position :] == rest


@pytest.mark.parametrize("columns", ["1 + one | g", "x + one | g", "1 + one || g"])
def test_a_constant_column_beside_a_random_intercept(columns: str) -> None:
    data = frame(g=[1, 1, 1, 1, 2, 2, 2, 2], one=[3.0] * 8)
    error = refused(f"y ~ x + ({columns})", data)
    assert isinstance(error, ModelError)
    assert "'one'" in str(error) and "for 'g' is constant (always 3)" in str(error)
    assert "repeats the intercept; leave it out" in str(error)


def test_a_constant_column_alone_is_a_random_intercept() -> None:
    _, design = Encoding.learn("y ~ x + (0 + one | g)", frame(one=[3.0] * 8))
    assert (design.random[0].z == 3.0).all()


def test_missing_values_can_be_refused() -> None:
    error = refused("y ~ x + (1|g)", frame(x=[1, None, 3, 4, 5, 6, None, 8]), na_action="raise")
    assert "'x' 2" in str(error) and "na_action='drop'" in str(error)


def test_the_row_named_is_the_callers() -> None:
    error = refused("y ~ log(x) + (1|g)", frame(x=[1, np.nan, 3, 0, 5, 6, 7, 8]))
    assert "at row 3" in str(error)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([1, 1, 0, 1, 1, 1, 1, 1], "row 2 (counted from 0) has 0"),
        ([1, 1, 1, -2, 1, 1, 1, 1], "has -2"),
        ([1, np.inf, 1, 1, 1, 1, 1, 1], "has inf"),
        ([1, 2], "weights has 2 values, the data have 8 rows"),
        ("v", "no column 'v'"),
        ("a", "weights 'a' must be numeric"),
        (["a"] * 8, "weights must be numeric"),
        (3.0, "one value per row"),
    ],
)
def test_weights_refused(weights: Any, words: str) -> None:
    error = refused("y ~ x + (1|g)", frame(), weights=weights)
    assert isinstance(error, DataError) and words in str(error)


def test_offset_refused() -> None:
    assert "offset has 2 values" in str(refused("y ~ x + (1|g)", frame(), offset=[1, 2]))
    assert "'offset' is inf at row 1" in str(refused("y ~ x + (1|g)", frame(), offset=[1, np.inf, *[0] * 6]))
    for size, formula in ((2e70, "y ~ x + (1|g)"), (1e300, "y ~ x + offset(far) + (1|g)")):
        far = np.r_[size, np.zeros(7)]
        given = {} if "far" in formula else {"offset": far}
        assert "too large for floating-point" in str(refused(formula, {**frame(), "far": far}, **given))
    Encoding.learn("y ~ x + (1|g)", frame(), offset=np.r_[1e-300, 1e70, np.zeros(6)])
    encoding, _ = Encoding.learn("y ~ x + (1|g)", frame(), offset=np.arange(8))
    with pytest.raises(DataError, match=r"fitted with an offset array.*predict\(newdata, offset="):
        encoding.design(frame())


def test_a_series_in_another_order_is_refused() -> None:
    data = pd.DataFrame(frame())
    shuffled = pd.Series(np.ones(8), index=range(7, -1, -1))
    assert "index of weights is not the index of the data" in str(
        refused("y ~ x + (1|g)", data, weights=shuffled)
    )


@pytest.mark.parametrize(
    ("contrasts", "words"),
    [
        ({"a": "summ"}, "no contrast named 'summ'"),
        ({"b": "sum"}, "contrasts are given for 'b'"),
        ({"a": np.eye(3)}, "has 3 rows; the factor has 2 levels"),
        ({"a": 3}, "neither a name nor a matrix"),
        ("sum", "contrasts={'a': 'sum'}, not 'sum'"),
        (["sum"], "contrasts={'a': 'sum'}, not ['sum']"),
    ],
)
def test_contrasts_refused(contrasts: dict[str, Any], words: str) -> None:
    assert words in str(refused("y ~ a + (1|g)", frame(), contrasts=contrasts))


def test_contrasts_of_a_numeric_column_are_refused() -> None:
    for formula in ("y ~ x + (1|g)", "y ~ x + a + (1|g)"):
        assert "'x', which is not a categorical factor" in str(
            refused(formula, frame(), contrasts={"x": "sum"})
        )
    assert "which is in the model as C(a)" in str(
        refused("y ~ C(a) + (1|g)", frame(), contrasts={"a": "sum"})
    )
    coded, _ = Encoding.learn("y ~ C(a) + (1|g)", frame(), contrasts={"C(a)": "sum"})
    assert coded.fixed_names == ("Intercept", "C(a)[S.u]")


def test_the_same_random_effect_twice_is_refused_by_its_columns() -> None:
    assert "'x' for the grouping factor 'g'" in str(
        refused("y ~ (0 + x|g) + (0 + x:a|g) + (0 + x + a|g)", frame())
    )


def test_unseen_level_of_a_fixed_factor() -> None:
    encoding, _ = Encoding.learn("y ~ a + (1|g)", frame())
    with pytest.raises(DataError, match=r"'a' has a level that the fit has not seen: 'w'.*known: u, v"):
        encoding.design({"a": ["u", "w"], "g": [1, 2]})


def test_unseen_levels_that_differ_by_type() -> None:
    encoding, _ = Encoding.learn("y ~ factor(k) + (1|g)", frame(k=[1.0, 2.0] * 4))
    with pytest.raises(DataError, match=r"'7'.* known: 1, 2$"):
        encoding.design({"k": [1, 7], "g": [1, 2]})
    encoding, _ = Encoding.learn("y ~ factor(k) + (1|g)", frame(k=[1, 2] * 4))
    with pytest.raises(DataError, match="known: 1, 2; '1' is of type str here and of type int in the fit"):
        encoding.design({"k": ["1", "2"], "g": [1, 2]})


def test_new_data_of_another_kind() -> None:
    encoding, _ = Encoding.learn("y ~ x + (1|g)", frame())
    with pytest.raises(DataError, match="column 'x' is a factor, the model needs numbers"):
        encoding.design({"x": ["one", "two"], "g": [1, 2]})
    with pytest.raises(DataError, match="no column 'x'"):
        encoding.design({"g": [1, 2]})
    with pytest.raises(DataError, match="no column 'g'"):
        encoding.design({"x": [1.0, 2]})


@pytest.mark.parametrize(
    "formula", ["y ~ Intercept + (1|g)", "y ~ 0 + Intercept + (1|g)", "y ~ (x * Intercept|g)"]
)
def test_a_column_called_intercept_is_refused(formula: str) -> None:
    error = refused(formula, frame(Intercept=[1.0, 2, 4, 3] * 2))
    assert isinstance(error, FormulaError) and "could not be told from the intercept" in str(error)
    assert error.position == formula.index("Intercept")
    _, design = Encoding.learn("Intercept ~ x + (1|g)", frame(Intercept=[1.0, 2, 4, 3] * 2))
    assert design.X.shape == (8, 2)


def test_a_grouping_factor_called_residual_is_refused() -> None:
    error = refused("y ~ x + (1|Residual)", frame(Residual=[1, 1, 2, 2] * 2))
    assert isinstance(error, FormulaError) and error.position == 11
    assert "residual variance" in str(error)


def test_functions_of_the_caller_must_not_look_at_other_rows() -> None:
    error = refused("y ~ demeaned(x) + (1|g)", frame(), context={"demeaned": lambda x: x - x.mean()})
    assert isinstance(error, FormulaError)
    assert "computed on some of the rows" in str(error) and "center()" in str(error)
    Encoding.learn("y ~ doubled(x) + (1|g)", frame(), context={"doubled": lambda x: 2 * x})


def test_a_function_of_the_caller_that_fails_is_named() -> None:
    error = refused("y ~ x + broken(x) + (1|g)", frame(), context={"broken": lambda x: x["no"]})
    assert isinstance(error, FormulaError) and error.position == 8
    assert "'broken(x)' cannot be evaluated: KeyError" in str(error)


def test_a_logical_response_counts_as_0_and_1() -> None:
    _, design = Encoding.learn("y ~ x + (1|g)", frame(y=[True, False] * 4))
    assert design.y is not None and design.y.tolist() == [1, 0] * 4
    _, design = Encoding.learn("(x > 4) ~ a + (1|g)", frame())
    assert design.y is not None and design.y.tolist() == [0] * 4 + [1] * 4


@pytest.mark.parametrize(("scale", "word"), [(1e150, "large"), (1e-150, "small")])
def test_values_whose_powers_overflow_are_refused(scale: float, word: str) -> None:
    data = frame()
    for column, formula in (("y", "y ~ x + (1|g)"), ("x", "y ~ a + x + (1|g)"), ("x", "y ~ (0 + x|g)")):
        scaled = {**data, column: np.array(data[column]) * scale}
        assert f"'{column}' are too {word}" in str(refused(formula, scaled))
        Encoding.learn(formula, {**data, column: np.array(data[column]) * scale ** (1 / 3)})


def test_unused_columns_may_be_anything() -> None:
    data = frame(junk=[object()] * 8, nothing=[None] * 8)
    _, design = Encoding.learn("y ~ x + (1|g)", data)
    assert design.nrows == 8


def test_product_with_too_many_combinations_is_refused() -> None:
    n = 70_000
    wide = {name: np.arange(n) for name in "bcde"}
    error = refused("y ~ 1 + (1|b:c:d:e)", {"y": np.arange(n) % 7, **wide})
    assert "too many combinations" in str(error)


@pytest.mark.parametrize(
    ("formula", "word"),
    [
        ("y ~ a:x + (1 | g)", "'a[u]:x' is inf at row 2"),
        ("y ~ a*x + (1 | g)", "'x' is inf at row 2"),
        ("y ~ k:x + (1 | g)", "'k:x' is nan at row 2"),
        ("y ~ 1 + (0 + k:x | g)", "'k:x' is nan at row 2"),
        ("y ~ h:h2 + (1 | g)", "'h:h2' is inf at row 1"),
    ],
)
def test_products_that_are_no_numbers_are_refused(formula: str, word: str) -> None:
    """Zero times infinity, and what overflows, by name and without a warning of NumPy's."""
    large = [1.0, 1e200, 2, 3, 4, 5, 6, 7]
    data = frame(x=[1, 2, np.inf, 4, 5, 6, 7, 8], k=[0.0, 1] * 4, h=large, h2=large)
    assert word in str(refused(formula, data))


def test_whole_numbers_beyond_floating_point_are_refused() -> None:
    for last in (2, 2.5, None):
        message = str(refused("y ~ x + (1 | g)", frame(x=[10**400, 1, 2, 3, 4, 5, 6, last])))
        assert "'x' holds whole numbers that are too large" in message
    assert "'g' holds" in str(refused("y ~ x + (1 | g)", frame(g=[10**400, 10**401] * 4)))
    assert "'weights' holds" in str(refused("y ~ x + (1 | g)", frame(), weights=[10**400] * 8))
    _, design = Encoding.learn("y ~ x + (1 | g)", frame(x=[10**100, 1, 2, 3, 4, 5, 6, 7]))
    assert design.X[0, 1] == 1e100


def test_contrasts_of_a_factor_with_a_coding_of_its_own_are_refused() -> None:
    formula = "y ~ C(a, contr.sum) + (1 | g)"
    own = refused(formula, frame(), contrasts={"C(a, contr.sum)": "helmert"})
    assert "chooses its coding in the formula: leave one of the two out" in str(own)
    inside = str(refused(formula, frame(), contrasts={"a": "helmert"}))
    assert "which is in the model as C(a, contr.sum): write contrasts={'C(a, contr.sum)': ...}" in inside
    assert "not a categorical factor of the model" in str(refused(formula, frame(), contrasts={"C": "sum"}))


@pytest.mark.parametrize(
    ("name", "value"), [("pi", "3.14159"), ("T", "True"), ("F", "False"), ("Inf", "inf"), ("NA", "nan")]
)
def test_constants_are_no_terms(name: str, value: str) -> None:
    for formula in (f"y ~ x + {name} + (1 | g)", f"y ~ x:{name} + (1 | g)", f"y ~ x + ({name} | g)"):
        error = refused(formula, frame())
        assert isinstance(error, FormulaError) and f"'{name}' is the constant {value} here" in str(error)
    encoding, _ = Encoding.learn(f"y ~ {name} + (1 | g)", frame(**{name: [1.0, 2, 3, 5, 8, 13, 21, 30]}))
    assert encoding.fixed_names == ("Intercept", name)
