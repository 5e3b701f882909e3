"""How good predictions are: scores, their standard errors, and what scikit-learn calls scorers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from typing import Any, Protocol

import numpy as np

from interlace.arrays import Array, Index
from interlace.callers import called
from interlace.errors import DataError, MissingPackageError, shown
from interlace.frozen import dataclass
from interlace.options import SCORES, word
from interlace.prediction.predictive import normal_crps
from interlace.refitting.folds import Fold, Folds


@dataclass(frozen=True, slots=True)
class Pass:
    """What was predicted of each row in one pass; NaN where a row was not held out.

    Attributes
    ----------
    y, mean, sd : ndarray, (n,)
        Response, prediction, and the standard deviation of the predictive distribution.
    centre : ndarray, (n,)
        The mean response of the rows that were fitted.
    fold : ndarray of int, (n,)
        Place of the fold in the pass; -1 where there is none.
    densities : tuple of (Index, Array)
        Per fold the units that were predicted and the logarithms of their joint densities.
    folds : tuple of Fold
    """

    y: Array
    mean: Array
    sd: Array
    centre: Array
    fold: Index
    densities: tuple[tuple[Index, Array], ...]
    folds: tuple[Fold, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A score of all folds: an estimate, and what each of its observations contributes to its error.

    Attributes
    ----------
    estimate : float
    influence : ndarray, (units,)
        Their sum is zero; the standard error is the root of ``U / (U - 1)`` times their sum of squares.
    """

    estimate: float
    influence: Array = field(repr=False)

    @property
    def se(self) -> float:
        """NaN where there is one unit."""
        units = len(self.influence)
        return float(np.sqrt(units / (units - 1) * np.sum(self.influence**2))) if units > 1 else np.nan

    def __sub__(self, other: Value) -> Value:
        """The difference of the scores of two models on the same units."""
        return Value(self.estimate - other.estimate, self.influence - other.influence)


class Score(Protocol):
    """A number for each fold and one for all."""

    @property
    def name(self) -> str:
        """As it stands in tables."""

    def of_fold(self, one: Pass, j: int) -> float:
        """Of the rows of fold j of a pass."""

    def of_all(self, passes: Iterable[Pass], folds: Folds) -> Value:
        """Of all of them."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A function of a ratio of two sums over rows, such as the root of a mean of squares.

    Attributes
    ----------
    name : str
    above, below : callable
        What each row adds to the sums, from a pass.
    value, slope : callable
        The function of the ratio, and its derivative.
    """

    name: str
    above: Callable[[Pass], Array]
    below: Callable[[Pass], Array]
    value: Callable[[float], float] = float
    slope: Callable[[float], float] = lambda ratio: 1.0

    def of_fold(self, one: Pass, j: int) -> float:
        here = one.fold == j
        below = self.below(one)[here].sum()
        return self.value(self.above(one)[here].sum() / below) if below > 0 else np.nan

    def of_all(self, passes: Iterable[Pass], folds: Folds) -> Value:
        above, below = np.zeros(folds.n_units), np.zeros(folds.n_units)
        for one in passes:
            for total, added in ((above, self.above(one)), (below, self.below(one))):
                here = one.fold >= 0
                total += np.bincount(folds.units[here], added[here], minlength=folds.n_units)
        total_below = below.sum()
        if not total_below > 0:
            return Value(np.nan, np.full(folds.n_units, np.nan))
        ratio = float(above.sum() / total_below)
        influence = self.slope(ratio) * (above - ratio * below) / total_below
        return Value(self.value(ratio), influence)


@dataclass(frozen=True, slots=True)
class LogDensity:
    """The sum of the logarithms of the predictive densities of the units."""

    name: str = "elpd"

    def of_fold(self, one: Pass, j: int) -> float:
        return float(one.densities[j][1].sum())

    def of_all(self, passes: Iterable[Pass], folds: Folds) -> Value:
        total, times = np.zeros(folds.n_units), 0
        for one in passes:
            times += 1
            for units, values in one.densities:
                np.add.at(total, units, values)
        total /= times
        return Value(float(total.sum()), total - total.mean())


OF_ARRAYS = "it gets two arrays, the responses and their predictions, and must give a number"


