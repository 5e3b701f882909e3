"""P-values and intervals for a family of tests: what is held for all of them together.

A family is what is looked at in one table: all pairs of the means within one group, say. How many tests it
has, and which adjustment is used where the one asked for does not belong, follows R's emmeans.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlace.arrays import Array
from interlace.errors import DataError
from interlace.frozen import dataclass
from interlace.inference.estimates import f_p_value, p_values, t_quantile
from interlace.inference.mvt import SEED, Largest, largest, largest_size
from interlace.inference.stepwise import OF_P, sidak
from interlace.inference.studentised import tail as range_tail
from interlace.options import word

METHODS = (
    "none",
    "tukey",
    "bonferroni",
    "holm",
    "hochberg",
    "hommel",
    "sidak",
    "scheffe",
    "bh",
    "fdr",
    "by",
    "dunnettx",
    "mvt",
)
CROSS_METHODS = ("none", "sidak", *OF_P, "fdr")
ACROSS_SIDES = ("tukey", "scheffe", "dunnettx")  # what they hold is held for both sides together
WITHOUT_INTERVALS = ("holm", "hochberg", "hommel", "bh", "by")
SHOWN = {"bh": "BH", "by": "BY"}


@dataclass(frozen=True)
class Family:
    """Tests that are judged together.

    Attributes
    ----------
    t : ndarray, shape (m,)
        t statistics; NaN where an estimate does not exist. Such a test stays NaN and counts as one of the m
        tests, as in emmeans (mvt alone, which needs its correlation, leaves it out).
    df : ndarray, shape (m,)
        Degrees of freedom; infinite for z.
    rank : int
        Rank of the m linear functions.
    means : int or None
        Number of means whose pairwise differences these are; None where they are anything else.
    correlation : callable
        Makes the correlation matrix of the estimates, shape (m, m); asked for by mvt alone.
    """

    t: Array
    df: Array
    rank: int
    means: int | None
    correlation: Callable[[], Array]


def choose(
    method: str, family: Family, purpose: str, side: str = "two-sided", seed: int = SEED
) -> tuple[str, str]:
    """The method that is really used, and what the reader of the table is told; "" if nothing.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    family : Family
    purpose : {"test", "interval"}
        Methods that go step by step have no intervals: Bonferroni's take their place.
    side : {"two-sided", ">", "<"}
        Tukey, Scheffe and dunnettx have two sides only: sidak takes their place.
    seed : int
        Said of mvt.

    Raises
    ------
    DataError
        The method is not known.

    Examples
    --------
    >>> three = Family(np.zeros(3), np.full(3, 9.0), 2, 3, lambda: np.eye(3))
    >>> choose("tukey", three, "test")
    ('tukey', 'P value adjustment: tukey method for comparing a family of 3 estimates')
    >>> choose("holm", three, "interval")
    ('bonferroni', 'Conf-level adjustment: bonferroni method for 3 estimates (holm has no intervals)')
    """
    asked = _canonical(method)
    used, reason = _used(asked, family, purpose, side)
    alone = family.t.size == 1 and family.rank <= 1
    if used == "none" or alone:
        return used, ""
    head = "P value adjustment" if purpose == "test" else "Conf-level adjustment"
    note = f"{head}: {SHOWN.get(used, used)} method {_extent(used, family, purpose)}"
    if used == "mvt":
        note += f" (quasi-random points of seed {seed})"
    return used, f"{note} ({reason})" if reason else note


def _canonical(method: str) -> str:
    known = word("adjust", method, METHODS)
    return "bh" if known == "fdr" else known


def _used(method: str, family: Family, purpose: str, side: str) -> tuple[str, str]:
    """The method that belongs to this family, and why it is not the one asked for."""
    if family.t.size == 1 and method != "scheffe":
        return "none", ""
    if purpose == "interval" and method in WITHOUT_INTERVALS:
        return "bonferroni", f"{SHOWN.get(method, method)} has no intervals"
    if side != "two-sided" and method in ACROSS_SIDES:
        return "sidak", f"{method} is not appropriate for one-sided inferences"
    if method == "tukey" and family.means is None:
        return "sidak", "tukey is only appropriate for one set of pairwise comparisons"
    return method, ""


def _extent(method: str, family: Family, purpose: str) -> str:
    if method == "tukey":
        return f"for comparing a family of {family.means} estimates"
    if method == "scheffe":
        return f"with rank {family.rank}"
    return f"for {family.t.size} {'tests' if purpose == 'test' else 'estimates'}"


def adjusted(method: str, family: Family, side: str = "two-sided", seed: int = SEED) -> Array:
    """Adjusted p-values, shape (m,); NaN where a test has no statistic.

    Parameters
    ----------
    method : str
        One of `METHODS`; what takes its place where it does not belong is told by `choose`.
    family : Family
    side : {"two-sided", ">", "<"}
        What the alternative says of the estimates; thresholds are in the statistics already.
    seed : int
        Of the quasi-random points of mvt.

    Notes
    -----
    With q the number of means, m that of tests, r the rank and T the statistic: tukey is the tail of the
    studentised range of q means at ``sqrt(2) |T|``; scheffe is that of F on r and df at ``T^2 / r``; dunnettx
    is emmeans' approximation to Dunnett's test, ``(1 - 1/m) tukey + (1/m) sidak`` with
    ``q = (1 + sqrt(1 + 8m)) / 2``; and mvt is the probability that the largest of m statistics with this
    correlation is above T, with the degrees of freedom of the test itself (emmeans rounds them).

    Raises
    ------
    DataError
        The method is not known.

    Examples
    --------
    >>> three = Family(np.array([1.0, 2.0, 3.0]), np.full(3, 9.0), 2, 3, lambda: np.eye(3))
    >>> adjusted("tukey", three).round(4)
    array([0.5951, 0.1678, 0.0361])
    """
    used, _ = _used(_canonical(method), family, "test", side)
    raw = _one_at_a_time(family, side)
    if used == "none":
        return raw
    p = _adjusted(used, family, side, raw, seed)
    with np.errstate(invalid="ignore"):
        return np.where(np.isnan(raw), np.nan, np.clip(p, raw, 1.0))


def _one_at_a_time(family: Family, side: str) -> Array:
    both = p_values(family.t, family.df)
    if side == "two-sided":
        return both
    in_favour = _towards(family.t, side) > 0
    return np.where(in_favour, both / 2, 1 - both / 2)


def _towards(t: Array, side: str) -> Array:
    """Statistics that are large where the alternative holds."""
    return {"two-sided": np.abs, ">": np.positive, "<": np.negative}[side](t)


def _adjusted(method: str, family: Family, side: str, raw: Array, seed: int) -> Array:
    if method in OF_P:
        return _of_p(method, raw, raw.size)
    if method == "sidak":
        return sidak(raw, raw.size)
    if method == "scheffe":
        return _scheffe(family) if family.rank else raw
    tail = _tail(method, family, side, seed)
    return np.array([tail(t, df) for t, df in zip(_towards(family.t, side), family.df, strict=True)])


def _scheffe(family: Family) -> Array:
    with np.errstate(over="ignore"):  # a probability of zero, where a statistic is that large
        F = np.square(family.t, dtype=np.float64) / family.rank
    return f_p_value(F, float(family.rank), family.df)


def _of_p(method: str, p: Array, n: int) -> Array:
    there = ~np.isnan(p)
    result = np.full(p.shape, np.nan)
    if there.any():
        result[there] = OF_P[method](p[there], n)
    return result


def _tail(method: str, family: Family, side: str, seed: int) -> Callable[[float, float], float]:
    """The probability, if nothing is true, that any statistic of the family is above the first argument."""
    if method == "mvt":
        there = ~np.isnan(family.t)
        return _largest_of(family, there, side, seed).tail if there.any() else lambda t, df: float("nan")
    m = family.t.size
    if method == "tukey":
        assert family.means is not None
        means = float(family.means)
        return lambda t, df: range_tail(np.sqrt(2) * t, means, df)
    means = (1 + np.sqrt(1 + 8 * m)) / 2

    def dunnettx(t: float, df: float) -> float:
        independent = float(sidak(p_values(np.array(t), df), m))
        return (m - 1) / m * range_tail(np.sqrt(2) * t, means, df) + independent / m

    return dunnettx


def _largest_of(family: Family, there: NDArray[np.bool_], side: str, seed: int) -> Largest:
    correlation = np.asarray(family.correlation(), dtype=np.float64)[np.ix_(there, there)]
    return (largest_size if side == "two-sided" else largest)(correlation, seed)


def critical(method: str, family: Family, level: float, side: str = "two-sided", seed: int = SEED) -> Array:
    """What standard errors are multiplied by for intervals that hold together, shape (m,).

    Parameters
    ----------
    method, family, side, seed
        As for `adjusted`; one side for intervals that are open at the other end.
    level : float
        Probability that all the intervals hold, strictly between 0 and 1.

    Raises
    ------
    DataError
        The method is not known.

    Examples
    --------
    >>> three = Family(np.array([1.0, 2.0, 3.0]), np.full(3, 9.0), 2, 3, lambda: np.eye(3))
    >>> critical("tukey", three, 0.95).round(4)
    array([2.792, 2.792, 2.792])
    """
    used, _ = _used(_canonical(method), family, "interval", side)
    if not family.t.size:
        return np.zeros(0)
    once, place = np.unique(family.df, return_inverse=True)
    return _critical(used, family, level, side, once, seed)[place]


def _critical(method: str, family: Family, level: float, side: str, df: Array, seed: int) -> Array:
    m, sides = family.t.size, 2 if side == "two-sided" else 1
    outside = {
        "none": 1 - level,
        "bonferroni": (1 - level) / m,
        "sidak": float(-np.expm1(np.log(level) / m)),
    }
    if method in outside:
        return -t_quantile(outside[method] / sides, df)
    if method == "scheffe":
        return _scheffe_critical(level, family.rank, df)
    tail = _tail(method, family, side, seed)
    # the chance that one of them is outside lies between that of one and the sum of all
    single, sum_of_all = (-t_quantile((1 - level) / sides / n, df) for n in (1, m))
    return np.array(
        [_where(tail, 1 - level, nu, low, high) for nu, low, high in zip(df, single, sum_of_all, strict=True)]
    )


def _scheffe_critical(level: float, rank: int, df: Array) -> Array:
    """``sqrt(r F)`` at the quantile of F on r and df degrees of freedom."""
    if not rank:
        return np.full(df.shape, np.nan)
    finite = ~np.isinf(df)
    f = _special().fdtri(float(rank), np.where(finite, df, 1.0), level)
    return np.asarray(np.sqrt(np.where(finite, rank * f, _special().chdtri(float(rank), 1 - level))))


def _where(
    tail: Callable[[float, float], float], probability: float, df: float, low: float, high: float
) -> float:
    """Where the tail is `probability`; it falls from `low` to `high`."""
    if np.isnan(df):
        return float("nan")
    if tail(low, df) <= probability:
        return low
    if tail(high, df) >= probability:
        return high
    from scipy.optimize import brentq

    return float(brentq(lambda t: tail(t, df) - probability, low, high, xtol=1e-9, rtol=1e-12))


def cross(p: Array, method: str, groups: int) -> Array:
    """P-values adjusted once more: the same test in each group of `by` is a family of its own.

    Parameters
    ----------
    p : ndarray, shape (m,)
        P-values, all of the first group, then all of the second, in the same order in each.
    method : str
        "none", "sidak", "bonferroni", "holm", "hochberg", "hommel", "bh" (also "fdr") or "by".
    groups : int
        Number of groups. With one group there is nothing to do.

    Raises
    ------
    DataError
        The method is not known, or cannot be used across groups; groups differ in their number of tests.

    Examples
    --------
    >>> cross(np.array([0.01, 0.04, 0.03, 0.5]), "bonferroni", 2)
    array([0.02, 0.08, 0.06, 1.  ])
    """
    used = cross_method(method)
    if used == "none" or groups < 2:
        return p
    if p.size % groups:
        raise DataError(
            f"cross_adjust compares the same tests in each group, and {p.size} tests in {groups} groups are "
            "not the same number in each: leave cross_adjust out, or choose contrasts that all groups have"
        )
    tests = p.reshape(groups, -1).T
    if used == "sidak":
        return sidak(tests, groups).T.ravel()
    return np.array([_of_p(used, one, int(np.sum(~np.isnan(one)))) for one in tests]).T.ravel()


def across(p: Array, method: str) -> Array:
    """P-values of one family, (m,), adjusted by what looks at nothing else; NaN are no tests.

    Examples
    --------
    >>> across(np.array([0.01, 0.04, 0.03]), "bh").round(4).tolist()
    [0.03, 0.04, 0.04]
    """
    return cross(p, method, p.size)


def cross_note(method: str) -> str:
    """What the reader of a table adjusted by `cross` is told; "" if nothing."""
    used = cross_method(method)
    return "" if used == "none" else f"Cross-group P-value adjustment: {SHOWN.get(used, used)}"


def cross_method(method: str) -> str:
    """The adjustment over groups that is meant.

    Raises
    ------
    DataError
        It is not known.
    """
    known = word("cross_adjust", method, CROSS_METHODS)
    return "bh" if known == "fdr" else known


def _special() -> Any:
    from scipy import special

    return special
