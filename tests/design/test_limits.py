"""Both sides of the numbers at which data and formulas are too large, too small, too long or too wide."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import interlace
from interlace.design import basis, grouping, reduced
from interlace.design.encoding import Encoding
from interlace.design.evaluation import Evaluator, Memory
from interlace.design.functions.elementwise import _rounded
from interlace.design.values import Factor
from interlace.errors import DataError, FormulaError, ModelError
from interlace.formula.grammar import expression


@pytest.mark.parametrize(("column", "largest"), [("y", 1e70), ("x", 1e140), ("w", 1e140)])
def test_sizes_of_numbers(column: str, largest: float) -> None:
    rng = np.random.default_rng(1)
    data: dict[str, Any] = {name: rng.uniform(0.5, 1, 20) for name in "yxw"} | {"g": np.arange(20) % 4}
    data[column] /= data[column].max()

    def learnt(size: float) -> None:
        Encoding.learn("y ~ x + (1 | g)", data | {column: data[column] * size}, weights="w")

    for size in (0.99 * largest, 1.01 / largest):
        learnt(size)
    for size, words in ((1.01 * largest, "too large"), (0.99 / largest, "too small")):
        with pytest.raises(DataError, match=words):
            learnt(size)


def test_floats_that_may_be_labels() -> None:
    codes = np.zeros(3, dtype=np.int32)
    for level, kind in ((2.0**53 - 1, "i"), (2.0**53, "f")):
        assert grouping._whole_levels(Factor(codes, np.array([level]))).levels.dtype.kind == kind


@pytest.mark.parametrize("text", ["1:{}", "seq(1, {})", "seq(1, 2, length.out = {})"])
def test_length_of_sequences(text: str) -> None:
    evaluator = Evaluator({}, 3, Memory())
    assert len(evaluator.value(expression(text.format(100_000)))) == 100_000
    with pytest.raises(FormulaError, match=r"too long|more than a formula needs"):
        evaluator.value(expression(text.format(100_001)))


@pytest.mark.parametrize(("width", "refused"), [(1_000_000, False), (1_000_001, True)])
def test_width_of_a_term(width: int, refused: bool) -> None:
    part: Any = SimpleNamespace(names=lambda reduced: range(width))
    term: Any = SimpleNamespace(label="a")
    if refused:
        with pytest.raises(ModelError, match="1,000,001 columns"):
            basis._check_width((term,), [((("a", True),),)], {"a": part})
    else:
        basis._check_width((term,), [((("a", True),),)], {"a": part})


@pytest.mark.parametrize(("share", "held"), [(0.9e-12, True), (1.1e-12, False)])
def test_columns_that_hold_the_constant(share: float, held: bool) -> None:
    """What they leave of it, beside the two ones that are added up."""
    z = np.ones((100, 1))
    z[::2] += 2 * share
    z[1::2] -= 2 * share
    assert reduced._spans_constant(lambda: [z]) == held


def test_digits_that_a_double_is_sure_of() -> None:
    """As for R, which rounds 12.345678901234567 to 13 decimals, and leaves it as it is for 14."""
    x = np.array([12.345678901234567, -12.345678901234567])
    assert _rounded(x, 13).tolist() == [12.3456789012346, -12.3456789012346]
    assert _rounded(x, 14).tolist() == x.tolist()


@pytest.mark.parametrize(
    ("x", "places", "expected"),
    [
        (1.234e-295, 297, 1.23e-295),
        (1.234e-295, 310, 1.234e-295),
        (1.26e-308, 308, 1e-308),
        (1.26e-308, 309, 1.3e-308),
        (8e307, -308, 1e308),
        (8e307, -309, 0.0),
        (1e10, -400, 0.0),
    ],
)
def test_rounding_at_the_ends_of_the_numbers(x: float, places: int, expected: float) -> None:
    """R 4.2's round() has the same, to its last digits."""
    assert _rounded(np.array([x, -x]), places) == pytest.approx([expected, -expected], rel=1e-14, abs=0.0)


@pytest.mark.parametrize(("unseen", "more"), [(5, False), (6, True)])
def test_unseen_levels_that_are_named(unseen: int, more: bool) -> None:
    data = interlace.datasets.load("sleepstudy")
    m = interlace.lmer("Reaction ~ Days + (1 | Subject)", data)
    new = {"Days": np.zeros(unseen), "Subject": [f"new{i}" for i in range(unseen)]}
    with pytest.raises(DataError) as error:
        m.predict(new)
    assert ("'new4'" in str(error.value)) and (", ..." in str(error.value)) == more
    assert "'new5'" not in str(error.value)
