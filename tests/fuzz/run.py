"""One case from the call of `lmer` to the last question, and what went wrong on the way."""

from __future__ import annotations

import os
import re
import tempfile
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import interlace
from fuzz.case import Case
from fuzz.expressions import CANARY
from fuzz.questions import Question, questions

PACKAGE = f"{Path(interlace.__file__).parent}{os.sep}"


@dataclass(frozen=True, slots=True)
class Finding:
    """What went wrong in answer to one line of code.

    `kind` is the same for findings that are probably one fault.
    """

    case: Case
    question: str
    what: str
    kind: str


def run(case: Case) -> list[Finding]:
    """Fit the model and ask everything; empty when all answers are right or errors of the library."""
    with tempfile.TemporaryDirectory() as folder:
        here = os.getcwd()
        os.chdir(folder)
        try:
            found = _run(case)
            if (Path(folder) / CANARY).exists():
                found.append(Finding(case, "lmer", "a formula wrote a file", "code was run"))
            return found
        finally:
            os.chdir(here)


def _run(case: Case) -> list[Finding]:
    found: list[Finding] = []
    data = case.data()
    before = _contents(data)
    model, caught = _ask(case, ("interlace.lmer(...)", lambda: case.fit(data)), found)
    if model is not None:
        doubtful = any(issubclass(w, interlace.ConvergenceWarning) for w in caught)
        for question in questions(model, case, data, doubtful=doubtful):
            _ask(case, question, found)
    if _contents(data) != before:
        found.append(Finding(case, "lmer", "the caller's table has changed", "data changed"))
    return found


def _ask(case: Case, question: Question, found: list[Finding]) -> tuple[Any, list[type[Warning]]]:
    """The answer (None for a refusal), and the kinds of warning that came with it."""
    text, call = question
    answer = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            answer = call()
        except interlace.InterlaceError as error:
            _check_words(case, text, error, found)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            found.append(_finding(case, text, error))
    for warning in caught:
        if not issubclass(warning.category, interlace.InterlaceWarning):
            what = f"{warning.category.__name__}: {warning.message}"
            place = f"{_short(warning.filename)}:{warning.lineno}"
            found.append(Finding(case, text, f"{what} ({place})", f"{_plain(what)} in {place}"))
    return answer, [warning.category for warning in caught]


def _check_words(case: Case, text: str, error: interlace.InterlaceError, found: list[Finding]) -> None:
    """A refusal says something, and can be printed."""
    try:
        said = str(error)
        said.encode("utf-8", errors="backslashreplace")
    except Exception as worse:
        found.append(_finding(case, text, worse))
        return
    if len(said.strip()) < 10:
        found.append(Finding(case, text, f"an error says only {said!r}", "an empty refusal"))


def _finding(case: Case, text: str, error: BaseException) -> Finding:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(PACKAGE)]
    place = f"{_short(ours[-1].filename)}: {ours[-1].name}" if ours else text.partition("(")[0]
    what = f"{type(error).__name__}: {str(error)[:300]}"
    return Finding(case, text, what, f"{_plain(what)} in {place}")


def _short(filename: str) -> str:
    """A path from the package on, or a name."""
    return filename.removeprefix(PACKAGE) if filename.startswith(PACKAGE) else Path(filename).name


def _plain(text: str) -> str:
    """Without the numbers and quotations that differ from case to case."""
    text = re.sub(r"'[^']*'", "'..'", text.split("\n")[0])
    return re.sub(r"[-+]?\d[\d.e+-]*", "#", text)[:70]


def _contents(data: Any) -> str:
    """What is in a table, to see whether it is changed."""
    if isinstance(data, pd.DataFrame):
        columns = [(name, data.iloc[:, j].tolist()) for j, name in enumerate(data.columns)]
        return repr((columns, data.index.tolist()))
    if isinstance(data, dict):
        return repr({name: v.tolist() if hasattr(v, "tolist") else v for name, v in data.items()})
    return repr(data)
