"""Right-hand sides: summands with their signs, the intercept, and what can be a term.

The intercept goes by R's rule: numbers are no terms but orders, obeyed in the order of writing wherever they
stand, so that the last word counts: `(a - 1) * x` is `0 + a * x`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, replace

from interlace.errors import FormulaError
from interlace.formula.formula import Sum
from interlace.formula.structured import structured
from interlace.formula.tree import (
    ADD,
    AND,
    COMPARE,
    MULTIPLY,
    OR,
    RANGE,
    SPECIAL,
    Bar,
    Braces,
    Call,
    Chain,
    Constant,
    Listing,
    Name,
    Node,
    Number,
    Power,
    Step,
    Text,
    Unary,
    chain,
    level_of,
    walk,
)
from interlace.frozen import dataclass


@dataclass(slots=True)
class Side:
    """What a right-hand side says, read from left to right."""

    text: str
    intercept: bool = True
    items: list[tuple[str, Node]] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    offsets: list[Node] = field(default_factory=list)

    @property
    def sum(self) -> Sum:
        """The terms, each once."""
        return Sum(self.intercept, tuple(dict.fromkeys(self.items)))

    def read(self, node: Node) -> Side:
        """Take in a right-hand side."""
        self._refuse_unmarked(node)
        for sign, summand in summands(node):
            part = (isinstance(summand, Call) and structured(summand, self.text)) or summand
            if isinstance(part, Bar):
                if sign == "-":
                    raise self._error("a random term cannot be taken away; leave it out instead", part)
                self.bars.append(part)
            elif is_offset(part):
                self.offsets.append(self._offset(sign, part))
            else:
                kept = self._term(part, sign == "+")
                if kept is not None:
                    self.items.append((sign, kept))
        return self

    def _error(self, message: str, place: Node | int) -> FormulaError:
        return FormulaError(message, self.text, place if isinstance(place, int) else place.position)

    def _refuse_unmarked(self, node: Node) -> None:
        """Operators that bind less tightly than `+`, without parentheses to say how far they reach."""
        if not isinstance(node, Chain) or level_of(node.steps[0].operator) >= ADD:
            return
        step = node.steps[0]
        if step.operator in ("|", "||"):
            raise self._error(
                f"put parentheses round the random term: '(1 {step.operator} g)'", step.position
            )
        if any(isinstance(found, Bar) for found in walk(node)):
            raise self._error(f"'{step.operator}' cannot join terms; put it into I(...)", step.position)

    def _offset(self, sign: str, node: Node) -> Node:
        if sign == "-":
            raise self._error("an offset cannot be taken away; write offset(-(...))", node)
        assert isinstance(node, Call)
        if len(node.arguments) > 1:
            raise self._error("offset() takes one expression; write one offset() for each", node)
        if not node.arguments:
            raise self._error("offset() is empty; name a column in it", node)
        return node.arguments[0].value

    # ---- terms ----

    def _term(self, node: Node, adding: bool) -> Node | None:
        """A summand without its numbers, which are obeyed; None if nothing is left."""
        if isinstance(node, Number):
            if node.text not in ("0", "1"):
                raise self._error("the only numbers that can be terms are 0 and 1", node)
            self.intercept = (node.text == "1") == adding
            return None
        if isinstance(node, Unary) and node.operator in ("+", "-"):
            kept = self._term(node.operand, adding == (node.operator == "+"))
            return kept if kept is None or node.operator == "+" else replace(node, operand=kept)
        if isinstance(node, Chain):
            return self._chain(node, adding)
        if isinstance(node, Power):
            return self._power(node, adding)
        self._check(node)
        return node

    def _chain(self, node: Chain, adding: bool) -> Node | None:
        level = level_of(node.steps[0].operator)
        if level == ADD:
            return self._inner_sum(node, adding)
        if level in (COMPARE, AND, OR):
            self._refuse_bars(node)
            return node
        self._check_operators(node, level)
        head = self._factor(node.head, adding)
        kept = head
        for step in node.steps:
            found = replace(step, operand=self._factor(step.operand, adding))
            kept = chain(kept, (replace(found, operator=_as_product(found)),), node.position)
        return kept

    def _check_operators(self, node: Chain, level: int) -> None:
        for step in node.steps:
            if step.operator in ("%", "//"):
                raise self._error(f"'{step.operator}' cannot join terms; put it into I(...)", step.position)
            if level == SPECIAL and step.operator != "%in%":
                message = f"'{step.operator}' cannot join terms; compute the column in the data"
                raise self._error(message, step.position)
        assert level in (MULTIPLY, SPECIAL, RANGE)

    def _inner_sum(self, node: Chain, adding: bool) -> Node | None:
        kept: list[tuple[Step, Node]] = []
        for step in (Step("+", node.head, node.head.position), *node.steps):
            part = self._term(step.operand, adding == (step.operator == "+"))
            if part is not None:
                kept.append((step, part))
        if not kept:
            return None
        (first, head), *rest = kept
        if first.operator == "-":
            head = Unary("-", head, position=first.position)
        steps = tuple(replace(step, operand=part) for step, part in rest)
        return chain(head, steps, node.position)

    def _factor(self, node: Node, adding: bool) -> Node:
        """One side of a product: numbers stand in a sum of its own only."""
        if isinstance(node, Number):
            raise self._error("a number cannot be part of a term; write I(2 * x)", node)
        if isinstance(node, Unary) and node.operator in ("+", "-"):
            message = f"a sign cannot stand inside a product of terms; write I({node.operator}x)"
            raise self._error(message, node)
        if is_offset(node):
            raise self._error("an offset cannot be part of a product; add it: '+ offset(z)'", node)
        kept = self._term(node, adding)
        if kept is None:
            raise self._error("these parentheses hold no term; leave them out", node)
        return kept

    def _power(self, node: Power, adding: bool) -> Node:
        base = self._factor(node.base, adding)
        exponent = node.exponent
        if not isinstance(exponent, Number) or not exponent.text.isdigit() or exponent.text == "0":
            raise self._error(
                "the power of a sum of terms must be a whole number, 1 or more; "
                "write I(x^2) for the square of a column",
                exponent if exponent.position >= 0 else node,
            )
        return replace(node, base=base)

    def _check(self, node: Node) -> None:
        if isinstance(node, Bar):
            raise self._misplaced(node)
        if isinstance(node, (Constant, Listing, Text)):
            raise self._error(f"{node} cannot be a term; name a column or write I(...)", node)
        if isinstance(node, Call):
            self._check_call(node)
        self._refuse_bars(node)

    def _check_call(self, node: Call) -> None:
        if bar := structured(node, self.text):
            raise self._misplaced(bar)
        if is_offset(node):
            raise self._error("an offset cannot stand there; add it to the terms: '+ offset(z)'", node)

    def _refuse_bars(self, node: Node) -> None:
        for found in walk(node):
            if isinstance(found, Bar):
                raise self._misplaced(found)

    def _misplaced(self, bar: Bar) -> FormulaError:
        message = "a random term cannot stand inside another term; add it to the others: '+ (1 | g)'"
        return self._error(message, bar.at)


def summands(node: Node, sign: str = "+") -> Iterator[tuple[str, Node]]:
    """The summands of a right-hand side; `+ (a + b)` is opened up, `- (a + b)` is left alone."""
    waiting = [(sign, node)]
    while waiting:
        sign, node = waiting.pop()
        if sign == "+" and isinstance(node, Chain) and node.operators <= {"+", "-"}:
            waiting.extend(reversed(node.parts))
        elif (
            isinstance(node, Unary) and node.operator in ("+", "-") and (sign == "+" or node.operator == "+")
        ):
            waiting.append((node.operator if sign == "+" else sign, node.operand))
        else:
            yield sign, node


def is_offset(node: Node) -> bool:
    """Whether this is `offset(...)`."""
    return isinstance(node, Call) and node.function == "offset"


def _as_product(step: Step) -> str:
    """`a %in% b` is `a:b` (R) unless there is a sum on its right, which it takes as one."""
    single = isinstance(step.operand, (Name, Call, Braces)) or (
        isinstance(step.operand, Chain) and step.operand.operators == {":"}
    )
    return ":" if step.operator == "%in%" and single else step.operator
