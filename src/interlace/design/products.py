"""The columns of a term as products of its members, each by itself.

For marginal means, no grid of all combinations is needed: the mean of a product over levels that vary
independently is the product of the means of its parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from interlace.frozen import dataclass


@dataclass(frozen=True, slots=True)
class FactorColumns:
    """How a categorical member of a product is coded.

    Attributes
    ----------
    name : str
        The expression: ``a``, ``factor(x)``.
    levels : tuple
        The L levels that the fit has seen, in order.
    matrix : ndarray of float64, shape (L, k)
        The columns of each level.
    """

    name: str
    levels: tuple[Any, ...]
    matrix: np.ndarray

    @property
    def width(self) -> int:
        """k."""
        return int(self.matrix.shape[1])

    def columns(self, codes: np.ndarray) -> np.ndarray:
        """The columns (m, k) of rows with these levels."""
        return np.take(self.matrix, codes, axis=0)

    def row(self, value: np.ndarray) -> np.ndarray:
        """The columns (k,) at weights of the levels (L,), such as ``1 / L`` each, or 1 for one of them."""
        return np.asarray(value @ self.matrix)


@dataclass(frozen=True, slots=True)
class NumberColumns:
    """A numeric member of a product: its values are its columns.

    Attributes
    ----------
    name : str
        The expression: ``x``, ``log(x)``, ``poly(x, 2)``.
    width : int
        k.
    function : str
        Whose value it is: "poly"; "" for a bare column and for what operators make.
    """

    name: str
    width: int
    function: str = ""

    def columns(self, values: np.ndarray) -> np.ndarray:
        """The columns (m, k) of rows with these values (m, k)."""
        return values

    def row(self, value: np.ndarray) -> np.ndarray:
        """The columns (k,) at a value of the expression (k,)."""
        return value


MemberColumns = FactorColumns | NumberColumns


@dataclass(frozen=True, slots=True)
class Product:
    """Some columns of X: all products of a column of each part, those of the first part varying fastest.

    Attributes
    ----------
    columns : slice
        Which columns of X; of nothing: the intercept.
    parts : tuple of FactorColumns or NumberColumns
    """

    columns: slice
    parts: tuple[MemberColumns, ...]

    def row(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """The columns at a value of each member, see `TermColumns.row`."""
        found = np.ones(1)
        for part in self.parts:
            found = np.outer(part.row(values[part.name]), found).ravel()
        return found


@dataclass(frozen=True, slots=True)
class TermColumns:
    """A term of the fixed part.

    Attributes
    ----------
    label : str
        As written; the intercept is "1".
    members : tuple of str
        The expressions it is the product of.
    columns : slice
        Its columns of X.
    products : tuple of Product
        What gives these columns, side by side. There is more than one product where a factor needs all its
        levels for some columns and not for others.
    kept : tuple of int or None
        Which of the columns of the products are there; None is all.
    """

    label: str
    members: tuple[str, ...]
    columns: slice
    products: tuple[Product, ...]
    kept: tuple[int, ...] | None = None

    @property
    def factors(self) -> dict[str, tuple[Any, ...]]:
        """The categorical members, each with its levels."""
        parts = [part for product in self.products for part in product.parts]
        return {part.name: part.levels for part in parts if isinstance(part, FactorColumns)}

    @property
    def covariates(self) -> tuple[str, ...]:
        """The numeric members."""
        parts = [part for product in self.products for part in product.parts]
        return tuple(dict.fromkeys(part.name for part in parts if isinstance(part, NumberColumns)))

    def row(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """The columns of the term, (k,), where every member has one value.

        Parameters
        ----------
        values : mapping of str to ndarray
            For each factor, weights of its levels (L,): a 1 among zeros is a level, ``1 / L`` each is the
            mean over the levels. For each numeric member, its columns (k,).

        Examples
        --------
        The mean over recipes, at 200 degrees:

        >>> import interlace
        >>> import numpy as np
        >>> cake = interlace.datasets.load("cake")
        >>> m = interlace.lmer("angle ~ recipe * temp + (1 | recipe:replicate)", cake)
        >>> values = {"recipe": np.ones(3) / 3, "temp": np.array([200.0])}
        >>> [term.row(values).round(2).tolist() for term in m.fit.encoding.term_columns]
        [[1.0], [0.33, 0.33], [200.0], [66.67, 66.67]]
        """
        found = np.concatenate([product.row(values) for product in self.products])
        return found if self.kept is None else found[list(self.kept)]


def multiplied(parts: Sequence[np.ndarray], nrows: int) -> np.ndarray:
    """All products, row by row, of a column of each part (n, k_i), those of the first part varying fastest:
    (n, k); ones where there are no parts."""
    if not parts:
        return np.ones((nrows, 1))
    columns = parts[0]
    # What overflows, and zero times infinity, is no number: the checks of the columns refuse it by name.
    with np.errstate(invalid="ignore", over="ignore"):
        for part in parts[1:]:
            columns = (part[:, :, None] * columns[:, None, :]).reshape(len(part), -1)
    return columns
