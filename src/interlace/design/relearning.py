"""What functions of a formula have learnt, learnt anew from some of the rows; everything else stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from interlace.design.encoding import Encoding
from interlace.design.evaluation import Evaluator, Memory
from interlace.design.frame import Frame
from interlace.formula.formula import Formula
from interlace.formula.tree import Node, label

LABELS = frozenset(["levels"])  # of a factor: these are no numbers that rows have told


def learnt_calls(encoding: Encoding) -> tuple[Node, ...]:
    """The calls in the formula that have learnt numbers from the rows, such as ``scale(x)``."""
    return tuple(call for call, state in encoding.memory.state.items() if set(state) - LABELS)


def learnt_words(encoding: Encoding) -> str:
    """They as a text: "scale(x), bs(z, 4)"."""
    return ", ".join(label(call) for call in learnt_calls(encoding))


def relearnt(encoding: Encoding, frame: Frame) -> Encoding:
    """The encoding whose functions have learnt from the rows of a frame; levels and codings are the same."""
    memory = encoding.memory
    calls = learnt_calls(encoding)
    state: dict[Node, dict[str, Any]] = {
        call: found for call, found in memory.state.items() if call not in calls
    }
    new = Memory(memory.context, state, memory.text, memory.columns)
    evaluator = Evaluator(frame.columns, frame.nrows, new)
    for call in calls:
        evaluator.value(call)
    return replace(
        encoding,
        fixed=encoding.fixed.remembering(new),
        random=tuple(replace(block, basis=block.basis.remembering(new)) for block in encoding.random),
        memory=new,
    )


def without_extras(encoding: Encoding) -> Encoding:
    """The encoding of columns and groups alone: no weights, no offsets."""
    formula: Formula = replace(encoding.formula, offsets=())
    return replace(encoding, formula=formula, weights=None, offset=None)
