"""The values a formula is made of. They know no data."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from interlace.formula.tokens import tokenize


@dataclass(frozen=True, slots=True)
class RandomTerm:
    """One random term `(columns | grouping)`.

    Attributes
    ----------
    columns : str
        Right-hand side of the columns with its intercept written out: ``"1 + x"``, ``"0 + x"``.
    grouping : tuple of str
        Factors of the product that defines the groups, as written in a formula: ``("a",)``, ``("a", "b")``.
    covariance : {"unstructured", "independent"}
        ``|`` leaves the covariance free; ``||`` drops the correlations between the terms of `columns`
        (the columns of one factor stay correlated).
    bar : int or None
        Which bar of the text the term was written with, as ``(1 | a/b)`` is two terms; no part of equality.
    """

    columns: str
    grouping: tuple[str, ...]
    covariance: str = "unstructured"
    bar: int | None = field(default=None, compare=False, repr=False)

    @property
    def group(self) -> str:
        """Name of the grouping factor as shown to the user.

        Examples
        --------
        >>> RandomTerm("1", ("`my school`", "class_")).group
        'my school:class_'
        """
        return ":".join(
            part[1:-1] if part.startswith("`") and part.endswith("`") else part for part in self.grouping
        )

    def __str__(self) -> str:
        bar = "|" if self.covariance == "unstructured" else "||"
        return f"({self.columns} {bar} {':'.join(self.grouping)})"


@dataclass(frozen=True, slots=True)
class Formula:
    """A parsed model formula.

    Attributes
    ----------
    response : str
        Expression of the response.
    fixed : str
        Right-hand side of the fixed part with its intercept written out: ``"1 + x"`` or ``"0 + x"``.
    random : tuple of RandomTerm
        Random terms in the order of writing; ``(1|a/b)`` is ``(1|a) + (1|a:b)``.
    offsets : tuple of str
        The expressions inside ``offset(...)``.
    text : str
        The formula as the user wrote it, for error messages; no part of equality.
    """

    response: str
    fixed: str
    random: tuple[RandomTerm, ...]
    offsets: tuple[str, ...] = ()
    text: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        parts = [self.fixed, *(f"offset({o})" for o in self.offsets), *map(str, self.random)]
        return f"{self.response} ~ {' + '.join(parts)}"


@lru_cache(maxsize=1024)
def plain_name(expression: str) -> str | None:
    """The column name if an expression is just one (back-quotes removed), else None.

    Examples
    --------
    >>> plain_name("x"), plain_name("`my col`"), plain_name("log(x)")
    ('x', 'my col', None)
    """
    tokens = tokenize(expression)
    return tokens[0].name if len(tokens) == 1 and tokens[0].is_name else None
