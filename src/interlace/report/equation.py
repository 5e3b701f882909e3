"""A model in mathematics: the mean of a row, the random effects, the residuals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from interlace.estimation.any_fit import AnyFit
from interlace.formula.tree import label
from interlace.frozen import dataclass
from interlace.report.formulae import (
    Equation,
    Math,
    below,
    joined,
    letter,
    matrix,
    number,
    over,
    raised,
    sign,
    squared,
    words,
)

MOST_COLUMNS = 24  # of X that are written out
MOST_EFFECTS = 4  # of a term whose covariance matrix is written out
TERMS_OF_LINE = 6


@dataclass(frozen=True, slots=True)
class Effects:
    """The random effects of one term.

    Attributes
    ----------
    group : str
    names : tuple of str
    first : int
        The number of the first effect among those of the grouping factor.
    structure : str
    known : bool
        Whether the covariance between levels is known.
    """

    group: str
    names: tuple[str, ...]
    first: int
    structure: str
    known: bool


def effects_of(fit: AnyFit) -> list[Effects]:
    """Of each term, in the order of the formula."""
    counted: dict[str, int] = {}
    found = []
    for block in fit.encoding.random:
        first = counted.get(block.group, 0)
        counted[block.group] = first + len(block.columns)
        known = getattr(block, "known", None) is not None
        found.append(Effects(block.group, tuple(block.columns), first, block.covariance, known))
    return found


def equation(fit: AnyFit, *, estimates: bool = False) -> Equation:
    """The model with its parameters, or with their estimates."""
    terms = effects_of(fit)
    lines = [*_mean(fit, terms, estimates)]
    for i, term in enumerate(terms):
        lines.append(_distribution(term, i, several=len(terms) > 1))
    return Equation((*lines, _residuals(fit, estimates)))


def _mean(fit: AnyFit, terms: Sequence[Effects], estimates: bool) -> Iterator[tuple[Math, Math]]:
    """The mean of a row, in lines that are not too long."""
    summands = [*_fixed(fit, estimates), *_absorbed(fit)]
    summands += [below(words(label(one)), letter("i")) for one in fit.encoding.formula.offsets]
    summands += [_effect(term, k) for term in terms for k in range(len(term.names))]
    summands.append(below(letter("epsilon"), letter("i")))
    left = below(words(label(fit.encoding.formula.response)), letter("i"))
    for start in range(0, len(summands), TERMS_OF_LINE):
        part = joined(summands[start : start + TERMS_OF_LINE])
        begins = part.latex.startswith("-")
        if start == 0:
            yield left, sign("=") + part
        else:
            yield Math("", ""), part if begins else sign("+") + part


def _fixed(fit: AnyFit, estimates: bool) -> Iterator[Math]:
    names = fit.names
    if len(names) > MOST_COLUMNS:
        yield letter("x") + letter("beta")
        return
    beta = fit.solution.beta
    for j, name in enumerate(names):
        factor = _estimate(beta[j]) if estimates else below(letter("beta"), number(str(j)))
        yield factor if name == "Intercept" else factor + below(words(name), letter("i"))


def _estimate(value: float) -> Math:
    text = np.format_float_positional(abs(value), precision=4, fractional=False, trim="-")
    return sign("-") + number(text) if value < 0 else number(text)


def _absorbed(fit: AnyFit) -> Iterator[Math]:
    for one in fit.encoding.formula.absorbed:
        for name in one.coefficients:
            effect = below(
                letter("alpha"), words(":".join(one.factors)) + sign("[") + letter("i") + sign("]")
            )
            yield effect if name == "Intercept" else effect + below(words(name), letter("i"))


def _symbol(term: Effects, k: int, index: Math) -> Math:
    return below(letter("b"), number(str(term.first + k)) + sign(",") + index)


def _effect(term: Effects, k: int) -> Math:
    level = words(term.group) + sign("[") + letter("i") + sign("]")
    effect = _symbol(term, k, level)
    return effect if term.names[k] == "Intercept" else effect + below(words(term.names[k]), letter("i"))


def _distribution(term: Effects, i: int, *, several: bool) -> tuple[Math, Math]:
    """What the effects of a level are drawn from."""
    level = words(term.group)
    count = len(term.names)
    if count == 1:
        left = _symbol(term, 0, level)
        variance = squared(_deviation(term, 0, several))
        spread = variance + letter("K") if term.known else variance
        return left, sign("~") + _normal(number("0"), spread)
    name = below(letter("Sigma"), level if several else letter("b"))
    if count > MOST_EFFECTS:
        left = below(letter("b"), level)
        return left, sign("~") + _normal(number("0"), name)
    left = matrix([[_symbol(term, k, level)] for k in range(count)])
    spread = matrix([[_entry(term, r, c, several) for c in range(count)] for r in range(count)])
    if term.known:
        spread = letter("K") + sign("⊗") + spread
    return left, sign("~") + _normal(number("0"), spread)


def _deviation(term: Effects, k: int, several: bool) -> Math:
    shared = term.structure in ("homdiag", "homcs", "ar1")
    index = letter("b") if shared else number(str(term.first + k))
    return below(letter("sigma"), index + sign(",") + words(term.group) if several else index)


def _entry(term: Effects, r: int, c: int, several: bool) -> Math:
    """Of the covariance matrix of the effects of a level."""
    if r == c:
        return squared(_deviation(term, r, several))
    if term.structure in ("diag", "homdiag"):
        return number("0")
    rho = letter("rho")
    if term.structure in ("ar1", "hetar1"):
        rho = rho if abs(r - c) == 1 else raised(rho, number(str(abs(r - c))))
    elif term.structure not in ("cs", "homcs"):
        low, high = sorted((r, c))
        rho = below(rho, number(str(term.first + low)) + number(str(term.first + high)))
    if term.structure in ("homcs", "ar1"):
        return rho + squared(_deviation(term, 0, several))
    low, high = sorted((r, c))
    return rho + _deviation(term, low, several) + _deviation(term, high, several)


def _normal(mean: Math, variance: Math) -> Math:
    return letter("N") + sign("(") + mean + sign(",") + variance + sign(")")


def _residuals(fit: AnyFit, estimates: bool) -> tuple[Math, Math]:
    variance = squared(_estimate(float(np.sqrt(fit.scale)))) if estimates else squared(letter("sigma"))
    if fit.encoding.weights is not None:
        variance = over(variance, below(letter("w"), letter("i")))
    return below(letter("epsilon"), letter("i")), sign("~") + _normal(number("0"), variance)
