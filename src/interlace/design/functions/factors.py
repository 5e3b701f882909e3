"""Functions that make factors, or indicators of their levels; what depends on the data is learnt."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from interlace.design.contrasts import (
    CODINGS,
    Ambiguous,
    Contrast,
    Custom,
    Helmert,
    Polynomial,
    Successive,
    Sum,
    Treatment,
    completed,
    reference_level,
    resolve,
)
from interlace.design.functions.call import Call
from interlace.design.functions.function import Function
from interlace.design.functions.labels import (
    check_occurring,
    given_levels,
    into_levels,
    labelled,
    refuse_unseen,
)
from interlace.design.functions.values import (
    Value,
    described,
    factor_of,
    flag,
    is_column,
    level_text,
    several,
    whole,
)
from interlace.design.values import CodedFactor, Factor, Matrix
from interlace.errors import DataError, FormulaError


def _coded(found: Factor, contrast: Contrast | None = None) -> CodedFactor:
    own = found.contrast if isinstance(found, CodedFactor) else None
    return CodedFactor(found.codes, found.levels, found.ordered, own if contrast is None else contrast)


def factor(
    call: Call,
    x: Value,
    levels: Value = None,
    labels: Value = None,
    exclude: Value = None,
    ordered: Value = None,
) -> CodedFactor:
    """R's `factor()`: levels sorted, or those given in the order given; other names for them by `labels`."""
    if exclude is not None:
        raise FormulaError("factor() cannot exclude levels: leave such rows out of the data")
    return _factor(call, x, levels, labels, None if ordered is None else flag(call, "ordered", ordered))


def ordered_(call: Call, x: Value, levels: Value = None, labels: Value = None) -> CodedFactor:
    """R's `ordered()`: a factor with polynomial contrasts."""
    return _factor(call, x, levels, labels, True)


def _factor(call: Call, x: Value, levels: Value, labels: Value, ordered: bool | None) -> CodedFactor:
    found = factor_of(call, x)
    order = found.ordered if ordered is None else ordered
    learning = "levels" not in call.state
    if levels is not None:
        if learning:
            wanted = given_levels(call, "levels", levels)
            check_occurring(call, found, wanted)
            call.state["levels"] = wanted
        found = into_levels(call, found, call.state["levels"])
    elif learning:
        found = found.drop_unused()
        call.state["levels"] = found.levels
    elif labels is not None or order:
        refuse_unseen(call, found, call.state["levels"])
        found = found.recode(call.state["levels"])
    made = _coded(Factor(found.codes, found.levels, order))
    return made if labels is None else labelled(call, made, labels)


def as_factor(call: Call, x: Value) -> CodedFactor:
    """R's `as.factor()`: a factor as it is, other values with sorted levels."""
    return _coded(factor_of(call, x))


def as_ordered(call: Call, x: Value) -> CodedFactor:
    """R's `as.ordered()`."""
    found = factor_of(call, x)
    return found if isinstance(found, CodedFactor) and found.ordered else _factor(call, x, None, None, True)


def relevel(call: Call, x: Value, ref: Value) -> CodedFactor:
    """R's `relevel()`: the level `ref`, or several, come first."""
    found = factor_of(call, x)
    if "first" not in call.state:
        if found.ordered:
            raise DataError(
                f"relevel() would break the order of '{call.subject}'; "
                "give the levels in another order: factor(..., levels = c(...), ordered = FALSE)"
            )
        wanted = ref if isinstance(ref, tuple) else (ref,)
        if not all(isinstance(w, str | float | bool) for w in wanted):
            raise FormulaError(f"relevel() needs a level for 'ref', not {described(ref)}")
        levels = found.levels.tolist()
        call.state["first"] = tuple(reference_level(call.subject, w, levels) for w in wanted)
    first = {level: i for i, level in enumerate(call.state["first"])}
    order = np.argsort([first.get(level, len(first)) for level in found.levels.tolist()], kind="stable")
    return _coded(found.recode(found.levels[order]))


