"""What a cell of a notebook may end with: words in place of objects, and one look of all that is a table."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace

MACHINES = interlace.datasets.load("machines")
MIXED = interlace.lmer("score ~ Machine + (1 | Worker)", MACHINES)
LARGER = interlace.lmer("score ~ Machine + (Machine | Worker)", MACHINES)
LINEAR = interlace.lm("score ~ Machine | Worker", MACHINES)
MEANS = MIXED.emmeans("Machine")
SEARCHES = {
    "multistart",
    "bootstrap",
    "permutation_test",
    "cross_validate",
    "profile",
}  # below, with few draws
OTHERS: dict[str, Callable[[], Any]] = {
    "Accumulator": lambda: interlace.Accumulator("score ~ Machine + (1 | Worker)", like=MACHINES),
    "aic_table": lambda: interlace.aic_table(MIXED, LARGER),
    "bootstrap": lambda: MIXED.bootstrap(n=3, seed=1),
    "bootstrap_compare": lambda: interlace.bootstrap_compare(MIXED, LARGER, n=3, seed=1),
    "compare": lambda: interlace.compare(MIXED, LARGER),
    "contrast": lambda: MEANS.contrast("eff"),
    "contrast_test": lambda: MIXED.contrast_test([[0, 1, 0]]),
    "cross_validate": lambda: MIXED.cross_validate("Worker"),
    "ddf": lambda: interlace.KenwardRoger().bind(MIXED.fit),
    "emtrends": lambda: MIXED.emmeans("pairwise ~ Machine"),
    "modeltable": lambda: interlace.modeltable(MIXED, LINEAR),
    "multistart": lambda: MIXED.multistart(n=2),
    "overview": lambda: MIXED.summary().overview,
    "pairs": MEANS.pairs,
    "permutation_test": lambda: MIXED.permutation_test("Machine", n=3, seed=1),
    "profile": lambda: MIXED.profile("sigma"),
    "qdrg": lambda: interlace.qdrg("~ Machine", MACHINES, MIXED.fixef, MIXED.vcov()),
    "ranef_of_one": lambda: MIXED.ranef("Worker"),
    "robust_ddf": lambda: interlace.ClusterRobust("CR2").bind(MIXED.fit),
    "rounded": lambda: MIXED.coef_table().round(2),
    "ssc": interlace.ssc,
    "step": lambda: interlace.step(MIXED),
    "cases": lambda: MIXED.case_delete("Worker"),
}


def _asked(model: Any) -> dict[str, Callable[[], Any]]:
    """All public names of a model that can be asked without arguments."""
    found: dict[str, Callable[[], Any]] = {}
    for name in (one for one in dir(model) if not one.startswith("_") and one not in SEARCHES):
        here = inspect.getattr_static(type(model), name)
        if isinstance(here, property) or not callable(here):
            found[name] = lambda name=name: getattr(model, name)
        elif all(
            p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
            for p in inspect.signature(getattr(model, name)).parameters.values()
        ):
            found[name] = getattr(model, name)
    return found


def _shows_well(answer: Any) -> None:
    text = repr(answer)
    assert " object at 0x" not in text or inspect.isgenerator(answer)
    if not type(answer).__module__.startswith("interlace"):
        assert not isinstance(answer, np.generic), "a number of NumPy's is shown with its type"
        return
    assert "array(" not in text
    if "\n" in text and not hasattr(answer, "_repr_latex_"):
        assert answer._repr_html_().startswith('<div class="interlace">')


@pytest.mark.parametrize("model", [MIXED, LINEAR], ids=["mixed", "linear"])
def test_what_a_model_is_asked(model: Any) -> None:
    for name, ask in _asked(model).items():
        try:
            answer = ask()
        except (interlace.InterlaceError, TypeError):  # refused, or a name of another library with an answer
            continue
        try:
            _shows_well(answer)
        except Exception as error:
            raise AssertionError(f"m.{name} shows badly: {error}") from error


@pytest.mark.parametrize("name", OTHERS)
def test_what_else_there_is(name: str) -> None:
    _shows_well(OTHERS[name]())


def test_facts_of_convergence_are_a_table() -> None:
    facts = ["convergence", "scaled gradient", "smallest Hessian eigenvalue", "evaluations"]
    for data, more in ((MACHINES, []), (MACHINES.assign(score=_without_groups()), ["singular"])):
        found = interlace.lmer("score ~ Machine + (1 | Worker)", data).convergence
        assert repr(found) == str(found) and "\n" not in repr(found)
        rows = re.findall(r"<tr><t[hd][^>]*>([^<]*)</t[hd]><t[hd][^>]*>([^<]*)<", found._repr_html_())
        assert [name for name, _ in rows] == facts + more
        assert rows[0][1] == found.status and all(
            escape(value) in escape(str(found)) for _, value in rows[:3]
        )


def _without_groups() -> pd.Series:
    """A response whose groups have equal means."""
    worker = MACHINES["score"].groupby(MACHINES["Worker"]).transform("mean")
    return MACHINES["score"] - worker


def test_what_is_made_of_a_table_keeps_its_digits_and_the_look() -> None:
    table = MIXED.coef_table()
    shown = table.round(1)._repr_html_()
    assert shown.startswith('<div class="interlace">') and ">8.0<" in shown
    assert all(f">{name}</th>" in shown for name in table.columns)


def test_a_caller_who_wants_no_html_gets_none() -> None:
    with pd.option_context("display.notebook_repr_html", False):
        assert MIXED.vcov()._repr_html_() is None
