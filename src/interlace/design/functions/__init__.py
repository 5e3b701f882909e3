"""The functions that formulas know, by the names that R gives them, and the constants.

`FUNCTIONS` maps a name to its `Function`, whose `call` binds and checks arguments and computes. A name that
is not called, such as `contr.sum` in ``C(f, contr.sum)`` or `mean` in ``ave(x, g, FUN = mean)``, has the
function itself as its value. `CONSTANTS` are the names of numbers and logicals; a column of that name wins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from interlace.design.functions.constants import CONSTANT_FUNCTIONS
from interlace.design.functions.conversions import CONVERSIONS
from interlace.design.functions.elementwise import ELEMENTWISE
from interlace.design.functions.factors import FACTORS
from interlace.design.functions.function import Function
from interlace.design.functions.instead import INSTEAD
from interlace.design.functions.intervals import INTERVALS
from interlace.design.functions.polynomials import POLYNOMIALS
from interlace.design.functions.splines import SPLINES
from interlace.design.functions.summaries import SUMMARIES
from interlace.text import did_you_mean

__all__ = ["CONSTANTS", "FUNCTIONS", "INSTEAD", "Function", "instead"]

_ALL: tuple[Function, ...] = (
    *ELEMENTWISE,
    *SUMMARIES,
    *CONSTANT_FUNCTIONS,
    *POLYNOMIALS,
    *SPLINES,
    *INTERVALS,
    *FACTORS,
    *CONVERSIONS,
)

#: Functions by name; those with a dot also with an underscore.
FUNCTIONS: Mapping[str, Function] = {
    **{f.name.replace(".", "_"): f for f in _ALL if not f.name.startswith("contr.")},
    **{f.name: f for f in _ALL},
}

CONSTANTS: Mapping[str, float | bool] = {
    "pi": math.pi,
    "T": True,
    "F": False,
    "Inf": math.inf,
    "NaN": math.nan,
    "NA": math.nan,
}


def instead(name: str, others: Iterable[str] = ()) -> str:
    """What to write in place of the function `name`, which is not there; `others` are the caller's."""
    if name in INSTEAD:
        return INSTEAD[name]
    meant = did_you_mean(name, sorted({*FUNCTIONS, *others}), most=1, cutoff=0.7)
    return meant or "define it before the call, or compute the column in the data"
