"""Small errors that could have been made: one operator, condition or constant changed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OPERATORS = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.FloorDiv: "*", ast.MatMult: "*",
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
OPERATOR = re.compile(r"\*\*|//|<=|>=|==|!=|is\s+not|not\s+in|is|in|and|or|[-+*/@<>]")
# In the core binary operators stand between spaces, and the brackets of templates do not.
TOKENS = {
    " + ": " - ", " - ": " + ", " * ": " / ", " / ": " * ", " += ": " -= ", " -= ": " += ",
    " < ": " <= ", " <= ": " < ", " > ": " >= ", " >= ": " > ", " == ": " != ", " != ": " == ",
    " && ": " || ", " || ": " && ", "(!": "(", "true": "false", "false": "true", "continue;": ";",
}  # fmt: skip
TOKEN = re.compile(
    "|".join(re.escape(token) for token in sorted(TOKENS, key=len, reverse=True))
    + r"|(?<=[\[(, ])[012](?=[\]),;])"
)
# Texts, and what only decides how fast something is found out, or how it is said.
PASSED_OVER = re.compile(
    r"^\s*(//|#|\"\"\"|static_assert|template|using|throw|raise|warn\()|check_interrupt|std::(invalid|runtime)"
)


@dataclass(frozen=True)
class Mutant:
    """`file` with the characters from `start` to `end` replaced by `new`."""

    file: Path
    line: int
    start: int
    end: int
    old: str
    new: str

    def text(self) -> str:
        """The whole file with the error in it."""
        text = self.file.read_text()
        return text[: self.start] + self.new + text[self.end :]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.old.strip()} -> {self.new.strip() or 'nothing'}"


def mutants(file: Path) -> list[Mutant]:
    """All errors that are known for a file."""
    return list(_of_python(file) if file.suffix == ".py" else _of_core(file))


def _of_core(file: Path) -> Iterator[Mutant]:
    text, at = file.read_text(), 0
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        code = line.split("//")[0]
        if not PASSED_OVER.search(code) and not code.startswith("#"):
            for match in TOKEN.finditer(re.sub(r'"[^"]*"', lambda quoted: "_" * len(quoted[0]), code)):
                new = TOKENS.get(match[0]) or str((int(match[0]) + 1) if match[0].isdigit() else "")
                yield Mutant(file, number, at + match.start(), at + match.end(), match[0], new)
        at += len(line)


def _of_python(file: Path) -> Iterator[Mutant]:
    text = file.read_text()
    starts = [0]
    for line in text.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    place = {byte: i for i, byte in enumerate(_bytes_before(text))}

    def at(line: int | None, column: int | None) -> int:
        return place[starts[(line or 1) - 1] + (column or 0)]

    for node in ast.walk(ast.parse(text)):
        for left, operator, right in _between(node):
            new = OPERATORS.get(type(operator)) or {ast.And: "or", ast.Or: "and"}.get(type(operator))
            start, end = at(left.end_lineno, left.end_col_offset), at(right.lineno, right.col_offset)
            match = OPERATOR.search(text, start, end)
            if new and match and not PASSED_OVER.search(text.splitlines()[left.lineno - 1]):
                yield Mutant(file, left.lineno, match.start(), match.end(), match[0], new)
        if isinstance(node, ast.If | ast.IfExp) and not _typing(node):
            start, end = (
                at(node.test.lineno, node.test.col_offset),
                at(node.test.end_lineno, node.test.end_col_offset),
            )
            yield Mutant(file, node.test.lineno, start, end, text[start:end], f"not ({text[start:end]})")


def _bytes_before(text: str) -> list[int]:
    """For each character, and the end, the number of bytes before it."""
    before = [0]
    for character in text:
        before.append(before[-1] + len(character.encode()))
    return before


def _between(node: ast.AST) -> Iterator[tuple[ast.expr, ast.AST, ast.expr]]:
    """Left, operator and right of what a node combines."""
    if isinstance(node, ast.BinOp):
        yield node.left, node.op, node.right
    elif isinstance(node, ast.Compare):
        yield from zip([node.left, *node.comparators], node.ops, node.comparators, strict=False)
    elif isinstance(node, ast.BoolOp):
        yield node.values[0], node.op, node.values[1]


def _typing(node: ast.If | ast.IfExp) -> bool:
    return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
