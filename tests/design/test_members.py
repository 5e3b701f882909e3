"""Terms taken apart: their members, the columns of each, and models without one of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from interlace.design.encoding import Encoding
from interlace.design.evaluation import Evaluator
from interlace.design.rows import FrameRows
from interlace.design.without import Without
from interlace.errors import DataError

DATA = pd.DataFrame(
    {
        "y": [1.0, 2, 4, 3, 5, 7, 6, 9, 8, 3, 2, 5],
        "x": np.arange(12) % 5 + 0.5,
        "my z": np.arange(12.0) ** 2,
        "a": list("pqr" * 4),
        "b": list("uuvv" * 3),
        "g": list("mmmnnnoookkk"),
    }
)


def test_members_and_their_columns() -> None:
    encoding, design = Encoding.learn("y ~ a * poly(x, 2) + b:`my z` + (1 | g)", DATA, contrasts={"a": "sum"})
    assert [label for label, _ in encoding.fixed_terms][:2] == ["1", "a"]
    assert encoding.fixed.members == ((), ("a",), ("poly(x, 2)",), ("a", "poly(x, 2)"), ("b", "my z"))
    columns = encoding.fixed.member_columns(design.frame.columns, design.nrows)
    assert list(columns) == ["a", "poly(x, 2)", "b", "my z"]
    np.testing.assert_array_equal(columns["a"], DATA["a"].to_numpy()[:, None] == np.array(["p", "q", "r"]))
    np.testing.assert_array_equal(columns["b"], DATA["b"].to_numpy()[:, None] == np.array(["u", "v"]))
    np.testing.assert_array_equal(columns["my z"][:, 0], DATA["my z"])
    at = dict(encoding.fixed_terms)["poly(x, 2)"]
    np.testing.assert_allclose(columns["poly(x, 2)"], design.X[:, at])


def test_members_of_numeric_columns() -> None:
    encoding, design = Encoding.learn("y ~ x + (1 | g)", DATA)
    assert encoding.fixed.members == ((), ("x",))
    columns = encoding.fixed.member_columns(design.frame.columns, design.nrows)
    np.testing.assert_array_equal(columns["x"], DATA[["x"]])


@pytest.mark.parametrize(
    ("formula", "term", "same_as"),
    [
        ("y ~ a + x + (1 | g)", "a", "y ~ x + (1 | g)"),
        ("y ~ a + x + (1 | g)", "x", "y ~ a + (1 | g)"),
        ("y ~ 0 + a + b + (1 | g)", "a", "y ~ 0 + b + (1 | g)"),
        ("y ~ a * b + poly(x, 2) + (1 | g)", "a:b", "y ~ a + b + poly(x, 2) + (1 | g)"),
        ("y ~ a + `my z` + x + (1 | g)", "x", "y ~ a + `my z` + (1 | g)"),
        ("y ~ C(b, contr.sum) + x + (1 | g)", "x", "y ~ C(b, contr.sum) + (1 | g)"),
        ("y ~ C(b, c(1, -1)) * x + (1 | g)", "C(b, c(1, -1)):x", "y ~ C(b, c(1, -1)) + x + (1 | g)"),
        ("y ~ x + (1 | g)", "x", "y ~ 1 + (1 | g)"),
        ("y ~ 0 + x + (1 | g)", "x", "y ~ 0 + (1 | g)"),
    ],
)
def test_without_a_term(formula: str, term: str, same_as: str) -> None:
    for contrasts in ({}, {"a": "sum"}):
        used = {name: c for name, c in contrasts.items() if name in formula}
        left = {name: c for name, c in used.items() if name in same_as.split("(1")[0]}
        smaller = Without(FrameRows(*Encoding.learn(formula, DATA, contrasts=used))).term(term)
        expected, rows = Encoding.learn(same_as, DATA, contrasts=left)
        assert smaller.encoding.fixed_names == expected.fixed_names
        np.testing.assert_allclose(smaller.design.X, rows.X)
        np.testing.assert_array_equal(smaller.design.y, rows.y)


def test_a_term_that_is_not_there() -> None:
    with pytest.raises(DataError, match=r"'b'.*1, x"):
        Without(FrameRows(*Encoding.learn("y ~ x + (1 | g)", DATA))).term("b")


def test_columns_that_are_there_are_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[str] = []
    value = Evaluator.value
    monkeypatch.setattr(
        Evaluator, "value", lambda self, node: computed.append(str(node)) or value(self, node)
    )
    without = Without(FrameRows(*Encoding.learn("y ~ I(x + 1) + I(x + 2) + I(x * x) + (1 | g)", DATA)))
    computed.clear()
    for term in ("I(x + 1)", "I(x + 2)", "I(x * x)"):
        without.term(term)
    assert computed == []
    Without(FrameRows(*Encoding.learn("y ~ 0 + a + I(x + 1) + b + (1 | g)", DATA))).term("a")
    assert "I(x + 1)" in computed
