"""Degrees of freedom of InstEval (73,421 rows, 4,100 crossed effects), where pbkrtest cannot go."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

import interlace
from interlace.precision.df import KenwardRoger, Satterthwaite

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "formula", ["y ~ service + (1 | s) + (1 | d)", "y ~ service * dept + (1 | s) + (1 | d)"]
)
def test_insteval(formula: str) -> None:
    model = interlace.lmer(formula, interlace.datasets.load("insteval"))
    L = np.eye(len(model.fixef))
    start = time.process_time()
    satterthwaite = Satterthwaite().bind(model.fit)
    joint = satterthwaite.f_test(L[1:])
    assert time.process_time() - start < 5
    tracemalloc.start()
    start = time.process_time()
    kenward_roger = KenwardRoger().bind(model.fit)
    adjusted = kenward_roger.f_test(L[1:])
    assert time.process_time() - start < 10
    assert tracemalloc.get_traced_memory()[1] < 2**30
    tracemalloc.stop()
    # In so large a sample the adjustment is small and the methods agree
    np.testing.assert_allclose(kenward_roger.df(L), satterthwaite.df(L), rtol=0.1)
    np.testing.assert_allclose(np.diagonal(kenward_roger.vcov), np.diagonal(satterthwaite.vcov), rtol=0.01)
    np.testing.assert_allclose(adjusted.F, joint.F, rtol=0.01)
