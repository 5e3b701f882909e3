"""Expressions of formulas, right and wrong: code, unfinished calls, impossible arguments, very long chains.

The short ones stand in expressions.json. `CANARY` is the name of a file: a formula that makes such a file
has run code.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

CANARY = "a_formula_wrote_this"

EXPRESSIONS: dict[str, list[str]] = json.loads((Path(__file__).parent / "expressions.json").read_text())
ATTACKS = [
    *(text.replace("CANARY", CANARY) for text in EXPRESSIONS["code"]),
    *(text for kind in ("values", "calls", "marks") for text in EXPRESSIONS[kind]),
]

SIZES = [50, 200, 1000, 5000]
LONG: dict[str, Callable[[int], str]] = {
    "parentheses": lambda n: "y ~ " + "(" * n + "x" + ")" * n + " + (1 | g)",
    "parentheses around a bar": lambda n: "y ~ x + " + "(" * n + "1 | g" + ")" * n,
    "the same term": lambda n: "y ~ " + " + ".join(["x"] * n) + " + (1 | g)",
    "many terms": lambda n: "y ~ " + " + ".join(f"I(x + {i})" for i in range(min(n, 300))) + " + (1 | g)",
    "the same random term": lambda n: "y ~ x + " + " + ".join(["(1 | g)"] * n),
    "I in I": lambda n: "y ~ " + "I(" * n + "x" + ")" * n + " + (1 | g)",
    "log in log": lambda n: "y ~ " + "log(" * n + "x" + ")" * n + " + (1 | g)",
    "colons": lambda n: "y ~ " + ":".join(["x"] * n) + " + (1 | g)",
    "stars": lambda n: "y ~ x*z*t*f*h*w*k + (1 | g)",
    "a power": lambda n: f"y ~ (x + z + t)**{n} + (1 | g)",
    "a power of many": lambda n: "y ~ (" + " + ".join(f"I(x^{i})" for i in range(2, 30)) + f")^{n} + (1 | g)",
    "slashes": lambda n: "y ~ x + (1 | " + "/".join(["g"] * n) + ")",
    "slashes of expressions": lambda n: (
        "y ~ x + (1 | " + "/".join(f"I(k + {i})" for i in range(min(n, 60))) + ")"
    ),
    "minus": lambda n: "y ~ I(" + "-" * n + "x) + (1 | g)",
    "not": lambda n: "y ~ I(" + "!" * n + "h) + (1 | g)",
    "a name": lambda n: "y ~ " + "x" * n + " + (1 | g)",
    "spaces": lambda n: "y ~ x + (1 | g)" + " " * n,
    "minus terms": lambda n: "y ~ " + "- " * n + "x + (1 | g)",
    "deep inside I": lambda n: "y ~ I(" + "(" * n + "x" + ")" * n + ") + (1 | g)",
    "a sum inside I": lambda n: "y ~ I(" + "+".join(["x"] * n) + ") + (1 | g)",
    "powers inside I": lambda n: "y ~ I(" + "^".join(["x"] * n) + ") + (1 | g)",
    "a degree": lambda n: f"y ~ poly(x, {n}) + (1 | g)",
    "arguments": lambda n: "y ~ pmin(" + ", ".join(["x"] * n) + ") + (1 | g)",
    "c of many": lambda n: "y ~ I(x %in% c(" + ", ".join(["1"] * n) + ")) + (1 | g)",
    "text": lambda n: 'y ~ I(f == "' + "a" * n + '") + (1 | g)',
}
