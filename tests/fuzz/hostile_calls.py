"""Arguments that no method of a model expects, under names that can be printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from fuzz.columns import Rng

ODD: dict[str, Any] = {
    "None": None,
    "3": 3,
    "3.5": 3.5,
    "'zz'": "zz",
    "''": "",
    "[]": [],
    "{}": {},
    "nan": np.nan,
    "True": True,
    "object()": object(),
    "'KR'": "KR",
    "'I'": "I",
    "'II'": "II",
    "b'F'": b"F",
    "-1": -1,
    "2**80": 2**80,
    "10**400": 10**400,
    "1e308": 1e308,
    "np.ones(3)": np.ones(3),
    "pd.Series([1.0])": pd.Series([1.0]),
    "'x'": "x",
    "'g'": "g",
    "['x', 'x']": ["x", "x"],
    "[None]": [None],
    "1j": 1j,
    "np.int8(2)": np.int8(2),
    "pd.NA": pd.NA,
    "(1, 2)": (1, 2),
    "print": print,
    "'\\0'": "\0",
    "'(1 | g)'": "(1 | g)",
    "range(3)": range(3),
    "np.array('CR2')": np.array("CR2"),
    "float": float,
    "set()": set(),
}

CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "m.anova(type={})": lambda m, v: m.anova(type=v),
    "m.anova(test={})": lambda m, v: m.anova(test=v),
    "m.anova(terms={})": lambda m, v: m.anova(terms=v),
    "m.anova(ddf={})": lambda m, v: m.anova(ddf=v),
    "m.anova(vcov={})": lambda m, v: m.anova(vcov=v),
    "m.drop1(test={})": lambda m, v: m.drop1(test=v),
    "m.coef_table(ddf={})": lambda m, v: m.coef_table(ddf=v),
    "m.coef_table(vcov={})": lambda m, v: m.coef_table(vcov=v),
    "m.summary(ddf={})": lambda m, v: m.summary(ddf=v),
    "m.vcov({})": lambda m, v: m.vcov(v),
    "m.vcov('CR2', cluster={})": lambda m, v: m.vcov("CR2", cluster=v),
    "m.vcov('CR0', cluster={})": lambda m, v: m.vcov("CR0", cluster=v),
    "m.contrast_test({})": lambda m, v: m.contrast_test(v),
    "m.contrast_test([1, ...], level={})": lambda m, v: m.contrast_test([[1.0] * len(m.fixef)], level=v),
    "m.contrast_test([1, ...], rhs={})": lambda m, v: m.contrast_test([[1.0] * len(m.fixef)], rhs=v),
    "m.residuals({})": lambda m, v: m.residuals(v),
    "m.predict({})": lambda m, v: m.predict(v),
    "m.predict(random={})": lambda m, v: m.predict(random=v),
    "m.predict(new_levels={})": lambda m, v: m.predict(new_levels=v),
    "m.predict(offset={})": lambda m, v: m.predict(offset=v),
    "m.simulate({})": lambda m, v: m.simulate(v),
    "m.simulate(2, seed={})": lambda m, v: m.simulate(2, seed=v),
    "m.refit({})": lambda m, v: m.refit(v),
    "m.refit(reml={})": lambda m, v: m.refit(reml=v),
    "m.ranova(drop={})": lambda m, v: m.ranova(drop=v),
    "m.r2(tolerance={})": lambda m, v: m.r2(tolerance=v),
    "m.icc(tolerance={})": lambda m, v: m.icc(tolerance=v),
    "m.ranef(condvar={})": lambda m, v: m.ranef(condvar=v),
    "m.varcorr(se={})": lambda m, v: m.varcorr(se=v),
}


def hostile_options(m: Any, rng: Rng, count: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """So many calls with one odd argument each."""
    for _ in range(count):
        call, value = str(rng.choice(list(CALLS))), str(rng.choice(list(ODD)))
        yield call.format(value), lambda c=call, v=value: CALLS[c](m, ODD[v])


def hostile_response(
    rng: Rng, n: int, makers: Mapping[str, Callable[[Rng, np.ndarray], Any]]
) -> tuple[str, Any]:
    """A response for `refit` that may have the wrong type, length or size."""
    v = rng.normal(size=n)
    if rng.random() < 0.7:
        kind = str(rng.choice(list(makers)))
        return f"<{kind}>", makers[kind](rng, v)
    rest = {
        "[]": [],
        "one too few": v[:-1],
        "zeros": np.zeros(n),
        "nan": np.full(n, np.nan),
        "two columns": np.column_stack([v, v]),
        "text": list("a" * n),
        "1e200": v * 1e200,
        "1e-200": v * 1e-200,
        "constant": np.full(n, 2.0),
        "a series": pd.Series(v, index=np.arange(n) + 7),
        "'y'": "y",
    }
    kind = str(rng.choice(list(rest)))
    return f"<{kind}>", rest[kind]


def hostile_contrast(rng: Rng, names: list[str]) -> tuple[str, Any, Any]:
    """A hypothesis that may not be one, with what it is equal to."""
    p, a = len(names), names[0] if names else "x"
    choices: dict[str, Any] = {
        "{a: 1}": {a: 1},
        "{a: nan}": {a: np.nan},
        "{a: 'a'}": {a: "a"},
        "{a: 1j}": {a: 1j},
        "{a: True}": {a: True},
        "{'zz': 1}": {"zz": 1},
        "{3: 1}": {3: 1},
        "{}": {},
        "[]": [],
        "''": "",
        "a": a,
        "'a = 1'": f"{a} = 1",
        "'a = a'": f"{a} = {a}",
        "'2*a'": f"2*{a}",
        "'a *'": f"{a} *",
        "'='": "=",
        "'1 = 1'": "1 = 1",
        "'a = 1 = 2'": f"{a} = 1 = 2",
        "'x +'": "x +",
        "code": "__import__('os')",
        "[a, 3]": [a, 3],
        "[[]]": [[]],
        "zeros": np.zeros(p),
        "too long": np.ones(p + 1),
        "two rows": np.ones((2, p)),
        "nan": np.full(p, np.nan),
        "1e300": np.full(p, 1e300),
        "1e-320": np.full(p, 1e-320),
        "three axes": np.ones((1, 1, p)),
        "None": None,
        "object()": object(),
        "an empty frame": pd.DataFrame(),
        "a frame": pd.DataFrame({a: [1, 2]}),
        "a series": pd.Series({a: 1.0}),
        "two named": {"a": {a: 1}, "b": {a: 2}},
        "one is 3": {"a": {a: 1}, "b": 3},
        "{'a': {}}": {"a": {}},
        "'1e400*a'": f"1e400*{a}",
        "'9...9*a'": "9" * 400 + "*" + a,
        "'(a)'": f"({a})",
        "'((((...'": "(" * 3000,
        "'----...a'": "-" * 3000 + a,
        "{a: 2**2000}": {a: 2**2000},
        "{a: 1/3}": {a: Fraction(1, 3)},
    }
    kind = str(rng.choice(list(choices)))
    rhs = [0.0, 0.0, 0.0, 1.0, 1e300, np.nan, "a", [1, 2], None, 1j][int(rng.integers(10))]
    return f"{kind}, rhs={rhs!r}", choices[kind], rhs
