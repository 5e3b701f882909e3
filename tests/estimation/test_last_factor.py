"""The last factor of a search becomes the one of the solution, and the criterion that had it is left."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.estimation.optimize import minimise
from interlace.estimation.penalized import Solution

FORMULAS = ["y ~ x + (1 | a)", "y ~ x + (1 | a) + (1 | b)", "y ~ x + (x | a) + (1 | b)"]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 600
    found = pd.DataFrame({"x": rng.normal(size=n), "a": rng.integers(0, 40, n), "b": rng.integers(0, 25, n)})
    effects = rng.normal(size=(40, 2))[found["a"]]
    found["y"] = (
        effects[:, 0] + effects[:, 1] * found["x"] + rng.normal(size=25)[found["b"]] + rng.normal(size=n)
    )
    return found


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_solution_is_that_of_a_new_factor(formula: str, data: pd.DataFrame) -> None:
    m = interlace.lmer(formula, data)
    new = Solution.at(m.fit.criterion.system, m.fit.solution.factors)
    for name in ("beta", "unscaled_vcov", "ldL2", "ldRX2", "pwrss"):
        np.testing.assert_array_equal(getattr(m.fit.solution, name), getattr(new, name))
    for found, expected in zip(m.fit.solution.u, new.u, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_factor_of_other_parameters_is_computed_anew(data: pd.DataFrame) -> None:
    fit = interlace.lmer(FORMULAS[1], data).fit
    criterion, optimum, compiled = minimise(fit.criterion)
    assert compiled is not None
    there = criterion.solution(1.5 * optimum.par, compiled)
    with pytest.raises(RuntimeError, match="was released"):  # its factor is that of the solution
        compiled.value(optimum.par)
    assert there.pwrss == criterion.solution(1.5 * optimum.par).pwrss != fit.solution.pwrss


def test_a_criterion_without_its_factor_says_so(data: pd.DataFrame) -> None:
    compiled = interlace.lmer(FORMULAS[1], data).fit.criterion.kernel()
    par = compiled.moment_start()
    value = compiled.value(par)
    assert compiled.release().ld_l2 < value
    for ask in (compiled.value, compiled.gradient, compiled.hessian, compiled.derivatives, compiled.opened):
        with pytest.raises(RuntimeError, match="was released"):
            ask(par)
    for look in (compiled.moment_start, compiled.rivals, compiled.release):
        with pytest.raises(RuntimeError, match="was released"):
            look()