def droplevels(call: Call, x: Value) -> CodedFactor:
    """R's `droplevels()`: without the levels that do not occur."""
    if not isinstance(x, Factor):
        raise FormulaError(f"droplevels() needs a factor, and '{call.text}' gives it {described(x)}")
    found = x.drop_unused()
    return _coded(found, x.contrast if isinstance(x, CodedFactor) else None)


MOST_COMBINATIONS = 100_000


def interaction(
    call: Call, *x: Value, drop: Value = False, sep: Value = ".", lex_order: Value = False
) -> CodedFactor:
    """R's `interaction()`: a factor of all combinations of levels; those of the first change fastest."""
    if len(x) < 2:
        raise FormulaError("interaction() needs two factors or more; write interaction(a, b)")
    if not isinstance(sep, str):
        raise FormulaError(f"interaction() needs a text for 'sep', not {described(sep)}")
    factors = [factor_of(call, value) for value in x]
    if "levels" not in call.state:
        call.state["levels"] = tuple(f.levels for f in factors)
    for found, known in zip(factors, call.state["levels"], strict=True):
        refuse_unseen(call, found, known)
    parts = [f.recode(known) for f, known in zip(factors, call.state["levels"], strict=True)]
    if np.prod([float(len(p.levels)) for p in parts]) > MOST_COMBINATIONS:
        raise DataError(f"'{call.text}' has more than {MOST_COMBINATIONS} combinations of levels; write a:b")
    slow_first = parts if flag(call, "lex.order", lex_order) else parts[::-1]
    codes, missing = np.zeros(call.nrows, dtype=np.int32), np.zeros(call.nrows, dtype=bool)
    for part in slow_first:
        codes = codes * np.int32(len(part.levels)) + np.maximum(part.codes, 0).astype(np.int32)
        missing |= part.codes < 0
    codes[missing] = -1
    names = [[level_text(v) for v in part.levels] for part in slow_first]
    order = 1 if slow_first is parts else -1
    labels = tuple(sep.join(combination[::order]) for combination in itertools.product(*names))
    made = labelled(call, Factor(codes, np.arange(len(labels))), labels)
    return _coded(made.drop_unused()) if flag(call, "drop", drop) else made


def dummy(call: Call, f: Value, levels_to_keep: Value = None) -> Value:
    """lme4's `dummy(f, "a")`: 1 at the level, 0 elsewhere; of several levels, a column each.

    Without levels, all but the first.
    """
    found = factor_of(call, f)
    if "levels" not in call.state:
        known = found.drop_unused().levels
        wanted = known[1:] if levels_to_keep is None else given_levels(call, "levelsToKeep", levels_to_keep)
        if not len(wanted):
            raise DataError(f"'{call.subject}' has one level only; dummy() needs two")
        gone = into_levels(call, Factor(np.arange(len(wanted)), wanted), known).codes < 0
        if gone.any():
            raise DataError(
                f"the level '{level_text(wanted[int(np.argmax(gone))])}' of '{call.subject}' does not occur; "
                f"its levels are {', '.join(level_text(v) for v in known[:20])}"
            )
        call.state.update(levels=known, kept=wanted)
    refuse_unseen(call, found, call.state["levels"])
    codes = into_levels(call, found, call.state["kept"]).codes
    columns = [np.where(found.codes < 0, np.nan, codes == j) for j in range(len(call.state["kept"]))]
    if len(columns) == 1:
        return columns[0]
    return Matrix(np.column_stack(columns), tuple(level_text(v) for v in call.state["kept"]))


# Codings


def C(
    call: Call, object: Value, contr: Value = None, how_many: Value = None, levels: Value = None
) -> CodedFactor:
    """R's `C(f, contr.sum)`: a factor with a coding of its own: a name, numbers, or a matrix.

    As in R, a matrix with fewer than L - 1 columns is completed by columns orthogonal to those and to the
    constant, unless `how.many` says how many there shall be.
    """
    found = factor_of(call, object)
    if levels is not None:
        if "levels" not in call.state:
            call.state["levels"] = given_levels(call, "levels", levels)
        found = into_levels(call, found, call.state["levels"])
    if contr is None:
        return _coded(found)
    count = None if how_many is None else whole(call, "how.many", how_many, 1)
    return _coded(found, _contrast(call, contr, count))


