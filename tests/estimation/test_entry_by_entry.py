"""No start among zero, the moments, and these with one entry ten or a hundred times as large, ends lower."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import interlace
from interlace import lmer
from interlace.estimation import optimize

pytestmark = pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")

ANOTHER_SLOPE = ("y ~ x + (x | g)", "y ~ x + z + (x || g) + (1 | h)", "y ~ x + (x + z | g)")
FEW_ROWS = ("y ~ x + (x + z | g)", "y ~ x + (x | g) + (1 | h)", "y ~ x + z + (x + z | g)")


def conflicting(seed: int) -> dict[str, Any]:
    """Covariates whose slopes within levels are others than those between them."""
    rng = np.random.default_rng([seed, 11])
    groups, others = int(rng.choice([4, 6, 8, 12, 20])), int(rng.choice([4, 8]))
    rows = int(rng.integers(3, 9))
    n = groups * rows
    g, h = np.repeat(np.arange(groups), rows), rng.integers(0, others, n)
    of_x, of_z = 10 ** rng.uniform(-2, 0, 2)
    in_x, in_z = of_x * rng.normal(size=n), of_z * rng.normal(size=n)
    x, z = rng.normal(size=groups)[g] + in_x, rng.normal(size=others)[h] + in_z
    y = rng.normal(size=n) + rng.choice([0, 0.5, 2]) * rng.normal(size=groups)[g]
    y = y + rng.choice([0, 0.5, 2]) * rng.normal(size=others)[h]
    y = y + 3 * rng.normal() * (x - in_x) + rng.normal() * (z - in_z)
    y = y + rng.choice([0, 1, 3]) * in_x / of_x + rng.choice([0, 1, 3]) * in_z / of_z
    return {"y": y, "x": x, "z": z, "g": g.astype(str), "h": h.astype(str)}


def lowest(m: interlace.LinearMixedModel) -> float:
    """Where a plain search ends lowest from the literal starts."""
    criterion = m.fit.criterion.separated()
    kernel, yy = criterion.kernel(), criterion.system.A.products.yy
    moments = kernel.moment_start()
    starts = [moments, 0 * moments]
    for entry in range(len(moments)):
        for times in (10.0, 100.0):
            starts.append(moments * np.where(np.arange(len(moments)) == entry, times, 1.0))
    ends = [np.inf]
    for start in starts:
        try:
            found = kernel.minimise(start, 1e-10, 300)
            kernel.value(found["par"])
        except (interlace.kernel.NotPositiveDefiniteError, ValueError):
            continue
        if found["status"] == "converged" and kernel.pwrss > 1e-9 * yy:
            ends.append(found["value"])
    return min(ends)


CASES = [(ANOTHER_SLOPE, 7511, 184.5246), (FEW_ROWS, 7226, 40.7530), (FEW_ROWS, 8585, 34.9291)]


@pytest.mark.parametrize(("formulas", "seed", "end"), CASES)
def test_a_large_entry_alone_leads_lower(formulas: tuple[str, ...], seed: int, end: float) -> None:
    m = lmer(formulas[seed % 3], conflicting(seed), reml=bool(seed // 3 % 2))
    assert m.fit.optimum.value < end + 1e-3
    assert m.fit.optimum.value < lowest(m) + 1e-3


def test_only_if_the_basis_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimize, "AT_ONCE", 8)
    m = lmer(ANOTHER_SLOPE[7511 % 3], conflicting(7511), reml=True)
    assert m.fit.optimum.value > 184.6


@pytest.mark.slow
@pytest.mark.parametrize("formulas", [ANOTHER_SLOPE, FEW_ROWS])
def test_no_literal_start_ends_lower(formulas: tuple[str, ...]) -> None:
    lower = []
    for seed in range(40_000, 41_000):
        try:
            m = lmer(formulas[seed % 3], conflicting(seed), reml=bool(seed // 3 % 2))
        except interlace.InterlaceError:  # so few rows that the model says nothing
            continue
        if lowest(m) < m.fit.optimum.value - 1e-3:
            lower.append(seed)
    assert lower == []


def _many_effects(levels: int) -> interlace.LinearMixedModel:
    """Six rows more than coefficients and effects, less two for each level beyond nine."""
    rng = np.random.default_rng(8)
    n = 26
    data = {"y": rng.normal(size=n), "x": rng.normal(size=n), "g": (np.arange(n) % levels).astype(str)}
    return lmer("y ~ x + (x | g)", data)


@pytest.mark.parametrize(("levels", "starts"), [(9, 0), (10, 1)])
def test_effects_in_place_of_residuals_are_tried_where_they_are_so_many(levels: int, starts: int) -> None:
    criterion = _many_effects(levels).fit.criterion.separated()
    assert criterion.doubt.left == 24 - 2 * levels
    found = list(criterion.doubt.replacing())
    assert len(found) == starts and all(np.abs(start).max() == 1000.0 for start in found)
