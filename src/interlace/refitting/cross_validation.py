"""Cross-validation: the model is fitted without some rows, by taking their cross-products away, and predicts
them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from interlace.arrays import Array, Index
from interlace.design.design import Design
from interlace.errors import InterlaceError, InterlaceWarning, ModelError
from interlace.estimation.fit import Fit, search_again
from interlace.options import switch, word
from interlace.prediction.per_row import row_table
from interlace.prediction.predictive import Predictive, normal_log_density
from interlace.refitting.deletion import products_left, some_rows
from interlace.refitting.folds import Fold, Folds, make_folds
from interlace.refitting.parallel import in_threads
from interlace.refitting.scores import DEFAULT, Pass, Score, Value, scores_of
from interlace.refitting.whole import Whole, leak, of_fold
from interlace.tables.table import Table

TRANSFORMS = ("fold", "data")
ESTIMABLE = 1e-7  # share of a row outside the span of those that were fitted


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


@dataclass(frozen=True)
class CrossValidation:
    """Predictions of rows that were not fitted, and their scores; made by `LinearMixedModel.cross_validate`.

    Attributes
    ----------
    fit : Fit
    folds : Folds
    scores : tuple of Score
    passes : tuple of Pass
    fitted : tuple of tuple of Predicted
        Per pass and fold.
    leaks : str
        What was learnt from all rows, if anything.
    """

    fit: Fit = field(repr=False)
    folds: Folds = field(repr=False)
    scores: tuple[Score, ...] = field(repr=False)
    passes: tuple[Pass, ...] = field(repr=False)
    fitted: tuple[tuple[Predicted, ...], ...] = field(repr=False)
    leaks: str = ""

    @cached_property
    def values(self) -> dict[str, Value]:
        """Each score of all folds, with what its units contribute to its error."""
        return {score.name: score.of_all(self.passes, self.folds) for score in self.scores}

    def summary(self) -> Table:
        """A row per score: `estimate` of all held-out rows, and `se`, its standard error."""
        values = self.values
        columns = {
            "estimate": [value.estimate for value in values.values()],
            "se": [value.se for value in values.values()],
        }
        heading = f"Cross-validation: {self.folds.words}"
        return Table.of(columns, list(values), heading=heading, note=self._note())

    @property
    def table(self) -> Table:
        """A row per fold: rows held out, the scores of these, sigma, and whether the search converged."""
        repeats = len(self.passes) > 1
        columns: dict[str, list[Any]] = {"repeat": []} if repeats else {}
        columns |= {"n": []} | {score.name: [] for score in self.scores} | {"sigma": [], "converged": []}
        labels = []
        for i, (one, found) in enumerate(zip(self.passes, self.fitted, strict=True)):
            for j, fold in enumerate(one.folds):
                labels.append(fold.label)
                if repeats:
                    columns["repeat"].append(i + 1)
                columns["n"].append(len(fold.held))
                for score in self.scores:
                    columns[score.name].append(score.of_fold(one, j))
                columns["sigma"].append(found[j].sigma)
                columns["converged"].append(found[j].converged)
        return Table.of(columns, labels, name="fold", note=self._note())

    @property
    def predictions(self) -> Any:
        """A row for each row used, in the library of the data: `fold`, `predicted` and `sd`, which is the
        standard deviation of the predictive distribution.

        Of several passes the columns are "fold_1", "predicted_1", "sd_1", "fold_2" and so on. NaN where a row
        was not held out.
        """
        columns: dict[str, Any] = {}
        for i, one in enumerate(self.passes):
            end = f"_{i + 1}" if len(self.passes) > 1 else ""
            columns |= {
                f"fold{end}": _labels(one),
                f"predicted{end}": one.mean.copy(),
                f"sd{end}": one.sd.copy(),
            }
        return row_table(self.fit.rows.frame, columns)

    @property
    def units_words(self) -> str:
        """What the standard errors are from."""
        units = f"groups of {self.folds.groups}" if self.folds.groups else "rows"
        return f"standard errors from {self.folds.n_units} {units}"

    def __repr__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def _note(self) -> list[str]:
        found = [one for several in self.fitted for one in several]
        stopped = sum(not one.converged for one in found)
        return [
            self.units_words,
            f"{stopped} of {len(found)} searches did not converge" if stopped else "",
            f"{self.leaks} learnt from all rows, those held out among them" if self.leaks else "",
        ]


def _labels(one: Pass) -> Any:
    """The fold of each row by its label; None for rows that were not held out."""
    labels = np.asarray([fold.label for fold in one.folds])
    if (one.fold >= 0).all():
        return labels[one.fold]
    return np.array([*labels.tolist(), None], dtype=object)[one.fold]


def cross_validate(
    fit: Fit,
    *,
    by: Any = None,
    k: Any = None,
    repeats: int = 1,
    scores: Any = DEFAULT,
    seed: Any = None,
    n_jobs: int = 1,
    transforms: str = "fold",
    progress: bool | None = None,
) -> CrossValidation:
    """See `LinearMixedModel.cross_validate`."""
    folds = make_folds(fit, by=by, k=k, repeats=repeats, seed=seed)
    return validate(fit, folds, scores=scores, n_jobs=n_jobs, transforms=transforms, progress=progress)


def validate(
    fit: Fit, folds: Folds, *, scores: Any, n_jobs: int, transforms: str, progress: bool | None
) -> CrossValidation:
    """The predictions of these folds, and their scores."""
    wanted, transforms = scores_of(scores), word("transforms", transforms, TRANSFORMS)
    shown = None if progress is None else switch("progress", progress)
    anew = transforms == "fold" and bool(leak(fit))
    whole = Whole.of(fit)

    def work(fold: Fold) -> Predicted:
        try:
            return predict_fold(of_fold(fit, fold.gone) if anew else whole, fold, folds)
        except InterlaceError as error:
            raise ModelError(f"fold {fold.label!r} held out: {error}") from error

    every = [fold for one in folds.passes for fold in one]
    with warnings.catch_warnings():  # counted instead
        warnings.simplefilter("ignore", InterlaceWarning)
        found = in_threads(work, every, len(every), n_jobs=n_jobs, shown=shown, label="cross-validation")
    passes, fitted, start = [], [], 0
    for one in folds.passes:
        fitted.append(tuple(found[start : start + len(one)]))
        passes.append(_pass(whole, one, fitted[-1]))
        start += len(one)
    leaks = "" if anew else leak(fit)
    return CrossValidation(fit, folds, wanted, tuple(passes), tuple(fitted), leaks)


def predict_fold(whole: Whole, fold: Fold, folds: Folds) -> Predicted:
    """The model without the rows that are gone, and what it says of those that are held out."""
    whole.check_levels(fold.gone)
    # 1) the model of the rows that are left
    A, kept = products_left(whole.encoding, whole.criterion.system.A, whole.design, fold.gone)
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
    stay = np.ones(whole.design.nrows, dtype=bool)
    stay[fold.gone] = False
    left, new = some_rows(whole.design, np.flatnonzero(stay)).X, held.X
    span = left[:, list(kept)]
    lost = [j for j in range(left.shape[1]) if j not in kept]
    coefficients = np.linalg.lstsq(span, left[:, lost], rcond=None)[0]
    apart = np.abs(new[:, lost] - new[:, list(kept)] @ coefficients)
    size = np.maximum(np.abs(new[:, lost]).max(axis=0), np.abs(left[:, lost]).max(axis=0))
    needed = [
        whole.names[j] for j, far in zip(lost, (apart > ESTIMABLE * size).any(axis=0), strict=True) if far
    ]
    if needed:
        raise ModelError(
            f"the other rows do not tell the coefficient of {', '.join(needed[:5])}, which these rows need: "
            "hold out fewer rows at a time, or leave the term out (a level of a factor that is only in one "
            "group cannot be predicted without it)"
        )


def _pass(whole: Whole, folds: tuple[Fold, ...], found: Sequence[Predicted]) -> Pass:
    y = whole.design.y
    assert y is not None
    mean, sd, centre = (np.full(len(y), np.nan) for _ in range(3))
    number = np.full(len(y), -1)
    for j, (fold, one) in enumerate(zip(folds, found, strict=True)):
        mean[fold.held], sd[fold.held], centre[fold.held] = one.mean, one.sd, one.centre
        number[fold.held] = j
    densities = tuple((one.units, one.densities) for one in found)
    return Pass(y, mean, sd, centre, number, densities, folds)
