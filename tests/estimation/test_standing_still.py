"""A search whose Hessian promises a decrease that does not come ends where the promise is rounding error."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import interlace
from interlace.estimation import descent

MOST = 400


def _search(monkeypatch: pytest.MonkeyPatch, falls: float, promise: float) -> descent.Search[Any]:
    """A search that goes on for ever: the criterion falls by a share, and the gradient promises more."""
    m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
    value = m.fit.optimum.value

    def minimise(par: np.ndarray, tolerance: float, most: int) -> dict[str, Any]:
        nonlocal value
        value -= falls * value
        return {
            "par": par,
            "value": value,
            "gradient": np.array([np.sqrt(2 * promise), 0.0, 0.0]),
            "hessian": np.identity(3),
            "rounding": 0.0,
            "status": "too many evaluations",
            "evaluations": most,
            "gradients": most,
        }

    criterion = m.fit.criterion.separated()
    search = descent.Search(criterion, SimpleNamespace(minimise=minimise), criterion.parameters.start, MOST)
    for method in ("pivot", "go_on", "descend_exactly"):
        monkeypatch.setattr(descent.Search, method, lambda self, *_: None)
    search.descend()
    return search


@pytest.mark.parametrize(
    ("falls", "promise", "ends"),
    [
        (0.0, descent.NO_PROMISE / 2, True),
        (descent.STANDS / 4, descent.NO_PROMISE / 2, True),
        (0.0, descent.NO_PROMISE * 2, False),
        (descent.STANDS * 4, descent.NO_PROMISE / 2, False),
    ],
)
def test_both_sides(monkeypatch: pytest.MonkeyPatch, falls: float, promise: float, ends: bool) -> None:
    search = _search(monkeypatch, falls, promise)
    assert (search.status == "converged") == ends
    assert (search.evaluations < MOST) == ends
