"""Names of a formula settled against a table and the caller's namespace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from interlace.design.evaluation import LIBRARY
from interlace.design.frame import closest
from interlace.errors import DataError, FormulaError
from interlace.formula.names import Name, expressions, is_builtin, locate, names_in, quote_columns
from interlace.formula.parser import parse
from interlace.formula.sums import split_sum
from interlace.formula.terms import Formula, plain_name
from interlace.formula.tokens import quote


@dataclass(frozen=True, slots=True)
class Scope:
    """What the names of a formula mean.

    Attributes
    ----------
    formula : Formula
        With '.' expanded and dotted column names quoted.
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
    formula = _expand_dot(_quote_dotted(formula, names), names, set(reserved))
    _refuse_reserved(formula)
    known = frozenset(names)
    columns: dict[str, None] = {}
    captured: dict[str, Any] = {}
    for expression in expressions(formula):
        for name in names_in(expression):
            root = name.name.split(".")[0]
            if name.role != "function" and name.name in known:
                columns[name.name] = None
            elif name.role != "term" and root != name.name and root in known:
                columns[root] = None
            elif name.role == "term" or not _is_known(root, context, captured):
                raise _unknown(name, formula, names)
    return Scope(formula, tuple(columns), captured)


def _refuse_reserved(formula: Formula) -> None:
    """Names that the tables of results have for something else."""
    for part in (formula.fixed, *(term.columns for term in formula.random)):
        if any(name.role == "term" and name.name == "Intercept" for name in names_in(part)):
            raise FormulaError(
                "a column called 'Intercept' could not be told from the intercept of the model; rename it",
                formula.text or None,
                locate(formula, "Intercept"),
            )
    if any(term.group == "Residual" for term in formula.random):
        raise FormulaError(
            "a grouping factor called 'Residual' could not be told from the residual variance; rename it",
            formula.text or None,
            locate(formula, "Residual"),
        )


def _is_known(root: str, context: Mapping[str, Any] | None, captured: dict[str, Any]) -> bool:
    if root in LIBRARY:
        return True
    if context is not None and root in context:
        captured[root] = context[root]
        return True
    return is_builtin(root)


def _unknown(name: Name, formula: Formula, names: list[str]) -> FormulaError:
    position = locate(formula, name.name)
    if name.role == "function":
        message = f"there is no function '{name.name}'; {_instead(name.name)}"
        return FormulaError(message, formula.text or None, position)
    message = f"the data have no column '{name.name}'; {closest(name.name, names)}"
    return FormulaError(message, formula.text or None, position)


_IN_THE_DATA = "compute the column in the data: "

# What to write in place of functions of R.
_INSTEAD = {
    "interaction": "write a:b for the combinations of a and b",
    "paste": "write a:b for the combinations of a and b",
    "droplevels": "leave it out, levels that do not occur are dropped",
    "as.character": "leave it out for text, or write factor(x) for numbers",
    "as.integer": "write as.numeric(x), or floor(x) for the whole part",
    "as.logical": "write I(x != 0)",
    "ifelse": _IN_THE_DATA + "np.where(data['x'] > 0, 1, 0), or write I(x > 0)",
    "is.na": _IN_THE_DATA + "data['x'].isna()",
    "pmin": "write x.clip(upper=1)",
    "pmax": "write x.clip(lower=1)",
    "recode": _IN_THE_DATA + "data['x'].replace({'old': 'new'})",
    "reorder": "give the levels in order: factor(x, levels=['b', 'a'])",
    "fct_relevel": "write relevel(x, ref='b')",
    "rev": "give the levels in order: factor(x, levels=['b', 'a'])",
    "s": "write ns(x, df=4) or bs(x, df=4); there are no penalised smooths",
    "te": "write ns(x, df=4) * ns(z, df=4); there are no penalised smooths",
    "rcs": "write ns(x, df=4)",
    "cumsum": _IN_THE_DATA + "data['x'].cumsum()",
    "lag": _IN_THE_DATA + "data.groupby('g')['x'].shift()",
    "ave": _IN_THE_DATA + "data.groupby('g')['x'].transform('mean')",
    "mean": _IN_THE_DATA + "data['x'].mean(), or write center(x)",
}


def _instead(function: str) -> str:
    if function in _INSTEAD:
        return _INSTEAD[function]
    near = closest(function, sorted(LIBRARY))
    if near.startswith("did you"):
        return near
    return "define it before the call, or compute the column in the data"


def check_columns(names: list[str], wanted: Iterable[str]) -> None:
    """Columns that options name must be there."""
    for name in wanted:
        if name not in names:
            raise DataError(f"the data have no column '{name}'; {closest(name, names)}")


def _quote_dotted(formula: Formula, names: list[str]) -> Formula:
    dotted = frozenset(name for name in names if "." in name)
    if not dotted:
        return formula
    quoted = parse(_rewritten(formula, dotted))
    return replace(quoted, text=formula.text)


def _rewritten(formula: Formula, dotted: frozenset[str]) -> str:
    return quote_columns(str(formula).replace("~", "+ __tilde__ +", 1), dotted).replace(
        "+ __tilde__ +", "~", 1
    )


def _expand_dot(formula: Formula, names: list[str], reserved: set[str]) -> Formula:
    """`.` is every column that is not the response, a grouping factor, an offset or the weights."""
    if not any(name.name == "." for name in names_in(formula.fixed)):
        return formula
    used = set(reserved)
    for expression in (formula.response, *formula.offsets):
        used.update(name.name for name in names_in(expression))
    for term in formula.random:
        used.update(name for part in term.grouping if (name := plain_name(part)) is not None)
        used.update(name.name for part in term.grouping for name in names_in(part))
    rest = [quote(name) for name in names if name not in used]
    if not rest:
        raise FormulaError(
            "'.' stands for no column: all are used elsewhere", formula.text, locate(formula, ".")
        )
    intercept, *terms = split_sum(formula.fixed)
    if "." not in terms:
        raise FormulaError("'.' can only be a term of its own", formula.text, locate(formula, "."))
    fixed = dict.fromkeys(part for term in terms for part in (rest if term == "." else [term]))
    words = [term if term.startswith("- ") else f"+ {term}" for term in fixed]
    return replace(formula, fixed=" ".join([intercept, *words]))
