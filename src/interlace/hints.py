"""What is said of attributes, functions and options that there are not: the name of what there is."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Collection, Mapping
from functools import wraps
from typing import Any, NoReturn, TypeVar

from interlace.other_names import ATTRIBUTES, FUNCTIONS, OF_LINEAR_MODELS, OPTIONS
from interlace.progress import working
from interlace.text import fold, nearest


def unknown_attribute(name: str, cls: type, instead: Mapping[str, str]) -> AttributeError:
    """What to say of an attribute that a fitted model, of this class, does not have; `instead` before all."""
    public = [one for one in dir(cls) if not one.startswith("_")]
    if name.startswith("_"):
        return AttributeError(f"a fitted model has no attribute {name!r}")
    near = _near(name, public, "{}")
    call = "()" if near and callable(getattr(cls, near)) else ""
    written = instead.get(fold(name)) or _known_attribute(name, public) or (near and f"write m.{near}{call}")
    return AttributeError(f"a fitted model has no attribute {name!r}{written and '; ' + written}")


def _known_attribute(name: str, public: Collection[str]) -> str:
    """What is written for it, if the class has that."""
    written = ATTRIBUTES.get(fold(name), "")
    return written if set(_OF_MODEL.findall(written)) <= set(public) else ""


def unknown_function(name: str, names: Collection[str]) -> AttributeError:
    """What to say of a name that the package does not have."""
    written = (
        ""
        if name.startswith("_")
        else FUNCTIONS.get(fold(name)) or _near(name, names, "did you mean interlace.{}?")
    )
    return AttributeError(f"module 'interlace' has no attribute {name!r}{written and '; ' + written}")


def refuse_unknown(
    function: str, given: Mapping[str, Any], options: Collection[str], *, of: str = ""
) -> None:
    """Options by name that a function, or a method of an answer of the class `of`, does not have.

    Raises
    ------
    TypeError
        With what to write instead.
    """
    for name, value in given.items():
        if name not in options:
            raise TypeError(
                _unknown_option(function, name, value, options, f"{of}.{function}" if of else function)
            )


def _unknown_option(function: str, name: str, value: object, options: Collection[str], key: str) -> str:
    of = key.removesuffix(function).rstrip(".")
    same = next((option for option in options if fold(option) == fold(name)), None)
    if same is not None:
        shown = f"={value}" if isinstance(value, bool) else "="
        return f"{function}() takes {same}{shown}, not {name}="
    tables = [OPTIONS.get(key, {}), OPTIONS[""]]
    if of == "LinearModel":
        tables = [OF_LINEAR_MODELS, OPTIONS.get(function, {}), OPTIONS[""]]
    written = next((table[name] for table in tables if name in table), None)
    if written is None or ((name_of := _option_written(written)) and name_of not in options):
        written = _near(name, options, "did you mean {}=?")
    known = f"its options are {', '.join(options)}" if options else "it takes none"
    return f"{function}() has no option '{name}'; {written or known}"


def _option_written(text: str) -> str:
    """The option that "write option=..." is about."""
    return text.removeprefix("write ").partition("=")[0] if text.startswith("write ") and "=" in text else ""


def _near(name: str, names: Collection[str], text: str) -> str:
    near = nearest(name, names, most=1, cutoff=0.75)
    return text.format(near[0]) if near else ""


_OF_MODEL = re.compile(r"\bm\.(\w+)")

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)


def answers_options(function: F, *, of: str = "") -> F:
    """The function, or method of an answer of the class `of`; it says what to write for options that it does
    not have.
    """
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    options = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL]
    known = frozenset(options)
    named = ", ".join(f"{p.name}=" for p in parameters if p.kind is p.KEYWORD_ONLY)
    leading = _leading(function)

    @wraps(function)
    def called(*args: Any, **given: Any) -> Any:
        if not given.keys() <= known:
            refuse_unknown(function.__name__, given, options, of=of)
        if named and len(args) > leading:
            raise TypeError(f"{function.__name__}() takes its options by name: {named}")
        if given.get("progress") is False:
            return function(*args, **given)
        with working(function.__name__):
            return function(*args, **given)

    return called  # type: ignore[return-value]


def _leading(function: Callable[..., Any]) -> float:
    """How many arguments, the object included, may be given without their names."""
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return math.inf
    return sum(p.kind is not p.KEYWORD_ONLY for p in parameters)


def methods_answer_options(cls: C, *, of: str | None = None) -> C:
    """The class of an answer; its methods say what to write for options that they do not have."""
    members = {name: one for base in reversed(cls.__mro__) for name, one in vars(base).items()}
    for name, member in members.items():
        if inspect.isfunction(member) and not name.startswith("_"):
            setattr(cls, name, answers_options(member, of=cls.__name__ if of is None else of))
    return cls


def answers_by_name(*, of: str = "", instead: Mapping[str, str] | None = None) -> Callable[[C], C]:
    """For the class of a fitted model: it says what to write for attributes and options that it has not.

    Parameters
    ----------
    of : str
        The key of its own words in `OPTIONS`.
    instead : mapping, optional
        Its own words for attributes, by names in small letters without dots and underscores.
    """

    def named(cls: C) -> C:
        methods_answer_options(cls, of=of)

        def missing(self: object, name: str) -> NoReturn:
            raise unknown_attribute(name, cls, instead or {})

        cls.__getattr__ = missing  # type: ignore[attr-defined]
        return cls

    return named


def says_instead(**instead: str) -> Callable[[C], C]:
    """For the class of an answer: what is written for attributes that others have, by their names."""

    def named(cls: C) -> C:
        before = getattr(cls, "__getattr__", None)

        def missing(self: object, name: str) -> Any:
            if name not in instead and before is not None:
                return before(self, name)
            written = f"; {instead[name]}" if name in instead else ""
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'{written}")

        cls.__getattr__ = missing  # type: ignore[attr-defined]
        return cls

    return named


class NotCalled:
    """What a model has under a name that other packages call."""

    def __call__(self, *given: object, **options: object) -> NoReturn:
        """Refused."""
        raise TypeError(
            "the model is fitted already, and m.fit holds what it is made of: write m.summary(), or "
            "m.update(...) and m.refit(...) for other fits"
        )
