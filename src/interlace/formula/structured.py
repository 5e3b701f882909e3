"""Random terms with a covariance structure: ``cs(1 + x | g, hom = TRUE)``."""

from __future__ import annotations

from difflib import get_close_matches

from interlace.errors import FormulaError
from interlace.formula.tree import Argument, Bar, Call, Chain, Constant

#: Function and whether the effects share a variance -> `RandomTerm.covariance`.
KINDS = {
    ("us", None): "unstructured",
    ("diag", False): "diag",
    ("diag", True): "homdiag",
    ("cs", False): "cs",
    ("cs", True): "homcs",
    ("ar1", False): "hetar1",
    ("ar1", True): "ar1",
}
#: What holds without ``hom =``, as in lme4.
HOM = {"us": None, "diag": False, "cs": False, "ar1": True}
#: glmmTMB's names.
ALIASES = {"homdiag": ("diag", True), "homcs": ("cs", True), "hetar1": ("ar1", False)}
_MISSING = ("toep", "homtoep", "ou", "rr", "exp", "gau", "mat", "propto", "equalto")
#: Names elsewhere, in small letters.
_ELSEWHERE = {
    **dict.fromkeys(("un", "unstr", "unstructured", "pdsymm", "full"), "us"),
    **dict.fromkeys(("pddiag", "vc", "dg", "diagonal", "idh", "un(1)"), "diag"),
    **dict.fromkeys(("compsymm", "csh", "pdcompsymm", "corcompsymm", "exchangeable", "ex"), "cs"),
    **dict.fromkeys(("ar", "arh1", "ar1h", "corar1", "cor_ar", "ar(1)", "har1"), "ar1"),
    **dict.fromkeys(("pdident", "ident", "id", "identity", "iid"), "homdiag"),
}
_EXAMPLES = {
    "us": "us(x | g)",
    "diag": "diag(x | g)",
    "cs": "cs(0 + f | g)",
    "ar1": "ar1(0 + t | g)",
    "homdiag": "diag(0 + f | g, hom = TRUE)",
}


def written(covariance: str, columns: str, grouping: str) -> str:
    """A random term as one writes it.

    Examples
    --------
    >>> written("independent", "1 + x", "g"), written("homcs", "0 + f", "g")
    ('(1 + x || g)', 'cs(0 + f | g, hom=True)')
    """
    if covariance in ("unstructured", "independent"):
        return f"({columns} {'|' if covariance == 'unstructured' else '||'} {grouping})"
    function, hom = next(key for key, kind in KINDS.items() if kind == covariance)
    inside = f"{columns} | {grouping}"
    return f"{function}({inside})" if hom == HOM[function] else f"{function}({inside}, hom={hom})"


def structured(call: Call, text: str) -> Bar | None:
    """The random term that a call is; None where it is none.

    Raises
    ------
    FormulaError
        It would be one with another name or other options.
    """
    inside = call.arguments[0].value if call.arguments else None
    if not isinstance(inside, Chain) or not inside.operators & {"|", "||"}:
        return None
    if call.function not in HOM and call.function not in ALIASES:
        if found := _other_name(call.function):
            raise FormulaError(found, text, call.position)
        return None
    first, *more = inside.steps
    if more:
        raise FormulaError("a random term has one bar: (columns | grouping)", text, more[0].position)
    if first.operator == "||":
        raise FormulaError(
            f"{call.function}() says what the covariance is, and so does ||; write one bar",
            text,
            first.position,
        )
    function, hom = ALIASES.get(call.function) or (call.function, HOM[call.function])
    for argument in call.arguments[1:]:
        hom = _hom(call, argument, text)
    return Bar(inside.head, "|", first.operand, first.position, KINDS[function, hom], position=call.position)


def _hom(call: Call, argument: Argument, text: str) -> bool:
    value, place = argument.value, argument.value.position if argument.value.position >= 0 else call.position
    function = call.function
    if function == "us" or function in ALIASES:
        raise FormulaError(f"{function}(columns | grouping) has no options", text, place)
    if argument.name != "hom":
        near = argument.name and get_close_matches(argument.name, ["hom", "homogeneous"], cutoff=0.5)
        what = f"no option '{argument.name}'" if argument.name else "one argument, (columns | grouping)"
        hint = "; did you mean hom?" if near else ""
        raise FormulaError(
            f"{function}() has {what}, and hom = TRUE or FALSE: whether the variances are equal{hint}",
            text,
            place,
        )
    if not isinstance(value, Constant) or value.value is None:
        raise FormulaError(f"hom must be TRUE or FALSE, not {value}", text, place)
    if len(call.arguments) > 2:
        raise FormulaError("hom is given twice", text, place)
    return value.value


def _other_name(function: str) -> str:
    """What to write for a structure of another name, or one that there is not; "" for a function."""
    low = function.lower()
    if low in _MISSING:
        return (
            f"the covariance structure {function}(... | g) is not there; there are us(x | g), diag(x | g), "
            "cs(x | g) and ar1(0 + t | g)"
        )
    known = _ELSEWHERE.get(low) or (low if low in HOM else None)
    if known is None and (near := get_close_matches(low, list(HOM), n=1, cutoff=0.65)):
        known = near[0]
    if known is None:
        return ""
    return f"there is no covariance structure {function}(... | g); did you mean {_EXAMPLES[known]}?"
