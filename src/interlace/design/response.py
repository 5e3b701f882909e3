"""How the response of a formula is made of one column of the data: steps that can be undone one by one."""

from __future__ import annotations

from typing import Any

import numpy as np

from interlace.design.evaluation import Evaluator
from interlace.design.learnt import Learnt
from interlace.design.reference import columns_of_rows
from interlace.design.rows import Rows
from interlace.errors import InterlaceError
from interlace.formula.names import used_names
from interlace.formula.tree import Braces, Call, Chain, Name, Node, Power, Unary, spell
from interlace.frozen import dataclass

PLUS, TIMES, POWER, EXPONENTIAL, LOG, ODDS = "plus", "times", "power", "exponential", "log", "odds"
_AS_THEY_ARE = ("I", "identity")
_LINEAR = ("scale", "center", "standardize")  # what they learnt is read off two values


@dataclass(frozen=True, slots=True)
class Made:
    """One step from the column to the response.

    Attributes
    ----------
    kind : str
        A function by its name, without that of its module, or "plus", "times", "power", "exponential",
        "odds".
    number : float
        What is added, multiplied by, raised to; the base of a logarithm; NaN where there is none.
    """

    kind: str
    number: float = float("nan")


@dataclass(frozen=True, slots=True)
class Response:
    """A response that is made of one column.

    Attributes
    ----------
    text : str
        As written.
    column : str
    steps : tuple of Made
        The last one first; empty for the column itself.
    before, after : ndarray, (k,)
        The column and the response in some rows, to see whether steps that are undone lead back.
    """

    text: str
    column: str
    steps: tuple[Made, ...]
    before: np.ndarray
    after: np.ndarray


def read_response(encoding: Learnt, rows: Rows, whole: tuple[str, ...] = ()) -> Response | None:
    """The response as steps; None where it is no chain of functions of one column.

    Parameters
    ----------
    encoding, rows
        What was learnt, and the rows.
    whole : tuple of str
        Expressions, as they are spelt, that count as one step, such as ``sqrt(y) + sqrt(y + 1)``.
    """
    node = encoding.formula.response
    columns = used_names(node) & encoding.memory.columns
    if len(columns) != 1:
        return None
    (column,) = columns
    if isinstance(node, Name):
        nothing = np.zeros(0)
        return Response(column, column, (), nothing, nothing)
    read, _, _ = next(columns_of_rows(rows, (column,)))
    nrows = len(read[column])
    reader = _Reader(Evaluator(read, nrows, encoding.memory), column, whole)
    try:
        steps = reader.steps(node)
        before, after = reader.values(Name(column)), reader.values(node)
    except (_NotAChainError, InterlaceError):
        return None
    return Response(spell(node), column, tuple(steps), before, after)


class _NotAChainError(Exception):
    """The column is used in a way that cannot be undone step by step."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads expressions of one column."""

    evaluator: Evaluator
    column: str
    whole: tuple[str, ...]

    def values(self, node: Node) -> np.ndarray:
        found = np.asarray(self.evaluator.column(node), dtype=np.float64)
        if found.ndim != 1:
            raise _NotAChainError
        return found

    def has_column(self, node: Node) -> bool:
        return self.column in used_names(node)

    def number(self, node: Node) -> float:
        found = self.evaluator.value(node)
        if isinstance(found, bool) or not isinstance(found, float):
            raise _NotAChainError
        return found

    def steps(self, node: Node) -> list[Made]:
        if spell(node) in self.whole:
            return [Made(spell(node))]
        match node:
            case Name(name=name) if name == self.column:
                return []
            case Braces(inside=inside):
                return self.steps(inside)
            case Unary(operator="-", operand=operand):
                return [Made(TIMES, -1.0), *self.steps(operand)]
            case Unary(operator="+", operand=operand):
                return self.steps(operand)
            case Power(base=base, exponent=exponent):
                return self._power(base, exponent)
            case Call():
                return self._call(node)
            case Chain():
                return self._chain(node)
        raise _NotAChainError

    def _power(self, base: Node, exponent: Node) -> list[Made]:
        if not self.has_column(exponent):
            return [Made(POWER, self.number(exponent)), *self.steps(base)]
        return [Made(EXPONENTIAL, self.number(base)), *self.steps(exponent)]

    def _call(self, node: Call) -> list[Made]:
        function = node.function.rpartition(".")[2]
        inside = [argument.value for argument in node.arguments]
        if not inside or not self.has_column(inside[0]) or any(map(self.has_column, inside[1:])):
            raise _NotAChainError
        if function in _LINEAR:
            return [*self._line(node, inside[0]), *self.steps(inside[0])]
        if function == LOG and len(inside) == 2:
            return [Made(LOG, self.number(inside[1])), *self.steps(inside[0])]
        if function == POWER and len(inside) == 2:
            return self._power(inside[0], inside[1])
        if len(inside) > 1:
            raise _NotAChainError
        return [*([] if function in _AS_THEY_ARE else [Made(function)]), *self.steps(inside[0])]

    def _line(self, node: Node, inside: Node) -> list[Made]:
        """The two steps of a function that is a straight line."""
        x, y = self.values(inside), self.values(node)
        low, high = int(np.argmin(x)), int(np.argmax(x))
        if not x[low] < x[high]:
            raise _NotAChainError
        slope = float((y[high] - y[low]) / (x[high] - x[low]))
        return [Made(PLUS, float(y[low] - slope * x[low])), Made(TIMES, slope)]

    def _chain(self, node: Chain) -> list[Made]:
        if node.operators <= {"+", "-"}:
            return self._sum(node)
        if node.operators <= {"*", "/"}:
            return self._odds(node) or self._product(node)
        raise _NotAChainError

    def _sum(self, node: Chain) -> list[Made]:
        added, found, sign = 0.0, None, 1.0
        for operator, part in node.parts:
            factor = -1.0 if operator == "-" else 1.0
            if not self.has_column(part):
                added += factor * self.number(part)
            elif found is None:
                found, sign = part, factor
            else:
                raise _NotAChainError
        if found is None:
            raise _NotAChainError
        turned = [Made(TIMES, -1.0)] if sign < 0 else []
        return [Made(PLUS, added), *turned, *self.steps(found)]

    def _product(self, node: Chain) -> list[Made]:
        times, found, below = 1.0, None, False
        for operator, part in (("*", node.head), *((s.operator, s.operand) for s in node.steps)):
            if self.has_column(part):
                if found is not None:
                    raise _NotAChainError
                found, below = part, operator == "/"
            else:
                value = self.number(part)
                times = times / value if operator == "/" else times * value
        if found is None:
            raise _NotAChainError
        turned = [Made(POWER, -1.0)] if below else []
        return [Made(TIMES, times), *turned, *self.steps(found)]

    def _odds(self, node: Chain) -> list[Made]:
        """``p / (1 - p)``; none where it is anything else."""
        match node:
            case Chain(head=head, steps=(step,)) if step.operator == "/":
                rest: Any = step.operand
                less = isinstance(rest, Chain) and len(rest.steps) == 1 and rest.operators == {"-"}
                if less and rest.steps[0].operand == head and not self.has_column(rest.head):
                    return [Made(ODDS, self.number(rest.head)), *self.steps(head)]
        return []
