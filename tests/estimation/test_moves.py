"""The moves of a search, each by itself: other searches often find the same end without one of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from interlace import kernel
from interlace.design.encoding import Encoding
from interlace.estimation import descent
from interlace.estimation.deviance import ProfiledDeviance
from interlace.estimation.fit import fit
from made_data import labels


def _search(effects: float, start: float) -> descent.Search[ProfiledDeviance]:
    """Of random intercepts with so large a standard deviation, in residual ones."""
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(20), 5)
    y = np.repeat(effects * np.linspace(-1.7, 1.7, 20), 5) + rng.normal(size=100)
    y -= (1 - min(effects, 1.0)) * (np.bincount(g, y) / 5)[g]  # without effects, all means are zero
    criterion = fit(*Encoding.learn("y ~ 1 + (1 | g)", {"y": y, "g": labels(g, "g")})).criterion
    search = descent.Search(criterion, criterion.kernel(), np.array([start]), 300)
    search.value = search.compiled.value(search.par)
    return search


@pytest.mark.parametrize(("start", "enlarged"), [(24.9, False), (25.1, True)])
def test_a_large_start_is_enlarged_while_the_criterion_falls(start: float, enlarged: bool) -> None:
    search = _search(1e4, start)
    search.enlarge_start()
    times = float(search.par[0]) / start
    assert (times > 1) == enlarged
    if not enlarged:
        return
    assert np.log(times) / np.log(4) == pytest.approx(round(np.log(times) / np.log(4)))
    at, before, after = (search.compiled.value(share * search.par) for share in (1.0, 0.25, 4.0))
    assert at < before and at <= after


class _Lost:
    """A criterion whose digits are lost beyond a point."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def value(self, par: np.ndarray) -> float:
        if par[0] > 500.0:
            raise kernel.NotPositiveDefiniteError("a pivot is not positive")
        return float(self._compiled.value(par))


def test_a_start_that_cannot_be_computed_is_not_taken() -> None:
    search = _search(1e4, 100.0)
    search.compiled = _Lost(search.compiled)  # type: ignore[assignment]
    search.enlarge_start()
    assert search.par[0] == 400.0


@pytest.mark.parametrize(("step", "goes"), [(1.0, True), (-1.0, False)])
def test_a_search_goes_on_along_a_valley_that_falls(step: float, goes: bool) -> None:
    search = _search(1e4, 50.0)
    here, value = float(search.natural_par[0]), search.value
    search.go_on(np.array([here - step]))
    assert (search.natural_par[0] > here + 3.9) == goes
    assert search.value == pytest.approx(search.compiled.value(search.par), abs=1e-8)
    assert (search.value < value) == goes


@pytest.mark.parametrize(("effects", "left"), [(0.0, True), (3.0, False)])
def test_a_term_is_left_out_where_that_is_better(effects: float, left: bool) -> None:
    search = _search(effects, 2.0)
    value = search.value
    search.try_without(np.array([0]))
    assert (search.par[0] == 0.0) == left
    assert (search.value < value) == left


def test_exact_steps_come_down_and_are_counted_at_their_price() -> None:
    search = _search(3.0, 0.5)
    value = search.value
    search.descend_exactly(8)
    assert search.value < value - 1.0
    assert search.value == pytest.approx(search.compiled.value(search.par), abs=1e-9)
    steps, rest = divmod(search.evaluations, 1 + descent.EXACT)
    assert 3 <= steps <= 8 and rest <= 2
    assert search.gradients == 3 * (search.evaluations - steps - rest) // descent.EXACT


def test_exact_steps_end_where_nothing_is_left_of_the_response() -> None:
    search = _search(3.0, 0.5)

    class Exact:
        def value(self, par: np.ndarray) -> float:
            return 0.0

        def gradient(self, par: np.ndarray) -> np.ndarray:
            raise kernel.NotFiniteError("not a number")

        hessian = gradient

    search.compiled = Exact()  # type: ignore[assignment]
    search.descend_exactly(8)
    assert search.par.tolist() == [0.5] and search.evaluations == 0
