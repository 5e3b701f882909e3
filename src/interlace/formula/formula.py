"""The values a formula is made of. They know no data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field, fields
from typing import Any

from interlace.formula.structured import written
from interlace.formula.tokens import quote
from interlace.formula.tree import ADD, Name, Node, Number, label, spell
from interlace.frozen import dataclass

NO_RESPONSE = Number("0")  # of a formula with nothing left of '~'


class _Remembering:
    """A value that is asked for its hash again and again: computed once, and in no pickle or file."""

    __slots__ = ("_factors", "_hash")

    _hash: int
    _factors: tuple[str, ...]

    def __hash__(self) -> int:
        try:
            return self._hash
        except AttributeError:
            value: Any = self
            found = hash(tuple(getattr(value, part.name) for part in fields(value) if part.compare))
            object.__setattr__(self, "_hash", found)
            return found


@dataclass(frozen=True, slots=True)
class Sum(_Remembering):
    """A right-hand side with its intercept settled.

    Attributes
    ----------
    intercept : bool
    items : tuple of (str, Node)
        The summands that are no numbers, each with its sign: "+" adds the terms it stands for, "-" takes
        them away.
    """

    intercept: bool
    items: tuple[tuple[str, Node], ...] = ()

    __hash__ = _Remembering.__hash__

    def __str__(self) -> str:
        words = [f" {sign} {spell(node, ADD + 1)}" for sign, node in self.items]
        return ("1" if self.intercept else "0") + "".join(words)

    @property
    def terse(self) -> str:
        """As one writes it: the intercept that is there by itself is not written."""
        implied = self.intercept and self.items and self.items[0][0] == "+"
        return str(self).removeprefix("1 + ") if implied else str(self)


@dataclass(frozen=True, slots=True)
class RandomTerm(_Remembering):
    """One random term `(columns | grouping)`.

    Attributes
    ----------
    columns : Sum
        The columns with their intercept settled: ``1 + x``, ``0 + x``.
    grouping : tuple of Node
        Factors of the product that defines the groups: `a`, or `a` and `b`.
    covariance : str
        "unstructured": ``|`` leaves the covariance free. "independent": ``||`` drops the correlations between
        the terms of `columns` (the columns of one factor stay correlated). Or a structure: "diag", "cs" and
        "hetar1" with a variance for each effect, "homdiag", "homcs" and "ar1" with one for all.
    bar : int or None
        Which bar of the text the term was written with, as ``(1 | a/b)`` is two terms; no part of equality.
    """

    columns: Sum
    grouping: tuple[Node, ...]
    covariance: str = "unstructured"
    bar: int | None = field(default=None, compare=False, repr=False)

    __hash__ = _Remembering.__hash__

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of the factors of the grouping."""
        try:
            return self._factors
        except AttributeError:
            found = tuple(label(factor) for factor in self.grouping)
            object.__setattr__(self, "_factors", found)
            return found

    @property
    def group(self) -> str:
        """Name of the grouping factor as shown to the user.

        Examples
        --------
        >>> from interlace.formula import parse
        >>> parse("y ~ (1 | `my school`:class_)").random[0].group
        'my school:class_'
        """
        return ":".join(self.factors)

    def __str__(self) -> str:
        return self._written(str(self.columns))

    @property
    def terse(self) -> str:
        """As one writes it: ``(x | g)``."""
        return self._written(self.columns.terse)

    def _written(self, columns: str) -> str:
        return written(self.covariance, columns, ":".join(map(str, self.grouping)))


@dataclass(frozen=True, slots=True)
class AbsorbedTerm:
    """One absorbed factor as it is written; it knows no data.

    Attributes
    ----------
    factors : tuple of str
        Columns whose combinations are the levels.
    slopes : tuple of str
        Columns that have a slope of their own in each level.
    intercept : bool
        Whether each level has an intercept; without slopes it always has.
    places : tuple of int
        Where the names of `columns` stand in the text; no part of equality.

    Examples
    --------
    >>> print(AbsorbedTerm(("firm", "year")), AbsorbedTerm(("firm",), ("x",), intercept=False))
    firm:year firm[[x]]
    """

    factors: tuple[str, ...]
    slopes: tuple[str, ...] = ()
    intercept: bool = True
    places: tuple[int, ...] = field(default=(), compare=False, repr=False)

    def __str__(self) -> str:
        name = ":".join(map(quote, self.factors))
        slopes = f"[{', '.join(map(quote, self.slopes))}]" if self.slopes else ""
        return name + (slopes if self.intercept else f"[{slopes}]")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that it needs."""
        return (*self.factors, *self.slopes)

    @property
    def coefficients(self) -> tuple[str, ...]:
        """Names of the coefficients that each level has."""
        return (*(("Intercept",) if self.intercept else ()), *self.slopes)


@dataclass(frozen=True, slots=True)
class Formula(_Remembering):
    """A parsed model formula.

    Attributes
    ----------
    response : Node
        Expression of the response.
    fixed : Sum
        The fixed part: ``1 + x`` or ``0 + x``.
    random : tuple of RandomTerm
        Random terms in the order of writing; ``(1|a/b)`` is ``(1|a) + (1|a:b)``.
    offsets : tuple of Node
        The expressions inside ``offset(...)``.
    absorbed : tuple of AbsorbedTerm
        Factors after a bar outside parentheses: their levels are fixed effects without columns.
    text : str
        The formula as the user wrote it, for error messages; no part of equality.
    """

    response: Node
    fixed: Sum
    random: tuple[RandomTerm, ...]
    offsets: tuple[Node, ...] = ()
    absorbed: tuple[AbsorbedTerm, ...] = ()
    text: str = field(default="", compare=False, repr=False)

    __hash__ = _Remembering.__hash__

    def __str__(self) -> str:
        return self._written(str(self.fixed), map(str, self.random))

    @property
    def terse(self) -> str:
        """As one writes it, without intercepts that are there by themselves; it stands for the same formula.

        Examples
        --------
        >>> from interlace.formula import parse
        >>> parse("y ~ 1 + x + (1 + x | g)").terse
        'y ~ x + (x | g)'
        """
        return self._written(self.fixed.terse, (term.terse for term in self.random))

    def _written(self, fixed: str, random: Iterable[str]) -> str:
        parts = [fixed, *(f"offset({o})" for o in self.offsets), *random]
        bar = f" | {' + '.join(map(str, self.absorbed))}" if self.absorbed else ""
        return f"{self.response} ~ {' + '.join(parts)}{bar}"


def plain_name(node: Node) -> str | None:
    """The column name if an expression is just one, else None.

    Examples
    --------
    >>> from interlace.formula.grammar import expression
    >>> plain_name(expression("`my col`")), plain_name(expression("log(x)"))
    ('my col', None)
    """
    return node.name if isinstance(node, Name) else None
