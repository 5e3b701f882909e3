"""Each term by itself: products of the codings of its members are the columns of X, and so are means."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from interlace.design.encoding import Encoding
from interlace.design.frame import Frame
from interlace.design.learnt import Covariate
from interlace.design.products import FactorColumns, NumberColumns, multiplied
from interlace.design.reduced import SelectedBasis

RNG = np.random.default_rng(5)
N = 240
DATA = pd.DataFrame(
    {
        "y": RNG.normal(size=N),
        "x": RNG.normal(size=N),
        "z": RNG.uniform(1, 2, N),
        "a": np.tile(["p", "q", "r"], N // 3),
        "b": np.repeat(["u", "v"], N // 2),
        "o": pd.Categorical(np.tile(["lo", "mid", "mid", "hi"], N // 4), ["lo", "mid", "hi"], ordered=True),
        "flag": RNG.random(N) < 0.5,
        "g": np.arange(N) % 8,
    }
)
RIGHT = [
    "x",
    "0 + x + z",
    "a * b * x",
    "0 + a + b:x + o",
    "x:z + x:a",
    "poly(x, 2) * C(a, contr.sum) + flag:log(z)",
    "a:b",
    "a + a:b + poly(z, 2):o:flag",
    "1",
]


def encoded(right: str) -> tuple[Encoding, np.ndarray]:
    encoding, design = Encoding.learn(f"y ~ {right} + (1 | g)", DATA)
    return encoding, design.X


@pytest.mark.parametrize("right", RIGHT)
def test_products_of_the_members_are_the_columns(right: str) -> None:
    encoding, X = encoded(right)
    members = encoding.fixed.member_columns(
        {
            name: column
            for name, column in Encoding.learn(f"y ~ {right} + (1 | g)", DATA)[1].frame.columns.items()
        },
        N,
    )
    seen = np.zeros(X.shape[1], dtype=int)
    assert [(t.label, t.columns) for t in encoding.term_columns] == list(encoding.fixed_terms)
    for term, names in zip(encoding.term_columns, encoding.fixed.members, strict=True):
        assert term.members == names
        assert {*term.factors, *term.covariates} == set(names)
        assert all(term.factors[name] == encoding.fixed_factors[name].levels for name in term.factors)
        for one in term.products:
            parts = []
            for part in one.parts:
                values = members[part.name]  # of a factor: an indicator for each level
                parts.append(values @ part.matrix if isinstance(part, FactorColumns) else values)
                assert part.width == parts[-1].shape[1]
            np.testing.assert_allclose(multiplied(parts, N), X[:, one.columns], atol=1e-13)
            seen[one.columns] += 1
    np.testing.assert_array_equal(seen, 1)


@pytest.mark.parametrize("right", RIGHT)
def test_means_over_levels_need_no_grid(right: str) -> None:
    """The mean over a grid of all levels of the factors, at one value of each number."""
    encoding, _ = encoded(right)
    levels = {"a": list("pqr"), "b": list("uv"), "o": ["lo", "mid", "hi"], "flag": [False, True]}
    grid = pd.DataFrame(list(product(*levels.values())), columns=list(levels)).assign(
        x=0.3, z=1.4, g=0, y=0.0
    )
    grid["o"] = pd.Categorical(grid.o, levels["o"], ordered=True)
    expected = encoding.design(grid).X.mean(axis=0)
    numbers = encoding.fixed.member_columns(encoding.design(grid).frame.columns, len(grid))
    values = {name: rows[0] for name, rows in numbers.items()}
    for name, coding in encoding.fixed_factors.items():
        values[name] = np.full(len(coding.levels), 1 / len(coding.levels))
    found = np.concatenate([term.row(values) for term in encoding.term_columns])
    np.testing.assert_allclose(found, expected, atol=1e-13)
    # one level of one factor, the mean over the others
    for name, coding in encoding.fixed_factors.items():
        column = {"C(a, contr.sum)": "a"}.get(name, name)
        for i, level in enumerate(coding.levels):
            at = values | {name: np.eye(len(coding.levels))[i]}
            found = np.concatenate([term.row(at) for term in encoding.term_columns])
            expected = encoding.design(grid[grid[column] == level]).X.mean(axis=0)
            np.testing.assert_allclose(found, expected, atol=1e-13)


def test_some_columns_of_a_basis() -> None:
    encoding, X = encoded("a * x")
    basis = SelectedBasis(encoding.fixed, (0, 2, 3, 5))
    values = {"a": np.array([0.2, 0.5, 0.3]), "x": np.array([2.0])}
    whole = np.concatenate([term.row(values) for term in encoding.term_columns])
    found = np.concatenate([term.row(values) for term in basis.term_columns])
    np.testing.assert_array_equal(found, whole[[0, 2, 3, 5]])
    assert [(t.label, t.columns) for t in basis.term_columns] == list(basis.terms)
    one = SelectedBasis(encoding.fixed, (3,), constant=True)
    assert [term.row(values).tolist() for term in one.term_columns] == [[1.0], [2.0]]
    columns = Encoding.learn("y ~ a * x + (1 | g)", DATA)[1].frame.columns
    np.testing.assert_array_equal(basis.columns(columns, N).array(), X[:, [0, 2, 3, 5]])
    np.testing.assert_array_equal(one.columns(columns, N).array(), np.column_stack([np.ones(N), X[:, 3]]))


def test_kinds_of_members() -> None:
    encoding, _ = encoded("a:poly(x, 2) + flag")
    by_name = {p.name: p for t in encoding.term_columns for one in t.products for p in one.parts}
    assert isinstance(by_name["a"], FactorColumns)
    assert by_name["poly(x, 2)"] == NumberColumns("poly(x, 2)", 2, "poly")
    assert by_name["flag"].levels == (False, True)


def test_means_and_ranges_of_the_covariates() -> None:
    """Of columns, not of what is computed from them; of the rows used; without those of the random part."""
    data = DATA.assign(x=DATA.x.where(DATA.index != 3), n=np.arange(N), w=RNG.normal(size=N))
    encoding, _ = Encoding.learn("y ~ log(z) * a + I(x^2) + n + flag + (w | g)", data)
    used = data.drop(index=3)
    assert list(encoding.covariates) == ["z", "x", "n"] or set(encoding.covariates) == {"z", "x", "n"}
    for name, found in encoding.covariates.items():
        column = used[name]
        assert (found.n, found.low, found.high) == (N - 1, column.min(), column.max())
        assert found.mean == pytest.approx(column.mean(), rel=1e-14)
    one, two = (
        Covariate.of_columns(Frame({"x": part}, {}, len(part)), ["x"])["x"]
        for part in (used.x.to_numpy()[:50], used.x.to_numpy()[50:])
    )
    both = one + two
    assert (both.n, both.low, both.high) == (N - 1, used.x.min(), used.x.max())
    assert both.mean == pytest.approx(used.x.mean(), rel=1e-12)
