"""What the model says of rows that are held out, when it is fitted to the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from interlace.arrays import Array, Index
from interlace.design.columns import Plain
from interlace.design.design import Design
from interlace.design.gathered import some_rows
from interlace.errors import InterlaceError, ModelError
from interlace.estimation.found import search_again
from interlace.estimation.rank import triangle_of
from interlace.frozen import dataclass
from interlace.prediction.predictive import LOG_2PI, Predictive, normal_log_density
from interlace.refitting.deletion import products_without
from interlace.refitting.folds import Fold, Folds
from interlace.refitting.whole import Whole

ESTIMABLE = 1e-7  # share of a row outside the span of those that were fitted
TOGETHER = 64  # folds that one call of the core takes


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a fold gave.

    Attributes
    ----------
    mean, sd : ndarray
        Of the held-out rows.
    centre : float
        Mean response of the rows that were fitted.
    units : ndarray of int
        What the densities are of.
    densities : ndarray
    sigma : float
    converged : bool
    """

    mean: Array
    sd: Array
    centre: float
    units: Index
    densities: Array
    sigma: float
    converged: bool


def is_quick(whole: Whole) -> bool:
    """Can the core do whole folds by itself?"""
    return isinstance(whole.design.fixed, Plain) and whole.criterion.is_simple


def predict_folds(whole: Whole, par: Array, several: Sequence[Fold], folds: Folds) -> list[Predicted]:
    """`predict_fold` of several folds, in one call of the core as far as one search from `par` is enough."""
    found: dict[int, Predicted | None] = {}
    if is_quick(whole) and par.all():
        quick = [
            i for i, fold in enumerate(several) if fold.gone is fold.held and whole.has_levels(fold.gone)
        ]
        found = dict(zip(quick, _quickly(whole, par, [several[i] for i in quick], folds), strict=True))
    return [found.get(i) or predict_fold(lambda: whole, fold, folds) for i, fold in enumerate(several)]


def _quickly(whole: Whole, par: Array, several: Sequence[Fold], folds: Folds) -> list[Predicted | None]:
    if not several:
        return []
    A, p, y = whole.criterion.system.A, len(whole.names), whole.design.y
    assert y is not None
    # 1) rows and units of all folds, one after the other
    sizes = np.array([len(fold.held) for fold in several])
    ptr = np.concatenate([[0], np.cumsum(sizes)])
    places = np.concatenate([fold.held for fold in several]).astype(np.int64)
    number = np.repeat(np.arange(len(several)), sizes)
    keys, unit = np.unique(number * folds.n_units + folds.units[places], return_inverse=True)
    first = np.searchsorted(keys, np.arange(len(several) + 1) * folds.n_units)
    answers = whole.criterion.without_folds(par, ptr, places, unit - first[number], A.rows(whole.design))
    # 2) scale of each fold, mean and standard deviation of each row; folds without an answer stay NaN
    squares = np.array([np.nan if one is None else one[0] for one in answers])
    scale = squares / (A.n - sizes - (p if whole.criterion.reml else 0))
    left, spread = (_joined([None if one is None else one[j] for one in answers], sizes) for j in (1, 2))
    weights = np.ones(len(places)) if whole.design.weights is None else whole.design.weights[places]
    mean, sd = y[places] - left, np.sqrt(scale[number] * (1 + spread) / weights)
    # 3) densities of units: of one row by its own numbers, of several by theirs
    rows_of = np.bincount(unit)
    ratio = _joined([None if one is None else one[3] for one in answers], np.diff(first))
    constant = np.bincount(unit, np.log(weights)) - rows_of * (LOG_2PI + np.log(scale[number[_firsts(unit)]]))
    single = np.bincount(unit, normal_log_density(y[places], mean, sd))
    densities = np.where(rows_of > 1, ratio + constant / 2, single)
    units = keys % folds.n_units
    return [
        None
        if answers[i] is None
        else Predicted(
            mean[ptr[i] : ptr[i + 1]],
            sd[ptr[i] : ptr[i + 1]],
            whole.mean_without(fold.gone),
            units[first[i] : first[i + 1]],
            densities[first[i] : first[i + 1]],
            float(np.sqrt(scale[i])),
            True,
        )
        for i, fold in enumerate(several)
    ]


