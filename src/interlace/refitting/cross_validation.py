"""Cross-validation: the model is fitted without some rows, by taking their cross-products away, and predicts
them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from interlace.arrays import Array, Index
from interlace.design.gathered import gathered
from interlace.design.rows import FrameRows, per_row
from interlace.errors import InterlaceWarning, ModelError
from interlace.estimation.capacity import check_room
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.hints import methods_answer_options
from interlace.options import SCORES, switch, word
from interlace.prediction.per_row import row_table
from interlace.refitting.folds import Fold, Folds, make_folds
from interlace.refitting.held_out import TOGETHER, Predicted, is_quick, predict_fold, predict_folds
from interlace.refitting.parallel import in_threads
from interlace.refitting.scores import Pass, Score, Value, scores_of
from interlace.refitting.whole import Whole, leak, of_fold
from interlace.tables.table import Table

if TYPE_CHECKING:
    from interlace.callers import CallersTable

TRANSFORMS = ("fold", "data")
ESTIMABLE = 1e-7  # share of a row outside the span of those that were fitted


@methods_answer_options
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
    def predictions(self) -> CallersTable:
        """A row for each row used, in the library of the data: `fold`, `predicted` and `sd`, which is the
        standard deviation of the predictive distribution.

        Of several passes the columns are "fold_1", "predicted_1", "sd_1", "fold_2" and so on. Missing (null,
        and NaN in pandas) where a row was not held out.
        """
        columns: dict[str, Any] = {}
        for i, one in enumerate(self.passes):
            end = f"_{i + 1}" if len(self.passes) > 1 else ""
            columns |= {
                f"fold{end}": _labels(one),
                f"predicted{end}": np.ma.masked_array(one.mean, one.fold < 0),
                f"sd{end}": np.ma.masked_array(one.sd, one.fold < 0),
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
    scores: Any = SCORES,
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
    with warnings.catch_warnings():  # counted instead
        warnings.simplefilter("ignore", InterlaceWarning)
        if isinstance(fit.rows, FrameRows):
            found = _in_memory(fit, folds, anew, n_jobs, shown)
        else:
            found = _in_pieces(fit, folds, anew, n_jobs, shown)
    y = per_row(fit.rows, lambda design: np.asarray(design.y))
    passes, fitted, start = [], [], 0
    for one in folds.passes:
        fitted.append(tuple(found[start : start + len(one)]))
        passes.append(_pass(y, one, fitted[-1]))
        start += len(one)
    leaks = "" if anew else leak(fit)
    return CrossValidation(fit, folds, wanted, tuple(passes), tuple(fitted), leaks)


def _in_memory(fit: Fit, folds: Folds, anew: bool, n_jobs: int, shown: bool | None) -> list[Predicted]:
    """What each fold gave, pass by pass."""
    whole = Whole.of(fit)

    def work(several: Sequence[Fold]) -> list[Predicted]:
        if anew:
            return [predict_fold(partial(of_fold, fit, fold.gone), fold, folds) for fold in several]
        return predict_folds(whole, fit.optimum.par, several, folds)

    every = [fold for one in folds.passes for fold in one]
    size = 1 if anew or not is_quick(whole) else max(1, min(TOGETHER, len(every) // 8))
    blocks = [every[start : start + size] for start in range(0, len(every), size)]
    done = in_threads(work, blocks, len(blocks), n_jobs=n_jobs, shown=shown, label="cross-validation")
    return [one for several in done for one in several]


def _in_pieces(fit: Fit, folds: Folds, anew: bool, n_jobs: int, shown: bool | None) -> list[Predicted]:
    """The same where rows are read in chunks: folds come when all of their rows were read."""
    if anew:
        raise ModelError(
            f"{leak(fit)} learns from the rows that are left, which needs them all in memory: take "
            "transforms='data', or fit the table in memory"
        )
    if any(fold.gone is not fold.held for one in folds.passes for fold in one):
        raise ModelError(
            "these folds leave rows out that they do not predict, which needs all rows in memory: give a "
            "number of folds or groups, or fit the table in memory"
        )
    make, found = Whole.of_pieces(fit), list[Predicted]()
    for one in folds.passes:
        codes = np.full(fit.rows.n, -1, dtype=np.int32)
        for number, fold in enumerate(one):
            codes[fold.held] = number
        answers: dict[int, Predicted] = {}
        name = folds.groups.strip("'") or "fold"
        for places, design in gathered(fit.rows, codes, len(one), name, check_room):
            here, some = _folds_of(one, codes[places]), replace(folds, units=folds.units[places])
            work = partial(_predict_one, make(places, design), fit.optimum.par, some)
            done = in_threads(
                work, here.values(), len(here), n_jobs=n_jobs, shown=shown, label="cross-validation"
            )
            answers |= dict(zip(here, done, strict=True))
        found += [answers[number] for number in range(len(one))]
    return found


def _predict_one(whole: Whole, par: Array, folds: Folds, fold: Fold) -> Predicted:
    return predict_folds(whole, par, [fold], folds)[0]


def _folds_of(folds: Sequence[Fold], codes: Index) -> dict[int, Fold]:
    """Folds by their number, with the places of their rows among some."""
    order = np.argsort(codes, kind="stable")
    numbers, begins = np.unique(codes[order], return_index=True)
    held = np.split(order, begins[1:])
    return {
        int(number): Fold(folds[number].label, rows, rows) for number, rows in zip(numbers, held, strict=True)
    }


def _pass(y: Array, folds: tuple[Fold, ...], found: Sequence[Predicted]) -> Pass:
    mean, sd, centre = (np.full(len(y), np.nan) for _ in range(3))
    number = np.full(len(y), -1)
    for j, (fold, one) in enumerate(zip(folds, found, strict=True)):
        mean[fold.held], sd[fold.held], centre[fold.held] = one.mean, one.sd, one.centre
        number[fold.held] = j
    densities = tuple((one.units, one.densities) for one in found)
    return Pass(y, mean, sd, centre, number, densities, folds)
