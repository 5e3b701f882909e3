"""A finding as code that can be pasted."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from typing import Any

import numpy as np

from fuzz.case import Case
from fuzz.run import Finding

SHORT = 900


def call(finding: Finding) -> str:
    """The recipe of the case, the call of `lmer` with its columns, the question, and what came out."""
    case = finding.case
    lines = [recipe(case), *_fit(case)]
    if finding.question.startswith("m."):
        lines.append(finding.question)
    return "\n".join(f"    {line}" for line in [*lines, f"# {finding.what.splitlines()[0]}"])


def recipe(case: Case) -> str:
    """The case as a call of its class."""
    given = {field.name: getattr(case, field.name) for field in fields(case)}
    default = {field.name: field.default for field in fields(case) if field.default is not MISSING}
    shown = [f"{name}={_short(v)}" for name, v in given.items() if name not in default or default[name] != v]
    return f"case = Case({', '.join(shown)})"


def _fit(case: Case) -> list[str]:
    used = {
        name: _values(values)
        for name, values in case.columns().items()
        if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", case.formula)
    }
    table = ", ".join(f"{name!r}: {text}" for name, text in used.items())
    data = f"pd.DataFrame({{{table}}})"
    literal = case.table == "pandas" and len(data) < SHORT and "<" not in data
    options = "".join(f", {name}={_short(value)}" for name, value in case.given().items())
    return [
        f"data = {data if literal else 'case.data()'}",
        f"m = interlace.lmer({_short(case.formula)}, data{options})",
    ]


def _values(values: Any) -> str:
    """A literal of a column of plain values; in brackets where there is none."""
    if not isinstance(values, np.ndarray) or values.ndim != 1:
        return f"<{type(values).__name__}>"
    text = " ".join(repr(values.tolist()).split())
    plain = values.dtype in (np.dtype(float), np.dtype(np.int64), np.dtype(object))
    return text if plain else f"np.array({text}, dtype={values.dtype.str!r})"


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) < SHORT else f"{text[:100]}... ({len(text)} characters)"
