"""Small-sample corrections of the covariances of least squares, by fixest's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from interlace.errors import DataError, shown
from interlace.frozen import dataclass
from interlace.options import switch, word


@dataclass(frozen=True, slots=True)
class SmallSample:
    """Small-sample corrections of covariances, by the names of fixest 0.13: what `interlace.ssc` gives.

    Attributes
    ----------
    K_adj : bool
        Multiply by ``(n - 1) / (n - K)``.
    K_fixef : {"nonnested", "full", "none"}
        Which absorbed levels K counts: those of factors that are not nested in the clusters, all, or none.
    G_adj : bool
        Multiply by ``G / (G - 1)`` for G clusters.
    G_df : {"min", "conventional"}
        With several clusterings: the smallest G for all of them, or each its own.
    t_df : {"min", "conventional"} or number
        Degrees of freedom of t with clusters: the smallest G less 1, ``n - K``, or a number.
    K_exact : bool
        Does K count the absorbed effects that the data tell? Otherwise levels less factors but one.
    """

    K_adj: bool = True
    K_fixef: str = "nonnested"
    G_adj: bool = True
    G_df: str = "min"
    t_df: str | float = "min"
    K_exact: bool = True


_SSC_NAMES = {
    "K.adj": "K_adj",
    "K.fixef": "K_fixef",
    "G.adj": "G_adj",
    "G.df": "G_df",
    "t.df": "t_df",
    "K.exact": "K_exact",
}
_SSC_WORDS = {"K_fixef": ("nonnested", "full", "none"), "G_df": ("min", "conventional")}


def ssc(**options: Any) -> SmallSample:
    """Small-sample corrections of robust covariances, as fixest 0.13 names them.

    Parameters
    ----------
    K_adj : bool
        Multiply by ``(n - 1) / (n - K)``; True.
    K_fixef : {"nonnested", "full", "none"}
        Which absorbed levels K counts: those of factors that are not nested in the clusters, all, or none.
    G_adj : bool
        Multiply by ``G / (G - 1)`` for G clusters; True.
    G_df : {"min", "conventional"}
        With several clusterings: the smallest G for all of them, or each its own.
    t_df : {"min", "conventional"} or number
        Degrees of freedom of t with clusters: the smallest G less 1, those of the residuals, or a number.
    K_exact : bool
        True: K counts the effects that the data tell, by their rank. False, as in fixest without it: K counts
        levels, less 1 for each factor but one; both agree where the factors are connected and none is nested
        in another.

    Returns
    -------
    SmallSample

    Raises
    ------
    DataError
        A name or a word is not known.

    Notes
    -----
    fixest's own spelling is taken in a mapping: ``interlace.ssc(**{"K.adj": False})``.

    Examples
    --------
    >>> import interlace
    >>> interlace.ssc(K_fixef="full").K_fixef
    'full'
    """
    chosen: dict[str, Any] = {}
    for given, value in options.items():
        name = _SSC_NAMES.get(given, given)
        if name not in _SSC_NAMES.values():
            raise DataError(f"ssc has no option '{given}'; it has {', '.join(_SSC_NAMES.values())}")
        if name in _SSC_WORDS:
            chosen[name] = word(name, value, _SSC_WORDS[name])
        elif name == "t_df":
            chosen[name] = _t_df(value)
        else:
            chosen[name] = switch(name, value)
    return SmallSample(**chosen)


def small_sample(given: Any) -> SmallSample:
    """What `ssc=` was given.

    Raises
    ------
    DataError
        It is neither what `ssc` gives nor a mapping of its options.
    """
    if given is None:
        return SmallSample()
    if isinstance(given, SmallSample):
        return given
    if isinstance(given, Mapping):
        return ssc(**given)
    raise DataError(f"ssc must be interlace.ssc(...) or a mapping of its options, not {shown(given)}")


def _t_df(value: Any) -> str | float:
    if isinstance(value, str):
        return word("t_df", value, ("min", "conventional"))
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not float(value) > 0:
        raise DataError(f"t_df must be 'min', 'conventional' or a number above zero, not {shown(value)}")
    return float(value)