@dataclass(frozen=True, slots=True)
class OfFolds:
    """A number that is computed fold by fold: a metric or a scorer of scikit-learn, or the like.

    Attributes
    ----------
    name : str
    function : callable
        Of the responses and the predictions of the held-out rows.
    """

    name: str
    function: Callable[[Array, Array], Any]

    def of_fold(self, one: Pass, j: int) -> float:
        here = one.folds[j].held
        where = f" for the held-out rows of fold {shown(one.folds[j].label)}"
        given = one.y[here], one.mean[here]
        found = called(f"of the score '{self.name}'", self.function, *given, where=where, advice=OF_ARRAYS)
        try:
            return float(found)
        except (TypeError, ValueError) as error:
            raise DataError(f"the score '{self.name}' must give a number, not {shown(found)}") from error

    def of_all(self, passes: Iterable[Pass], folds: Folds) -> Value:
        values = np.array([self.of_fold(one, j) for one in passes for j in range(len(one.folds))])
        return Value(float(values.mean()), (values - values.mean()) / len(values))


def _square(one: Pass) -> Array:
    return np.asarray((one.y - one.mean) ** 2)


def _one(one: Pass) -> Array:
    return np.ones(len(one.y))


def _half_root(ratio: float) -> float:
    return 0.5 / np.sqrt(ratio) if ratio > 0 else 0.0


KNOWN: dict[str, Ratio | LogDensity] = {
    "rmse": Ratio("rmse", _square, _one, lambda ratio: float(np.sqrt(ratio)), _half_root),
    "mae": Ratio("mae", lambda one: np.abs(one.y - one.mean), _one),
    "r2": Ratio(
        "r2",
        _square,
        lambda one: np.asarray((one.y - one.centre) ** 2),
        lambda ratio: 1.0 - ratio,
        lambda ratio: -1.0,
    ),
    "elpd": LogDensity(),
    "crps": Ratio("crps", lambda one: normal_crps(one.y, one.mean, one.sd), _one),
}


def scores_of(given: Any) -> tuple[Score, ...]:
    """The scores that are asked for: words, functions, or functions by their names.

    Raises
    ------
    DataError
        An unknown word, no function, or two scores of one name.
    """
    if isinstance(given, Mapping):
        found = [_score(one, str(name)) for name, one in given.items()]
    elif isinstance(given, str) or callable(given):
        found = [_score(given)]
    elif isinstance(given, Iterable):
        found = [_score(one) for one in given]
    else:
        raise DataError(f"scores must be words such as 'rmse', or functions, not {shown(given)}")
    names = [score.name for score in found]
    if not names or len(set(names)) < len(names):
        raise DataError(f"scores must be one or more, each once, not {shown(names)}")
    return tuple(found)


def _score(given: Any, name: str = "") -> Score:
    if isinstance(given, str):
        scorer = None if given in KNOWN else _sklearn_scorer(given)
        if scorer is None:
            known = KNOWN[word("scores", given, SCORES)]
            return replace(known, name=name) if name else known
        return OfFolds(name or given, _by_scorer(scorer))
    if not callable(given):
        raise DataError(f"a score must be a word or a function, not {shown(given)}")
    label = name or getattr(given, "__name__", "") or type(given).__name__
    return OfFolds(label, _by_scorer(given) if _is_scorer(given) else given)


def _sklearn_scorer(name: str) -> Any:
    """The scorer of this name, where scikit-learn is here and has one."""
    try:
        from sklearn.metrics import get_scorer, get_scorer_names
    except ImportError:
        return None
    return get_scorer(name) if name in get_scorer_names() else None


def _is_scorer(function: Callable[..., Any]) -> bool:
    """Is it called with an estimator, rows and responses, as a scorer is, or with two arrays, as a metric?"""
    try:
        first = next(iter(inspect.signature(function).parameters), "")
    except (TypeError, ValueError):
        return False
    return first in ("estimator", "model", "clf")


def _by_scorer(scorer: Callable[..., Any]) -> Callable[[Array, Array], Any]:
    def function(y: Array, mean: Array) -> Any:
        return scorer(_predicts(mean), np.arange(len(y)).reshape(-1, 1), y)

    return function


def _predicts(mean: Array) -> Any:
    """A regressor of scikit-learn whose predictions are known."""
    try:
        from sklearn.base import BaseEstimator, RegressorMixin
    except ImportError as error:
        raise MissingPackageError("scorers need scikit-learn: pip install scikit-learn") from error

    class Predicted(RegressorMixin, BaseEstimator):
        def predict(self, rows: Any) -> Array:
            return np.asarray(mean[np.asarray(rows)[:, 0]])

        def __sklearn_is_fitted__(self) -> bool:
            return True

    return Predicted()
