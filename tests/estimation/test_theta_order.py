"""The order of theta beside lme4's, where grouping factors tie in their number of levels (theta_order.R)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import interlace
from interlace.design.encoding import Encoding
from interlace.estimation.layout import term_order
from interlace.formula.parser import parse

REFERENCE = json.loads((Path(__file__).parent / "theta_order.json").read_text())
DATA = REFERENCE["data"]


def order_of(encoding: Encoding) -> list[tuple[frozenset[str], tuple[str, ...]]]:
    blocks = [encoding.random[i] for i in term_order(encoding)]
    return [(frozenset(block.grouping.factors), block.columns) for block in blocks]


def order_in_r(blocks: list[dict[str, Any]]) -> list[tuple[frozenset[str], tuple[str, ...]]]:
    names = {"(Intercept)": "Intercept"}
    return [
        (
            frozenset(b["group"].replace("(", "").replace(")", "").split(":")),
            tuple(names.get(c, c) for c in b["columns"]),
        )
        for b in blocks
    ]


@pytest.mark.parametrize("random", REFERENCE["orders"])
def test_order(random: str) -> None:
    encoding, _ = Encoding.learn(f"y ~ x + {random}", DATA)
    assert order_of(encoding) == order_in_r(REFERENCE["orders"][random])


@pytest.mark.parametrize("random", REFERENCE["fits"])
def test_theta(random: str) -> None:
    expected = REFERENCE["fits"][random]
    m = interlace.lmer(f"y ~ x + {random}", DATA)
    assert m.reml_criterion <= expected["criterion"] + 1e-6
    np.testing.assert_allclose(m.theta, expected["theta"], atol=1e-4)


def test_terms_written_out_keep_their_order() -> None:
    """The text of a formula says which terms were one; its parts say the same in their order."""
    together, _ = Encoding.learn("y ~ x + (1 | a/c)", DATA)
    apart, _ = Encoding.learn(str(parse("y ~ x + (1 | a/c)")), DATA)
    assert [set(group) for group, _ in order_of(together)] == [{"a", "c"}, {"a"}]
    assert [set(group) for group, _ in order_of(apart)] == [{"a"}, {"a", "c"}]
    assert together.formula == apart.formula
