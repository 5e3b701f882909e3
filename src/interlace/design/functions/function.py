"""A function of formulas: its arguments are bound by R's rules and checked before anything is computed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import cache
from typing import Any

import numpy as np

from interlace.design.functions.call import Call
from interlace.design.functions.values import Value, as_value
from interlace.errors import FormulaError
from interlace.frozen import dataclass
from interlace.text import did_you_mean

EMPTY = inspect.Parameter.empty
_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD
_MORE = inspect.Parameter.VAR_POSITIONAL

#: R's spelling of arguments that is not that of the parameter with dots for underscores.
_SPELLED = {
    "boundary_knots": "Boundary.knots",
    "fun": "FUN",
    "ordered_result": "ordered_result",
    "levels_to_keep": "levelsToKeep",
}


@dataclass(frozen=True, slots=True)
class Function:
    """A documented function of formulas.

    Attributes
    ----------
    name : str
        As R spells it: "log", "as.integer".
    compute : callable
        Takes a `Call` and the bound arguments, and gives a value. Its parameters, with dots for underscores,
        are R's arguments.
    aliases : mapping
        Other names of arguments.
    """

    name: str
    compute: Callable[..., Value]
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The arguments, without the call itself."""
        return _parameters(self.compute)

    def call(
        self, args: Sequence[Any], named: Mapping[str, Any], state: dict[str, Any], text: str, nrows: int
    ) -> Value:
        """The value of one call.

        Parameters
        ----------
        args, named : values
            The arguments without and with a name, evaluated.
        state : dict
            Filled while learning, used for new data.
        text : str
            Source of the call, for messages.
        nrows : int
            Rows of the data.

        Raises
        ------
        FormulaError, DataError
            An argument that is not there, missing or of a wrong kind; data that cannot be used.
        """
        positional = [as_value(self.name, value, nrows) for value in args]
        keywords = {key: as_value(self.name, value, nrows) for key, value in named.items()}
        bound, more = self._bound(positional, keywords)
        with np.errstate(all="ignore"):
            if any(p.kind is _MORE for p in self.parameters.values()):
                first = [bound.pop(n) for n, p in self.parameters.items() if p.kind is _POSITIONAL]
                return self.compute(Call(self.name, text, state, nrows), *first, *more, **bound)
            return self.compute(Call(self.name, text, state, nrows), **bound)

    def _bound(self, args: list[Value], named: Mapping[str, Value]) -> tuple[dict[str, Value], list[Value]]:
        """R's rule: named arguments first, the others fill the places that are left."""
        parameters = self.parameters
        bound: dict[str, Value] = {}
        for written, value in named.items():
            name = self._parameter(written)
            if name in bound:
                raise FormulaError(f"{self.name}() has the argument '{spelled(name)}' twice")
            bound[name] = value
        rest = list(args)
        for name, parameter in parameters.items():
            if parameter.kind is _MORE:
                break
            if rest and parameter.kind is _POSITIONAL and name not in bound:
                bound[name] = rest.pop(0)
        if rest and not any(p.kind is _MORE for p in parameters.values()):
            raise FormulaError(f"{self.name}() has {len(rest)} argument{'s' * (len(rest) > 1)} too many; "
                               f"write {self.usage}")  # fmt: skip
        for name, parameter in parameters.items():
            if name not in bound and parameter.kind is not _MORE:
                if parameter.default is EMPTY:
                    raise FormulaError(
                        f"{self.name}() needs the argument '{spelled(name)}'; write {self.usage}"
                    )
                bound[name] = parameter.default
        return bound, rest

    def _parameter(self, written: str) -> str:
        name = self.aliases.get(written, written)
        plain = {p.replace("_", ""): p for p, v in self.parameters.items() if v.kind is not _MORE}
        key = name.replace(".", "").replace("_", "").lower()
        if key not in plain:
            meant = did_you_mean(written, map(spelled, plain.values()), most=1)
            hint = f"{meant} " if meant else ""
            raise FormulaError(f"{self.name}() has no argument '{written}'; {hint}write {self.usage}")
        return plain[key]

    @property
    def usage(self) -> str:
        """How it is written: ``log(x, base = )``."""
        return f"{self.name}({', '.join(self._usage())})"

    def _usage(self) -> Iterator[str]:
        for name, parameter in self.parameters.items():
            if parameter.kind is _MORE:
                yield "..."
            elif parameter.default is EMPTY:
                yield spelled(name)
            else:
                yield f"{spelled(name)} ="


@cache
def _parameters(compute: Callable[..., Value]) -> dict[str, inspect.Parameter]:
    return dict(list(inspect.signature(compute).parameters.items())[1:])


def spelled(parameter: str) -> str:
    """The argument as R spells it."""
    return _SPELLED.get(parameter, parameter.replace("_", "."))