def _contrast(call: Call, contr: Value, how_many: int | None) -> Contrast:
    if isinstance(contr, Function):
        if contr.name not in BARE:
            raise DataError(
                f"the contrast for '{call.subject}' is neither a name nor a matrix of numbers (levels x "
                f"columns) but the function {contr.name}; use one of {CODINGS}, for example "
                f"C({call.subject}, contr.sum)"
            )
        contr = BARE[contr.name]
    if isinstance(contr, tuple) and not all(isinstance(part, tuple) for part in contr):
        contr = np.array(several(call, "contr", contr))
    found = resolve(call.subject, contr)
    return completed(call.subject, found, how_many) if isinstance(found, Custom) else found


def _count(call: Call, n: Value) -> int | None:
    if is_column(n):
        raise FormulaError(f"{call.name} is the coding of a factor: write C({call.subject}, {call.name})")
    if n is None:
        return None
    return len(n) if isinstance(n, tuple) else whole(call, "n", n, 1)


def contr_treatment(call: Call, n: Value = None, base: Value = None) -> Contrast:
    """`contr.treatment(base = 2)`: the base is a level, or the number of one; `n` is the number of levels."""
    if base is not None:
        return Treatment(base, _count(call, n), numbered=True)
    if isinstance(n, str | bool):
        return Treatment(n)
    return Treatment() if n is None else Treatment(count=len(n)) if isinstance(n, tuple) else Ambiguous(n)


def treatment(call: Call, reference: Value = None) -> Contrast:
    """patsy's `Treatment("b")`."""
    return Treatment(reference)


def contr_sas(call: Call, n: Value = None) -> Contrast:
    """`contr.SAS`: treatment contrasts with the last level as the base."""
    return Treatment(count=_count(call, n), last=True)


def contr_poly(call: Call, n: Value = None, scores: Value = None) -> Contrast:
    """`contr.poly(scores = c(1, 2, 4))`: orthogonal polynomials."""
    if "scores" not in call.state:
        call.state["scores"] = None if scores is None else several(call, "scores", scores)
    return Polynomial(_count(call, n), call.state["scores"])


def _counted(kind: Callable[[int | None], Contrast]) -> Callable[..., Contrast]:
    def compute(call: Call, n: Value = None) -> Contrast:
        return kind(_count(call, n))

    return compute


#: What the name of a contrast means without a call: `C(f, contr.sum)`.
BARE: dict[str, Contrast] = {
    "contr.treatment": Treatment(),
    "contr.sum": Sum(),
    "contr.helmert": Helmert(),
    "contr.poly": Polynomial(),
    "contr.sdif": Successive(),
    "contr.diff": Successive(),
    "contr.SAS": Treatment(last=True),
    "contr.sas": Treatment(last=True),
    "Treatment": Treatment(),
    "Sum": Sum(),
    "Helmert": Helmert(),
    "Poly": Polynomial(),
    "Diff": Successive(),
}

FACTORS: tuple[Function, ...] = (
    Function("factor", factor),
    Function("ordered", ordered_),
    Function("as.factor", as_factor),
    Function("as.ordered", as_ordered),
    Function("relevel", relevel),
    Function("droplevels", droplevels),
    Function("interaction", interaction),
    Function("dummy", dummy),
    Function("C", C, {"contrasts": "contr", "x": "object"}),
    Function("contr.treatment", contr_treatment),
    Function("Treatment", treatment, {"base": "reference"}),
    *(Function(name, contr_poly) for name in ("contr.poly", "Poly")),
    *(Function(name, contr_sas) for name in ("contr.SAS", "contr.sas")),
    *(Function(name, _counted(Sum)) for name in ("contr.sum", "Sum")),
    *(Function(name, _counted(Helmert)) for name in ("contr.helmert", "Helmert")),
    *(Function(name, _counted(Successive)) for name in ("contr.sdif", "contr.diff", "Diff")),
)