def _joined(parts: Sequence[Array | None], sizes: Index) -> Array:
    return np.concatenate(
        [np.full(size, np.nan) if part is None else part for part, size in zip(parts, sizes, strict=True)]
    )


def _firsts(unit: Index) -> Index:
    return np.unique(unit, return_index=True)[1]


def predict_fold(make: Callable[[], Whole], fold: Fold, folds: Folds) -> Predicted:
    """The model without the rows that are gone, and what it says of those that are held out.

    Raises
    ------
    ModelError
        It cannot be fitted, or cannot predict them; the message names the fold.
    """
    try:
        return _predicted(make(), fold, folds)
    except InterlaceError as error:
        raise ModelError(f"fold {fold.label!r} held out: {error}") from error


def _predicted(whole: Whole, fold: Fold, folds: Folds) -> Predicted:
    whole.check_levels(fold.gone)
    # 1) the model of the rows that are left
    A, kept = products_without(whole.criterion.system.A, whole.piece, fold.gone)
    if A.n <= len(kept):
        raise ModelError(f"{A.n} rows are left, too few to tell {len(kept)} fixed effects and a variance")
    criterion = replace(whole.criterion, system=whole.criterion.system.with_products(A))
    optimum, solution = search_again(criterion)
    scale = solution.pwrss / (A.n - len(kept) if criterion.reml else A.n)
    # 2) its predictions
    held = some_rows(whole.design, fold.held)
    if len(kept) < len(whole.names):
        _check_estimable(whole, fold, held, kept)
        held = held.selected(kept)
    predictive = Predictive(solution, scale)
    mean, sd = predictive.mean(held), predictive.sd(held)
    # 3) the densities of its units
    units, densities = _densities(predictive, held, fold, folds, mean, sd)
    return Predicted(
        mean, sd, whole.mean_without(fold.gone), units, densities, float(np.sqrt(scale)), optimum.converged
    )


def _densities(
    predictive: Predictive, held: Design, fold: Fold, folds: Folds, mean: Array, sd: Array
) -> tuple[Index, Array]:
    of_rows = folds.units[fold.held]
    units, place, sizes = np.unique(of_rows, return_inverse=True, return_counts=True)
    assert held.y is not None
    single = normal_log_density(held.y, mean, sd)
    densities = np.zeros(len(units))
    np.add.at(densities, place, single)  # right for units of one row
    several = np.flatnonzero(sizes > 1)
    A = predictive.solution.system.A
    rows = [
        A.of_rows(held if len(units) == 1 else some_rows(held, np.flatnonzero(place == u))) for u in several
    ]
    densities[several] = predictive.log_density(rows)
    return units, densities


def _check_estimable(whole: Whole, fold: Fold, held: Design, kept: Sequence[int]) -> None:
    """Do the other rows tell what the held-out rows need, where they do not tell every coefficient?"""
    others, new = whole.piece.others(fold.gone), held.X
    R, largest = triangle_of(others, weighted=False), np.abs(new).max(axis=0)
    for design in others.designs():
        largest = np.maximum(largest, np.abs(design.X).max(axis=0))
    lost = [j for j in range(new.shape[1]) if j not in kept]
    coefficients = np.linalg.lstsq(R[:, list(kept)], R[:, lost], rcond=None)[0]
    apart = np.abs(new[:, lost] - new[:, list(kept)] @ coefficients)
    size = largest[lost]
    needed = [
        whole.names[j] for j, far in zip(lost, (apart > ESTIMABLE * size).any(axis=0), strict=True) if far
    ]
    if needed:
        raise ModelError(
            f"the other rows do not tell the coefficient of {', '.join(needed[:5])}, which these rows need: "
            "hold out fewer rows at a time, or leave the term out (a level of a factor that is only in one "
            "group cannot be predicted without it)"
        )
