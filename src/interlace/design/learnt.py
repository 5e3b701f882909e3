"""What an encoding has learnt, and the steps that learning and encoding share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from typing import Any

import numpy as np

from interlace.design import checks
from interlace.design.absorbing import AbsorbedEncoding
from interlace.design.basis import Basis, FactorCoding
from interlace.design.contrasts import default_contrast
from interlace.design.evaluation import Evaluator, Memory
from interlace.design.extras import Extra
from interlace.design.frame import Frame
from interlace.design.grouping import Grouping
from interlace.design.known_value import Known
from interlace.design.products import TermColumns
from interlace.design.values import Column
from interlace.errors import DataError
from interlace.formula.formula import Formula, RandomTerm
from interlace.formula.structured import written
from interlace.formula.tree import label
from interlace.frozen import dataclass, lazy


@dataclass(frozen=True)
class RandomEncoding:
    """One covariance block: columns that vary together over the levels of a grouping factor.

    Attributes
    ----------
    grouping : Grouping
        Shared (the same object) by all blocks of the same grouping factor.
    basis : Basis
        The columns, as learnt.
    term : int
        Index into `formula.random`; the blocks of one ``||`` term share it.
    known : Known or None
        The covariance of the levels, where it is known up to a factor; else they are independent.
    covariance : str
        The structure of the covariance, as in `RandomTerm.covariance`.
    """

    grouping: Grouping
    basis: Basis
    term: int
    known: Known | None = None
    covariance: str = "unstructured"

    @property
    def group(self) -> str:
        """Name of the grouping factor."""
        return self.grouping.group

    @property
    def levels(self) -> np.ndarray:
        """Labels of the L levels."""
        return self.grouping.levels

    @lazy
    def columns(self) -> tuple[str, ...]:
        """Names of the k columns."""
        return self.basis.names

    @lazy
    def intercept(self) -> int | None:
        """Index of the intercept among the columns, or None."""
        return _intercept(self.basis.names)

    def text(self, bar: str = "|") -> str:
        """The block as one writes it in a formula: "(x | g)", "(0 + f | g)", "cs(0 + f | g)", "(1 | a:b)"."""
        slopes = [":".join(members) for members in self.basis.written if members]
        left = slopes if () in self.basis.members else ["0", *slopes]
        covariance = self.covariance if bar == "|" else "independent"
        return written(covariance, " + ".join(left) if slopes else "1", self.group)


FEW = 2  # distinct values of a covariate that are remembered


@dataclass(frozen=True, slots=True)
class Covariate:
    """A column of numbers, as the rows used had it.

    Attributes
    ----------
    n : int
        Number of rows.
    mean, low, high : float
        Of their values.
    few : tuple of float or None
        All of their values where these are one or two, else none; None: not known.
    """

    n: int
    mean: float
    low: float
    high: float
    few: tuple[float, ...] | None = None

    @classmethod
    def of_columns(cls, frame: Frame, names: Iterable[str]) -> dict[str, Covariate]:
        """Those of columns of numbers; logicals, dates and factors are none."""
        out, n = {}, frame.nrows
        for name in names:
            values = frame.columns[name]
            if isinstance(values, np.ndarray) and values.dtype.kind in "iuf" and n:
                found = frame.scan(name)
                out[name] = cls(n, found.sum / n, found.low, found.high, _few(values, found.low, found.high))
        return out

    def __add__(self, other: Covariate) -> Covariate:
        """Of the rows of both."""
        n = self.n + other.n
        mean = self.mean + (other.mean - self.mean) * (other.n / n)
        few = None
        if self.few is not None and other.few is not None:
            both = tuple(sorted({*self.few, *other.few})) if self.few and other.few else ()
            few = both if len(both) <= FEW else ()
        return Covariate(n, mean, min(self.low, other.low), max(self.high, other.high), few)


def _few(values: np.ndarray, low: float, high: float) -> tuple[float, ...]:
    """All the distinct values where they are one or two, else none."""
    if len(set(values[: FEW + 1].tolist())) > FEW:  # nearly always enough, and quick
        return ()
    some = values[:64]
    for part in (some, values) if len(values) > len(some) else (some,):
        if not np.logical_and.reduce((part == low) | (part == high)):
            return ()
    return (float(low),) if low == high else (float(low), float(high))


@dataclass(frozen=True)
class Learnt:
    """What was learnt from data: the fields of `Encoding`.

    Attributes
    ----------
    formula : Formula
    fixed : Basis
        The columns of X, as learnt.
    random : tuple of RandomEncoding
        One per covariance block, in formula order; a ``||`` term gives one for each of its terms.
    weights, offset : str or None
        Name of the column that held them; `ARRAY` if they came as an array.
    memory : Memory
        The caller's functions and values that the formula uses, and what functions learnt.
    covariates : dict of str to Covariate
        Means and ranges of the columns of numbers that the fixed part uses.
    absorbed : tuple of AbsorbedEncoding
        Factors whose levels are fixed effects without columns. Where one of them has intercepts, the column
        of ones is never in the model.
    kinds : dict of str to ndarray or Factor
        The columns that the fixed part uses, without rows: their kind, and all levels.
    """

    formula: Formula
    fixed: Basis
    random: tuple[RandomEncoding, ...]
    weights: str | None
    offset: str | None
    memory: Memory
    covariates: dict[str, Covariate] = field(default_factory=dict)
    absorbed: tuple[AbsorbedEncoding, ...] = ()
    kinds: dict[str, Column] = field(default_factory=dict)

    @property
    def context(self) -> dict[str, Any]:
        """The caller's functions and values that the formula uses."""
        return self.memory.context

    @property
    def fixed_names(self) -> tuple[str, ...]:
        """Names of the columns of X."""
        return self.fixed.names

    @property
    def fixed_terms(self) -> tuple[tuple[str, slice], ...]:
        """Terms of the fixed part in order, each with its columns of X; the intercept is "1"."""
        return self.fixed.terms

    @property
    def term_columns(self) -> tuple[TermColumns, ...]:
        """Terms of the fixed part in order, each with the coding of every member by itself.

        The columns of a term are products of those of its members, so that averages over the levels of a
        factor are taken member by member (`TermColumns.row`), and no grid of combinations is needed.
        """
        return self.fixed.term_columns

    @property
    def fixed_factors(self) -> dict[str, FactorCoding]:
        """Levels and contrasts of the categorical factors of the fixed part."""
        return self.fixed.factors

    @property
    def polynomials(self) -> tuple[str, ...]:
        """Factors, in the fixed or the random part, with polynomial columns for being ordered."""
        bases = [self.fixed, *(block.basis for block in self.random)]
        return tuple(
            {
                name: None
                for basis in bases
                for name, contrast in basis.contrasts.items()
                if basis.factors[name].ordered and contrast == default_contrast(True)
            }
        )

    @lazy
    def intercept(self) -> int | None:
        """Index of the intercept among the columns of X that are in the model, or None: absorbed factors with
        intercepts take its place."""
        return None if self.absorbs_constant else _intercept(self.fixed.names)

    @lazy
    def absorbs_constant(self) -> bool:
        """Does an absorbed factor have intercepts?"""
        return bool(self.absorbed) and any(one.term.intercept for one in self.absorbed)

    @property
    def spans_constant(self) -> bool:
        """Is there an intercept, among the columns of X or one for each level of an absorbed factor?"""
        return self.absorbs_constant or self.intercept is not None


