"""Covariances that no level can tell are left out of the search, and nothing is lost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import interlace
from interlace.errors import IdentificationWarning
from interlace.estimation import separate
from interlace.estimation.optimize import minimise
from interlace.estimation.parameters import Parameters
from interlace.estimation.separate import Separate, parts

Array = NDArray[np.floating]


def _whitened(rows: Array, level: list[int]) -> Array:
    """Z'Z per level of columns that are orthonormal on average."""
    zz = np.array([rows[np.array(level) == g].T @ rows[np.array(level) == g] for g in sorted(set(level))])
    B = np.linalg.inv(np.linalg.cholesky(zz.mean(axis=0)).T)
    return np.asarray(B.T @ zz @ B)


def test_a_factor_that_is_constant_within_levels_gives_one_part_for_each_of_its_values() -> None:
    rows = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 0], [1, 1, 0]], dtype=float)
    zz = _whitened(rows, [0, 1, 2, 3, 3])
    found = parts(zz)
    assert [P.shape for P in found] == [(3, 1)] * 3
    turned = np.hstack(found)
    assert turned.T @ zz.mean(axis=0) @ turned == pytest.approx(np.identity(3), abs=1e-12)
    for M in turned.T @ zz @ turned:
        assert pytest.approx(np.diag(np.diagonal(M)), abs=1e-12) == M


def test_what_one_level_sees_together_stays_together() -> None:
    rows = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=float)
    assert [P.shape[1] for P in parts(_whitened(rows, [0, 0, 1, 2]))] == [2, 1, 1]
    assert len(parts(_whitened(rows, [0, 1, 2, 3]))) == 4
    # one more level joins two of them, another one all of the four
    joined = np.vstack([rows, [1, 1, 0, 0], [0, 1, 1, 1]])
    assert [P.shape[1] for P in parts(_whitened(joined[:5], [0, 1, 2, 3, 4]))] == [2, 1, 1]
    assert len(parts(_whitened(joined, [0, 1, 2, 3, 4, 5]))) == 1


def test_a_level_that_sees_everything_and_a_covariate_are_one_part() -> None:
    rng = np.random.default_rng(1)
    slopes = np.column_stack([np.ones(9), rng.normal(size=9)])
    assert len(parts(_whitened(slopes, list(range(9))))) == 1
    assert len(parts(_whitened(np.identity(3), [0, 0, 0]))) == 1


@pytest.mark.parametrize(("share", "seen"), [(2e-11, True), (5e-12, False)])
def test_what_a_level_hardly_sees_is_seen_until_it_is_rounding_error(share: float, seen: bool) -> None:
    assert separate._seen(np.array([np.diag([1.0, share])]))[1].tolist() == [[seen, True]]


@pytest.mark.parametrize(("apart", "found"), [(2e-5, 1), (0.0, 2)])
def test_parts_between_which_a_level_sees_something_are_one(
    apart: float, found: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The products between parts are looked at last, whatever was thought to be absent."""
    monkeypatch.setattr(separate, "ABSENT", 0.3)
    rows = np.array([[1, 0], [0, 1], [1, 20 * apart], [apart, 1]])
    zz = rows[:, :, None] * rows[:, None, :]
    assert len(parts(zz / zz.mean(axis=0).diagonal().mean())) == found


def _table() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(24), 4)
    f = np.array(list("abcd"))[g % 4]
    effect = rng.normal(size=24)[g] * (1 + g % 4)
    return pd.DataFrame(
        {"g": g.astype(str), "f": f, "x": rng.normal(size=96), "y": effect + rng.normal(size=96)}
    )


@pytest.mark.parametrize("reml", [True, False])
def test_the_minimum_is_that_of_all_parameters(reml: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.warns(IdentificationWarning):
        m = interlace.lmer("y ~ x + (f | g)", _table(), reml=reml)
    fit = m.fit
    few = fit.criterion.separated()
    assert [type(s) for s in few.parameters.structures] == [Separate]
    assert few.n_par == 4
    assert fit.criterion.n_par == 10
    # the groups of one value of f have one variance: as four terms, one for each value
    four = "y ~ x + " + " + ".join(f"(0 + I(as.numeric(f == '{v}')) | g)" for v in "abcd")
    apart = interlace.lmer(four, _table(), reml=reml)
    assert fit.optimum.value == pytest.approx(apart.fit.optimum.value, abs=1e-8)
    # the end is a point of the criterion of all parameters, and its minimum
    assert fit.criterion.value(fit.optimum.par) == pytest.approx(fit.optimum.value, abs=1e-9)
    assert fit.optimum.converged
    assert fit.optimum.hessian.shape == (10, 10)
    monkeypatch.setattr(Parameters, "separated", lambda self, A: self.in_natural_basis())
    whole = minimise(fit.criterion).optimum
    assert fit.optimum.value == pytest.approx(whole.value, abs=1e-7)


def test_variances_within_levels_are_those_that_a_level_can_tell() -> None:
    frame = _table()
    with pytest.warns(IdentificationWarning):
        m = interlace.lmer("y ~ x + (f | g)", frame)
    T = m.fit.solution.factors[0]
    z = np.column_stack([np.ones(4), np.vstack([np.zeros(3), np.identity(3)])])
    told = np.einsum("ij,jk,ik->i", z, T @ T.T, z)
    four = interlace.lmer(
        "y ~ x + " + " + ".join(f"(0 + I(as.numeric(f == '{v}')) | g)" for v in "abcd"), frame
    )
    assert np.sqrt(told) == pytest.approx(np.abs(four.theta), rel=1e-4, abs=1e-5)
