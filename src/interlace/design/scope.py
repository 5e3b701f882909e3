"""Names of a formula settled against a table and the caller's namespace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import lru_cache
from typing import Any

from interlace.design.evaluation import from_module
from interlace.design.frame import closest, own_value
from interlace.design.functions import CONSTANTS, FUNCTIONS, INSTEAD, instead
from interlace.errors import DataError, FormulaError
from interlace.formula.formula import Formula, RandomTerm, Sum
from interlace.formula.names import Use, names_in, uses_of
from interlace.formula.sums import summands
from interlace.formula.tree import Name, Node, Step, chain, with_names
from interlace.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """What the names of a formula mean.

    Attributes
    ----------
    formula : Formula
        With '.' expanded.
    columns : tuple of str
        Columns of the table that the formula uses.
    context : dict
        The caller's objects that it uses, and no others.
    """

    formula: Formula
    columns: tuple[str, ...]
    context: dict[str, Any]


def settle(
    formula: Formula, names: list[str], context: Mapping[str, Any] | None, reserved: Iterable[str] = ()
) -> Scope:
    """Find every name of a formula among the columns, the library or the caller's objects.

    Raises
    ------
    FormulaError
        For a name that is nowhere; with the closest ones and a caret.
    """
    plan = _planned(formula, formula.text, tuple(names), frozenset(reserved))
    if not plan.open:
        return Scope(plan.formula, plan.columns, {})
    settling = _Settling(plan.formula, names, {} if context is None else context)
    for use in plan.open:
        settling.find(use)
    return Scope(plan.formula, plan.columns, settling.captured)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the names of columns alone say of a formula.

    Attributes
    ----------
    formula : Formula
        With '.' expanded.
    columns : tuple of str
        Those that it uses, in their order.
    open : tuple of Use
        Names that are no columns and no functions of the library.
    """

    formula: Formula
    columns: tuple[str, ...]
    open: tuple[Use, ...]


@lru_cache(maxsize=256)  # the text is part of the key: equal formulas of another text have other positions
def _planned(formula: Formula, text: str, names: tuple[str, ...], reserved: frozenset[str]) -> _Plan:
    formula = _expand_dot(formula, names, set(reserved))
    formula = _quote_dotted(formula, frozenset(name for name in names if "." in name))
    _refuse_reserved(formula)
    columns: dict[str, None] = {}
    left = []
    for use in uses_of(formula):
        if use.role != "function" and use.name in names:
            columns[use.name] = None
        elif use.role != "function" or use.name not in FUNCTIONS:
            left.append(use)
    return _Plan(formula, tuple(columns), tuple(left))


@dataclass(slots=True)
class _Settling:
    """The names that are no columns, and what was found of them so far."""

    formula: Formula
    names: list[str]
    context: Mapping[str, Any]
    captured: dict[str, Any] = field(default_factory=dict)

    def find(self, use: Use) -> None:
        if use.role == "function":
            if not self._is_callers(use.name, function=True):
                raise self._no_function(use)
        elif use.role == "term" or not self._is_known(use.name):
            raise self._no_column(use)

    def _is_known(self, name: str) -> bool:
        if name in CONSTANTS or self._is_callers(name, function=False):
            return True
        return name in FUNCTIONS or name.startswith("contr.")

    def _is_callers(self, name: str, *, function: bool) -> bool:
        """Whether the caller has an object of this name; Python's own names are nobody's."""
        if name.startswith("__"):
            return False
        if name in self.context:
            self.captured[name] = own_value(self.context[name])
            return callable(self.captured[name]) or not function
        found = from_module(name, self.context)
        if found is None or callable(found) != function:
            return False
        self.captured[name] = found
        return True

    def _no_function(self, use: Use) -> FormulaError:
        root, _, method = use.name.rpartition(".")
        if use.name in self.context:
            kind = type(self.context[use.name]).__name__
            message = f"'{use.name}' is an object of type {kind} and no function"
        elif root and root.split(".")[0] in self.names:
            message = (
                f"columns have no methods in a formula: '{use.name}' cannot be called; "
                f"{_METHODS.get(method, 'compute the column in the data')}"
            )
        elif root and root.split(".")[0] in {"np", *self.context}:
            own = f"before the call, write my_{method} = {use.name}, and my_{method}(...) in the formula"
            message = (
                f"'{use.name}' cannot be called: of modules, formulas know functions of NumPy's kind (ufuncs)"
                f" only; {INSTEAD.get(use.name, own)}"
            )
        else:
            near = instead(use.name, _functions_of(self.context))
            message = f"there is no function '{use.name}'; {near}"
        return FormulaError(message, self.formula.text or None, use.position)

    def _no_column(self, use: Use) -> FormulaError:
        root, _, attribute = use.name.rpartition(".")
        if root in self.names and use.role != "term":
            message = f"columns have no attributes in a formula: '{attribute}' of '{root}' cannot be had"
        elif use.role == "term" and use.name in CONSTANTS:
            value = CONSTANTS[use.name]
            number = value if isinstance(value, bool) else f"{value:g}"
            message = (
                f"'{use.name}' is the constant {number} here, the same in every row, and no column; a "
                "constant can be a part of an expression only, such as I(2 * pi * x)"
            )
        else:
            message = f"the data have no column '{use.name}'; {closest(use.name, self.names)}"
        return FormulaError(message, self.formula.text or None, use.position)