def _intercept(names: tuple[str, ...]) -> int | None:
    return names.index("Intercept") if "Intercept" in names else None


def grouping_columns(term: RandomTerm, frame: Frame, memory: Memory) -> list[Column]:
    """The evaluated factors of a grouping."""
    evaluator = Evaluator(frame.columns, frame.nrows, memory)
    return [evaluator.column(factor) for factor in term.grouping]


def check_unique_columns(random: list[RandomEncoding]) -> None:
    """No column twice for the same grouping factor: their variances could not be told apart."""
    seen: set[tuple[frozenset[str], str]] = set()
    for block in random:
        for column in block.columns:
            key = (frozenset(block.grouping.factors), column)
            if key in seen:
                raise DataError(
                    f"the random effect '{column}' for the grouping factor '{block.group}' is in more "
                    "than one random term; keep one of them"
                )
            seen.add(key)


def sum_offsets(
    formula: Formula, frame: Frame, memory: Memory, extra: Extra, kept: np.ndarray | None
) -> np.ndarray | None:
    """Sum of `offset(...)` terms and the offset argument, (n,) or None."""
    total: np.ndarray | None = extra.values
    if total is not None:
        checks.check_offset(extra.label, total, kept)
    if not formula.offsets:
        return total
    evaluator = Evaluator(frame.columns, frame.nrows, memory)
    for expression in formula.offsets:
        values = evaluator.column(expression)
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "iufb" or values.ndim != 1:
            raise DataError(f"the offset '{expression}' is not numeric")
        part = values.astype(np.float64)
        checks.check_offset(label(expression), part, kept)
        total = part if total is None else total + part
    return total
