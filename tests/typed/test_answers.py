"""Every public call says to type checkers what comes back.

`calls.py` beside this file is read by the type checker; here the annotations are walked, so that no new call
is forgotten.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

import interlace

PACKAGE = Path(interlace.__file__).parent
#: What models are made of, and sources of rows: nobody calls their methods.
INSIDE = {"Fit", "Chunked", "Rows", "DataFiles", "CrossProducts"}


def _classes() -> dict[str, type]:
    """Every class of the package by its name."""
    found: dict[str, type] = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        module = importlib.import_module(".".join(part for part in parts if part != "__init__"))
        found |= {name: one for name, one in vars(module).items() if inspect.isclass(one)}
    return {name: one for name, one in found.items() if one.__module__.startswith("interlace")}


def _called(owner: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Public methods and properties, as functions."""
    for name in dir(owner):
        member = inspect.getattr_static(owner, name)
        if isinstance(member, property):
            member = member.fget
        elif isinstance(member, cached_property):
            member = member.func
        elif isinstance(member, classmethod | staticmethod):
            member = member.__func__
        if not name.startswith("_") and inspect.isfunction(member):
            yield f"{owner.__name__}.{name}", inspect.unwrap(member)


def _answers() -> dict[str, str]:
    """What every public call says of its answer, and every call of what comes back, and so on."""
    classes = _classes()
    public = [
        getattr(interlace, name) for name in interlace.__all__ if name not in ("__version__", "datasets")
    ]
    public += [getattr(interlace.datasets, name) for name in ("load", "names", "describe")]
    waiting, seen, found = public, set(), {}
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        calls = list(_called(one)) if inspect.isclass(one) else [(one.__name__, one)]
        for name, call in calls:
            if call.__module__.startswith("interlace"):
                found[name] = str(call.__annotations__.get("return", "nothing"))
                words = set(re.findall(r"\w+", found[name])) & classes.keys() - INSIDE
                waiting += [classes[word] for word in words]
    return found


@pytest.fixture(scope="module")
def answers() -> dict[str, str]:
    return _answers()


def test_no_answer_is_of_an_unknown_type(answers: dict[str, str]) -> None:
    unknown = {name for name, said in answers.items() if said in ("Any", "nothing", "object")}
    assert unknown == set()


def test_the_walk_reaches_what_answers_answer(answers: dict[str, str]) -> None:
    assert answers["LinearMixedModel.ranef"] == "ByGroup | pd.DataFrame"
    assert answers["EMMeans.pairs"] == "EMMeans | MeansList[EMMeans]"
    assert {"Bootstrap.confint", "Profile.plot", "Plots.qq", "CrossValidation.predictions"} <= answers.keys()
    assert len(answers) > 200