# What to write in place of methods of columns.
_METHODS = {
    "clip": "write pmin(x, 5) and pmax(x, 1) for an upper and a lower limit",
    "astype": "write as.numeric(x), as.integer(x) or factor(x)",
    "fillna": "fill missing values in the data",
    "mean": "write mean(x)",
    "std": "write scale(x)",
    "abs": "write abs(x)",
    "round": "write round(x)",
    "isin": "write I(x %in% c(1, 2))",
    "eq": "write I(x == 1)",
    "map": "write ifelse(f == 'a', 1, 0), or compute the column in the data",
}


def _functions_of(context: Mapping[str, Any]) -> list[str]:
    return [name for name in context if not name.startswith("_") and callable(context[name])]


def _refuse_reserved(formula: Formula) -> None:
    """Names that the tables of results have for something else."""
    for part in (formula.fixed, *(term.columns for term in formula.random)):
        for use in names_in(part):
            if use.role == "term" and use.name == "Intercept":
                raise FormulaError(
                    "a column called 'Intercept' could not be told from the intercept of the model; "
                    "rename it",
                    formula.text or None,
                    use.position,
                )
    for term in formula.random:
        if term.group == "Residual":
            raise FormulaError(
                "a grouping factor called 'Residual' could not be told from the residual variance; rename it",
                formula.text or None,
                term.grouping[0].position,
            )


def check_columns(names: list[str], wanted: Iterable[str]) -> None:
    """Columns that options name must be there."""
    for name in wanted:
        if name not in names:
            raise DataError(f"the data have no column '{name}'; {closest(name, names)}")


def _quote_dotted(formula: Formula, dotted: frozenset[str]) -> Formula:
    """Columns with dots in their names are spelled with back-quotes."""
    if not dotted:
        return formula

    def quoted(name: Name) -> Node:
        return replace(name, quoted=True) if name.name in dotted else name

    def random(term: RandomTerm) -> RandomTerm:
        grouping = tuple(with_names(factor, quoted) for factor in term.grouping)
        return replace(term, columns=_renamed(term.columns, quoted), grouping=grouping)

    return replace(
        formula,
        response=with_names(formula.response, quoted),
        fixed=_renamed(formula.fixed, quoted),
        offsets=tuple(with_names(offset, quoted) for offset in formula.offsets),
        random=tuple(map(random, formula.random)),
    )


def _renamed(rhs: Sum, changed: Callable[[Name], Node]) -> Sum:
    return replace(rhs, items=tuple((sign, with_names(node, changed)) for sign, node in rhs.items))


def _expand_dot(formula: Formula, names: Sequence[str], reserved: set[str]) -> Formula:
    """`.` is every column that is not the response, a grouping factor, an offset or the weights."""
    dot = next((use for use in names_in(formula.fixed) if use.name == "."), None)
    if dot is None:
        return formula
    if dot.role != "term":
        raise FormulaError("'.' can only be a term, and no argument", formula.text, dot.position)
    used = set(reserved)
    for part in (formula.response, *formula.offsets, *(g for term in formula.random for g in term.grouping)):
        used.update(use.name for use in names_in(part))
    used.update(name for term in formula.absorbed for name in term.columns)
    rest = [Name(name, "." in name, position=dot.position) for name in names if name not in used]
    if not rest:
        raise FormulaError("'.' stands for no column: all are used elsewhere", formula.text, dot.position)
    everything = chain(rest[0], tuple(Step("+", name) for name in rest[1:]))

    def expanded(name: Name) -> Node:
        return everything if name.name == "." else name

    items = [item for sign, node in _renamed(formula.fixed, expanded).items for item in summands(node, sign)]
    return replace(formula, fixed=replace(formula.fixed, items=tuple(dict.fromkeys(items))))
