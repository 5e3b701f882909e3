"""What went wrong, where, and what to do next.

Every exception of the library is an `InterlaceError`; every warning is an `InterlaceWarning`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pickle import PicklingError
from typing import Any


class InterlaceError(Exception):
    """Base class of every error that this library raises on purpose."""

    def _render_traceback_(self) -> list[str]:
        """What notebooks show: the caller's own lines and the message, and no line of this library."""
        return ["\n".join(own_lines(self))]  # one piece: %xmode Minimal puts nothing between pieces


class FormulaError(InterlaceError, ValueError):
    """The formula cannot be understood, or names something that does not exist.

    Parameters
    ----------
    message : str
        What is wrong and what to write instead.
    text : str, optional
        The whole formula.
    position : int, optional
        Index into `text` of the place in question; shown by a caret.

    Examples
    --------
    >>> print(FormulaError("the formula has no '~'", "y x", 2))
    the formula has no '~'
        y x
          ^
    """

    def __init__(self, message: str, text: str | None = None, position: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.text = text
        self.position = position

    def __str__(self) -> str:
        if self.text is None:
            return self.message
        return f"{self.message}\n{_pointed(self.text, self.position)}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.text, self.position)


def _pointed(text: str, position: int | None) -> str:
    """The formula, indented, with a caret under `position` on a line of its own."""
    shown, offset = [], 0
    for line in text.split("\n"):
        shown.append("    " + line.replace("\t", " "))
        if position is not None and offset <= position <= offset + len(line):
            shown.append("    " + " " * (position - offset) + "^")
            position = None
        offset += len(line) + 1
    return "\n".join(shown)


class DataError(InterlaceError, ValueError):
    """The data cannot be used: a column is missing, not numeric, not finite, has one level only ..."""


class BadRowError(DataError):
    """A value that no model can have, in a row that is known.

    Parameters
    ----------
    message : str
    row : int, optional
        Its number among those of the data, from 0.
    """

    def __init__(self, message: str, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.row)


class FunctionError(DataError):
    """A function that the caller gave fails; its own error is the cause.

    Parameters
    ----------
    what : str
        The function: ``"the function statistic= (area)"``.
    failure : str
        What its own error says.
    advice : str
        What to do next.
    where : str
        " in replicate 3 ..."; "" where it is called once.

    Attributes
    ----------
    place : int
        Among those of which it was asked one after the other.
    original : Exception or None
        Its own error; None where that was in another process.
    """

    def __init__(self, what: str, failure: str, advice: str, where: str = "") -> None:
        super().__init__(f"{what} fails{where}: {failure}; {advice}")
        self.parts, self.where = (what, failure, advice), where
        self.place = 0
        self.original: BaseException | None = None

    def at(self, where: str) -> FunctionError:
        """The same, with words for where it was."""
        other = type(self)(*self.parts, where)
        other.original = self.original
        return other

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (*self.parts, self.where)


class ModelError(InterlaceError, ValueError):
    """The model cannot be fitted to these data: too many random effects, too much memory ..."""


class ConvergenceError(InterlaceError, RuntimeError):
    """The optimiser could not find an optimum."""


class MissingPackageError(InterlaceError, ImportError):
    """A package that is not needed for models, and for this alone, is not installed."""


class SavingError(InterlaceError, PicklingError):
    """A model cannot be written to a file or pickled, or a file cannot be read."""


class InterlaceWarning(UserWarning):
    """Base class of every warning that this library gives on purpose."""


class RankDeficiencyWarning(InterlaceWarning):
    """Columns of the fixed part were dropped because others determine them."""


class IdentificationWarning(InterlaceWarning):
    """The data cannot tell a variance of the random part."""


class ConvergenceWarning(InterlaceWarning):
    """The optimum is doubtful."""


def own_lines(error: BaseException) -> list[str]:
    """A traceback without the frames of this library and of the shell that ran the code."""
    import traceback

    stack = [
        traceback.FrameSummary(frame.f_code.co_filename, line, frame.f_code.co_name)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__", "").partition(".")[0] not in ("interlace", "IPython")
    ]
    name = type(error).__name__
    lines = [f"{name}: Traceback (most recent call last)", *traceback.StackSummary.from_list(stack).format()]
    return [line.rstrip() for line in (*lines, f"{name}: {error}")]


LONGEST_SHOWN = 60  # characters of a value in a message


def shown(value: object) -> str:
    """A value for a message: its `repr` on one line, the middle left out where it is long.

    Functions and objects that print an address are said by their name or type.

    Examples
    --------
    >>> shown("KR")
    "'KR'"
    >>> shown(10**400)
    '10000000000000000000000000000...00000000000000000000000000000'
    >>> shown(lambda x: x), shown(object())
    ('a lambda', 'an object of type object')
    """
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python writes no number of more than 4,300 digits
        text = f"a number of type {type(value).__name__} with too many digits"
    if " at 0x" in text and not isinstance(value, str):
        name = getattr(value, "__name__", "") if callable(value) else ""
        text = f"the function {name}" if name else f"an object of type {type(value).__name__}"
        return "a lambda" if name == "<lambda>" else text
    half = (LONGEST_SHOWN - 3) // 2
    return text if len(text) <= LONGEST_SHOWN else f"{text[: half + 1]}...{text[-half - 1 :]}"


def warn(message: str, category: type[InterlaceWarning]) -> None:
    """Warn of the line of the caller that is outside this library, however deep inside it the cause lies."""
    kept = _kept.get()
    if kept is not None:
        kept.append((message, category))
        return
    depth, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "interlace":
        depth, frame = depth + 1, frame.f_back
    warnings.warn(message, category, stacklevel=depth)


_kept: ContextVar[list[tuple[str, type[InterlaceWarning]]] | None] = ContextVar("_kept", default=None)


@contextmanager
def keeping_warnings() -> Iterator[list[tuple[str, type[InterlaceWarning]]]]:
    """Inside, what `warn` is given is put into the list, for a thread that has a caller to say it."""
    kept = list[tuple[str, type[InterlaceWarning]]]()
    before = _kept.set(kept)
    try:
        yield kept
    finally:
        _kept.reset(before)
