"""What an encoding learns stays learnt: new data, blocks, groups, names, offsets and weights."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace.design.encoding import Encoding
from interlace.errors import FormulaError, ModelError

RNG = np.random.default_rng(20)
N = 60


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "y": RNG.normal(size=N),
            "x": RNG.normal(3, 2, size=N),
            "z": RNG.uniform(1, 9, size=N),
            "my col": RNG.normal(size=N),
            "log.z": RNG.uniform(1, 2, size=N),
            "a": pd.Categorical(RNG.choice(["p", "q", "r"], N), categories=["r", "unused", "q", "p"]),
            "o": pd.Categorical(RNG.choice(["s", "m", "l"], N), categories=["s", "m", "l"], ordered=True),
            "b": RNG.choice(["u", "v"], N),
            "flag": RNG.random(N) < 0.5,
            "g": np.arange(N) % 6 + 1,
            "h": [f"h{i % 4}" for i in range(N)],
            "w": RNG.uniform(0.5, 2, N),
        },
        index=np.arange(N) + 100,
    )


FORMULAS = [
    "y ~ x + (x | g)",
    "y ~ x * a + (1 | g)",
    "log(z) ~ poly(x, 3) + (1 | g)",
    "y ~ scale(x) + center(z) + (scale(x) | g)",
    "y ~ bs(x, df=5) + ns(z, 3) + cs(w, df=4) + (1 | g)",
    "y ~ C(g, contr.sum) + factor(flag) + (1 | h)",
    "y ~ o + flag:a + (o || h)",
    "y ~ I(x^2) + I(x > 3) + `my col` + (0 + `my col` | g)",
    "y ~ log(log.z) + (1 | g:h)",
    "y ~ 0 + a + b + (poly(x, 2) | g) + (C(a) | h)",
    "scale(y) ~ x + offset(log(w)) + (1 | g/h)",
    "y ~ x + (1 | factor(g)) + (0 + x | g)",
    "y ~ np.sqrt(z) + pmin(pmax(z, 2), 5) + (1 | g)",
    "y ~ (a == 'p') * x + I(x > mean(x) & !flag) + (1 | g)",
    "y ~ (a - 1) * x + I(z %/% 2 + z %% 2) + (1 | cut(z, 3))",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_any_subset_is_encoded_like_the_whole(formula: str, data: pd.DataFrame) -> None:
    encoding, whole = Encoding.learn(formula, data)
    encoding = pickle.loads(pickle.dumps(encoding))
    for rows in (np.arange(N), np.array([3]), np.array([17, 4, 4, 40]), np.flatnonzero(data["a"] == "p")):
        part = encoding.design(data.iloc[rows])
        np.testing.assert_array_equal(part.X, whole.X[rows])
        assert part.y is not None and whole.y is not None
        np.testing.assert_array_equal(part.y, whole.y[rows])
        for ours, theirs in zip(part.random, whole.random, strict=True):
            np.testing.assert_array_equal(ours.codes, theirs.codes[rows])
            np.testing.assert_array_equal(ours.z, theirs.z[rows])
        if whole.offset is not None:
            assert part.offset is not None
            np.testing.assert_array_equal(part.offset, whole.offset[rows])


def test_an_encoding_holds_no_rows(data: pd.DataFrame) -> None:
    formula = "log(z) ~ poly(x, 3) + a * b + C(o) + scale(w) + (x | g) + (1 | g:h)"
    big = pd.concat([data] * 40, ignore_index=True)
    small = pickle.dumps(Encoding.learn(formula, data)[0])
    assert abs(len(pickle.dumps(Encoding.learn(formula, big)[0])) - len(small)) < 200


def test_unused_levels_are_dropped_and_labels_matched_by_name(data: pd.DataFrame) -> None:
    encoding, _ = Encoding.learn("y ~ a + (1 | h)", data)
    assert encoding.fixed_names == ("Intercept", "a[T.q]", "a[T.p]")
    assert encoding.fixed_factors["a"].levels == ("r", "q", "p")
    new = {"a": ["p", "r", "q"], "h": pd.Categorical(["h3", "new", "h0"])}
    design = encoding.design(new)
    np.testing.assert_array_equal(design.X, [[1, 0, 1], [1, 0, 0], [1, 1, 0]])
    assert design.random[0].codes.tolist() == [3, -1, 0]
    assert design.y is None


def test_terms_and_their_columns(data: pd.DataFrame) -> None:
    encoding, _ = Encoding.learn("y ~ x + a + x:a + (1 | g)", data)
    assert encoding.fixed_terms == (
        ("1", slice(0, 1)),
        ("x", slice(1, 2)),
        ("a", slice(2, 4)),
        ("x:a", slice(4, 6)),
    )
    assert encoding.intercept == 0
    assert Encoding.learn("y ~ 0 + x + (1 | g)", data)[0].intercept is None
    assert Encoding.learn("y ~ 0 + (1 | g)", data)[1].X.shape == (N, 0)


def test_direct_columns_equal_those_of_expressions(data: pd.DataFrame) -> None:
    direct, fast = Encoding.learn("y ~ x + `my col` + z + (1 | g)", data)
    through, slow = Encoding.learn("y ~ x + `my col` + {z} + (1 | g)", data)
    assert type(direct.fixed) is not type(through.fixed)
    assert direct.fixed_names == through.fixed_names
    assert direct.fixed_terms == through.fixed_terms
    np.testing.assert_array_equal(fast.X, slow.X)


def test_double_bar_gives_a_block_for_each_term(data: pd.DataFrame) -> None:
    encoding, design = Encoding.learn("y ~ 1 + (x + a || g)", data)
    assert [block.columns for block in encoding.random] == [
        ("Intercept",),
        ("a[r]", "a[q]", "a[p]"),
        ("x",),
    ] or [block.columns for block in encoding.random] == [("Intercept",), ("x",), ("a[r]", "a[q]", "a[p]")]
    assert [block.term for block in encoding.random] == [0, 0, 0]
    assert encoding.random[0].intercept == 0 and encoding.random[1].intercept is None
    np.testing.assert_array_equal(design.random[2].z.sum(axis=1), 1)


def test_blocks_of_one_factor_share_codes(data: pd.DataFrame) -> None:
    encoding, design = Encoding.learn("y ~ x + (1 | g) + (0 + x | g) + (1 | h)", data)
    assert design.random[0].codes is design.random[1].codes
    assert encoding.random[0].grouping is encoding.random[1].grouping
    again = encoding.design(data)
    assert again.random[0].codes is again.random[1].codes


def test_products_have_the_combinations_that_occur_in_order() -> None:
    rows = [("b", 2), ("a", 10), ("b", 10), ("a", 10), ("b", 2), ("a", 9)]
    frame = pd.DataFrame(rows, columns=["p", "q"]).assign(y=np.arange(6.0))
    encoding, design = Encoding.learn("y ~ 1 + (1 | p:q)", frame)
    assert encoding.random[0].levels.tolist() == ["a:9", "a:10", "b:2", "b:10"]
    assert design.random[0].codes.tolist() == [2, 1, 3, 1, 2, 0]
    new = encoding.design({"p": ["a", "b", "c", "b"], "q": [2, 2, 2, 11]})
    assert new.random[0].codes.tolist() == [-1, 2, -1, -1]


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ([3, -5, 3, 10**15], [-5, 3, 10**15]),
        (np.array([200, 3, 255, 3], dtype=np.uint8), [3, 200, 255]),
        (["b", "ä", "a", "b"], ["a", "b", "ä"]),
        ([True, False, True, True], [False, True]),
        (pd.Categorical(["z", "a", "z", "a"], categories=["z", "m", "a"]), ["z", "a"]),
        (pd.Categorical([2, 1, 2, 1], categories=[2, 1]), [2, 1]),
        (
            pd.to_datetime(["2020-01-02", "2019-05-01"] * 2),
            [pd.Timestamp("2019-05-01"), pd.Timestamp("2020-01-02")],
        ),
    ],
    ids=["int", "uint8", "str", "bool", "categorical", "categorical of int", "date"],
)
def test_kinds_of_grouping_factors(values: Any, levels: list[Any]) -> None:
    encoding, design = Encoding.learn("y ~ 1 + (1 | g)", {"y": [1.0, 2, 3, 5], "g": values})
    assert [
        pd.Timestamp(v) if isinstance(v, np.datetime64) else v for v in encoding.random[0].levels
    ] == levels
    decoded = encoding.random[0].levels[design.random[0].codes]
    assert np.array_equal(decoded, np.asarray(values)) or list(decoded) == list(values)


def test_user_functions_are_captured_and_nothing_else(data: pd.DataFrame) -> None:
    context = {"double": _double, "knots": [2.0, 4.0], "unused": object(), "scale": None}
    encoding, design = Encoding.learn(
        "y ~ double(x) + ns(z, knots=knots) + scale(x) + (1 | g)", data, context=context
    )
    assert set(encoding.context) == {"double", "knots"}
    np.testing.assert_array_equal(design.X[:, 1], 2 * data["x"])
    again = pickle.loads(pickle.dumps(encoding)).design(data.iloc[:5])
    np.testing.assert_array_equal(again.X, design.X[:5])


def _double(x: Any) -> Any:
    return 2 * x


def test_dot_is_every_other_column(data: pd.DataFrame) -> None:
    few = data[["y", "x", "my col", "g", "w"]]
    encoding, _ = Encoding.learn("y ~ . + (1 | g)", few, weights="w")
    assert encoding.fixed_names == ("Intercept", "x", "my col")
    assert str(encoding.formula) == "y ~ 1 + x + `my col` + (1 | g)"


def test_unicode_names_inside_calls() -> None:
    values = np.linspace(1, 2, 6)
    frame = {"y": values**2, "µ": values, "größe": values, "g": [1, 2] * 3}
    _, design = Encoding.learn("y ~ log(µ) + I(größe * 2) + (1 | g)", frame)
    np.testing.assert_allclose(design.X[:, 1:], np.column_stack([np.log(values), 2 * values]))


def test_offsets_add_up_and_weights_are_kept(data: pd.DataFrame) -> None:
    encoding, design = Encoding.learn(
        "y ~ x + offset(z) + offset(2 * w) + (1 | g)", data, offset=np.arange(N), weights="w"
    )
    np.testing.assert_allclose(design.offset, data["z"] + 2 * data["w"] + np.arange(N))
    np.testing.assert_array_equal(design.weights, data["w"])
    assert (encoding.weights, encoding.offset) == ("w", "(array)")
    new = encoding.design(data.iloc[:3], offset=[5, 6, 7])
    np.testing.assert_allclose(new.offset, data["z"].iloc[:3] + 2 * data["w"].iloc[:3] + [5, 6, 7])
    named, _ = Encoding.learn("y ~ x + (1 | g)", data, offset="z")
    np.testing.assert_array_equal(named.design(data.iloc[4:6]).offset, data["z"].iloc[4:6])


def test_missing_weights_drop_rows(data: pd.DataFrame) -> None:
    weights = data["w"].to_numpy().copy()
    weights[7] = np.nan
    _, design = Encoding.learn("y ~ x + (1 | g)", data, weights=weights)
    assert design.nrows == N - 1 and dict(design.missing) == {"weights": 1}
    assert design.weights is not None and len(design.weights) == N - 1
    assert 7 not in design.kept


def test_new_data_need_only_what_is_asked_for(data: pd.DataFrame) -> None:
    encoding, _ = Encoding.learn("y ~ x + (z | g) + (1 | h)", data)
    design = encoding.design({"x": [1.0, np.nan, 3.0]}, random={})
    assert design.kept is not None and design.kept.tolist() == [0, 2]
    assert [rows.codes.tolist() for rows in design.random] == [[-1, -1], [-1, -1]]
    assert design.random[0].z.shape == (2, 2) and not design.random[0].z.any()
    only = encoding.design({"x": [1.0], "h": ["h2"]}, random={1: (0,)})
    assert only.random[1].codes.tolist() == [2]


def test_a_response_with_gaps_is_no_response_unless_required(data: pd.DataFrame) -> None:
    encoding, _ = Encoding.learn("log(z) ~ x + (1 | g)", data)
    new = data.iloc[:4].assign(z=[1.0, np.nan, 2.0, 3.0])
    assert encoding.design(new).y is None and encoding.design(new).nrows == 4
    required = encoding.design(new, response="required")
    np.testing.assert_allclose(required.y, np.log([1, 2, 3]))


def test_ordered_factors_have_polynomial_contrasts(data: pd.DataFrame) -> None:
    assert Encoding.learn("y ~ o + (1 | g)", data)[0].fixed_names == ("Intercept", "o[.L]", "o[.Q]")
    assert Encoding.learn("y ~ o + (1 | g)", data, contrasts={"o": "treatment"})[0].fixed_names[1:] == (
        "o[T.m]",
        "o[T.l]",
    )


@pytest.mark.parametrize(
    ("formula", "contrasts", "named"),
    [
        ("y ~ o + (1 | g)", None, ("o",)),
        ("y ~ x + (o | g)", None, ("o",)),
        ("y ~ ordered(b) + a + (1 | g)", None, ("ordered(b)",)),
        ("y ~ o + (1 | g)", {"o": "treatment"}, ()),
        ("y ~ C(a, contr.poly) + (1 | g)", None, ()),
        ("y ~ C(o, contr.sum) + x + (1 | g)", None, ()),
    ],
)
def test_polynomials_are_named_where_an_order_made_them(
    formula: str, contrasts: Any, named: tuple[str, ...], data: pd.DataFrame
) -> None:
    assert Encoding.learn(formula, data, contrasts=contrasts)[0].polynomials == named


def test_functions_are_found_beside_columns_of_their_name() -> None:
    # A hospital data set has a column `center` as a matter of course.
    values = np.linspace(1, 4, 8)
    frame = {"y": values**2, "center": [1, 2] * 4, "log": values, "x": values}
    encoding, design = Encoding.learn("log(y) ~ center(x) + log(log) + (1 | center)", frame)
    assert encoding.fixed_names == ("Intercept", "center(x)", "log(log)")
    np.testing.assert_allclose(design.X[:, 1:], np.column_stack([values - 2.5, np.log(values)]))
    np.testing.assert_array_equal(encoding.design({n: v[:3] for n, v in frame.items()}).X, design.X[:3])


def test_powers_are_named_from_one(data: pd.DataFrame) -> None:
    encoding, _ = Encoding.learn("y ~ poly(x, 2, raw=TRUE) + (1 | g)", data)
    assert encoding.fixed_names[1:] == ("poly(x, 2, raw=True)[1]", "poly(x, 2, raw=True)[2]")


def test_the_same_columns_are_learnt_once() -> None:
    data = {"y": [1.0, 2, 4, 3, 5, 7], "x": [1, 2, 3, 4, 5, 6], "f": ["u", "v"] * 3, "g": [1, 1, 1, 2, 2, 2]}
    encoding, design = Encoding.learn("y ~ x + (x | g)", data)
    assert encoding.fixed is encoding.random[0].basis and design.X is design.random[0].z
    encoding, design = Encoding.learn("y ~ f + (f | g)", data, contrasts={"f": "sum"})
    assert encoding.fixed_names[1:] == ("f[S.u]",) and encoding.fixed is encoding.random[0].basis


def test_wide_interactions_are_quick_or_refused(data: pd.DataFrame) -> None:
    flags = {f"c{i}": RNG.random(N) < 0.5 for i in range(18)}
    wide = {**data.to_dict("series"), **flags}
    _, design = Encoding.learn(f"y ~ {':'.join(list(flags)[:10])} + (1 | g)", wide)
    assert design.X.shape == (N, 2**10) and np.linalg.matrix_rank(design.X) <= N
    with pytest.raises(FormulaError, match="more than 16 factors"):
        Encoding.learn(f"y ~ {':'.join(list(flags)[:17])} + (1 | g)", wide)
    many = {"y": np.arange(1200.0), "p": [f"p{i}" for i in range(1200)], "g": np.arange(1200) % 7}
    many["q"] = many["p"][::-1]
    with pytest.raises(ModelError, match=r"'p:q' has 1,43[89],[0-9]{3} columns"):
        Encoding.learn("y ~ p:q + (1 | g)", many)


def test_names_do_not_depend_on_what_was_learnt_before() -> None:
    table = {"y": [1.0, 2, 4, 3, 5, 7], "g": [1, 1, 1, 2, 2, 2]}
    for values, name in (([0, 1] * 3, "factor(f)[T.1]"), ([False, True] * 3, "factor(f)[T.True]")) * 2:
        assert Encoding.learn("y ~ factor(f) + (1 | g)", {**table, "f": values})[0].fixed_names[1] == name
    for values, name in (([False, True] * 3, "f[T.True]"), ([0, 1] * 3, "f")) * 2:
        assert Encoding.learn("y ~ f + (1 | g)", {**table, "f": values})[0].fixed_names[1] == name
    for text, name in (("1", "I(f * 1)"), ("1.0", "I(f * 1.0)"), ("TRUE", "I(f * True)")) * 2:
        learnt = Encoding.learn(f"y ~ I(f * {text}) + (1 | g)", {**table, "f": [0, 1] * 3})[0]
        assert learnt.fixed_names[1] == name
