"""docs/formulas.md says what the grammar does."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from interlace.formula.algebra import MOST_TERMS
from interlace.formula.grammar import MAX_DEPTH, expression
from interlace.formula.tree import level_of

PAGE = (Path(__file__).parents[2] / "docs" / "formulas.md").read_text()


def rows() -> list[list[str]]:
    """The operators of the table of precedence, a list for each row."""
    table = PAGE.partition("### Operators")[2].partition("### Functions")[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    return [re.findall(r"`([^`]+)`", line.split(" | ")[0].replace("\\|", "|")) for line in lines]


def test_the_order_of_the_table_is_that_of_the_grammar() -> None:
    binary = [[op for op in row if not op.startswith(("-x", "+x", "!")) or op == "!="] for row in rows()]
    kept = [row for row in binary if row]
    assert len(rows()) == len(kept) + 2
    for tighter, looser in itertools.pairwise(kept):
        for a in tighter:
            for b in looser:
                assert expression(f"x {b} y {a} z") == expression(f"x {b} (y {a} z)")
                assert expression(f"x {a} y {b} z") == expression(f"(x {a} y) {b} z")
    assert level_of("*") == level_of("//") == level_of("%") and level_of("%in%") == level_of("%o%")


def test_limits_are_those_of_the_code() -> None:
    assert f"nested {MAX_DEPTH} deep" in PAGE and f"{MOST_TERMS:,} terms" in PAGE
