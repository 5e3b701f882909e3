"""Both sides of the constants that tell rounding error from what the data say."""

from __future__ import annotations

import warnings
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import interlace
from interlace.errors import IdentificationWarning, ModelError
from interlace.estimation.fit import Fit, at_theta
from interlace.estimation.likelihood import is_lower
from interlace.precision import information as moments
from interlace.precision import (
    kenward_roger,
    plain_sandwich,
    rotated,
    sandwiches,
    unbiased,
    unidentified,
    varpar,
)
from interlace.precision.marginal import Marginal
from interlace.precision.sandwich import Hypothesis, Sandwich
from interlace.variances.varcorr_se import varcorr_se_table


@pytest.fixture(scope="module")
def slopes() -> Fit:
    data = interlace.datasets.load("sleepstudy")
    return interlace.lmer("Reaction ~ Days + (Days | Subject)", data).fit


# ---- Kenward-Roger: how much of a variance the fixed effects leave ---


def nearly_confounded(share: float) -> Fit:
    """Two groups, and a covariate that tells them apart but for noise: of the square of the derivative of V
    with respect to the variance of the groups X leaves this share, which grows with the fourth power of the
    noise."""
    size = 12
    g, e = np.repeat([0, 1], size // 2), np.random.default_rng(4).normal(size=size)
    y = np.random.default_rng(5).normal(size=size)

    def fitted(noise: float) -> Fit:
        data = {"g": g, "x": g + noise * e, "y": y}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", IdentificationWarning)
            fit = interlace.lmer("y ~ x + (1 | g)", data).fit
        return at_theta(fit.encoding, fit.design, [1.0])

    if not share:
        return fitted(0.0)
    first = rotated.moments(fitted(1e-3))
    return fitted(1e-3 * (share / (first.expected[0, 0] / first.size[0])) ** 0.25)


def counts(fit: Fit, found: moments.Moments) -> bool:
    """Is the variance of the groups taken for one that the data tell?"""
    try:
        return kenward_roger._variance(fit, found, "expected", np.zeros(2, dtype=np.bool_))[1] == 0
    except ModelError:  # the data do not tell it
        return False


@pytest.mark.parametrize(("share", "told"), [(1.2e-12, True), (0.8e-12, False), (0.0, False)])
def test_rounding_of_the_sums_over_pieces(share: float, told: bool) -> None:
    fit = nearly_confounded(share)
    found = moments.moments(fit, Marginal.of(fit))
    assert found.expected[0, 0] / found.size[0] == pytest.approx(share, rel=0.05, abs=1e-15)
    assert counts(fit, found) == told


@pytest.mark.parametrize(("share", "told"), [(1.1e-20, True), (0.9e-20, False), (0.0, False)])
def test_rounding_of_what_was_projected_first(share: float, told: bool) -> None:
    fit = nearly_confounded(share)
    found = rotated.moments(fit)
    assert found.expected[0, 0] / found.size[0] == pytest.approx(share, rel=0.01, abs=1e-28)
    assert counts(fit, found) == told


@pytest.mark.parametrize(("share", "lost"), [(1.1e-6, False), (0.9e-6, True)])
def test_sums_that_have_lost_their_digits(share: float, lost: bool, slopes: Fit) -> None:
    found = replace(rotated.moments(slopes), expected=np.diag([1, share, 1, 1]), size=np.ones(4))
    assert found.lost_digits == lost


@pytest.mark.parametrize(("size", "lost"), [(1 - 0.9e-6, False), (1 - 1.1e-6, True), (-1.0, True)])
def test_no_more_is_left_than_there_is(size: float, lost: bool, slopes: Fit) -> None:
    found = replace(rotated.moments(slopes), expected=np.eye(4), size=np.array([1, size, 1, 1]))
    assert found.lost_digits == lost
    none = replace(found, expected=np.diag([1.0, 0.0, 1.0, 1.0]), size=np.array([1.0, 0.0, 1.0, 1.0]))
    assert not none.lost_digits


# ---- the variance parameters ---


@pytest.mark.parametrize(("left", "regular"), [(1.1e-8, True), (0.9e-8, False)])
def test_coordinates_that_serve(
    left: float, regular: bool, slopes: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of lmerTest are taken where the Hessian has (nearly) no inverse, and nowhere else."""
    H = np.eye(4)
    H[:2, :2] = [[1.0, 1.0 - left], [1.0 - left, 1.0]]
    asked: list[int] = []
    original = varpar._theta_coordinates
    monkeypatch.setattr(varpar, "_hessian", lambda *_: H)
    monkeypatch.setattr(varpar, "_theta_coordinates", lambda fit: asked.append(1) or original(fit))
    varpar.VarianceParameters.of(slopes, Marginal.of(slopes))
    assert bool(asked) != regular


@pytest.mark.parametrize(("left", "known"), [(1.2e-10, True), (0.8e-10, False)])
def test_correlations_at_one_have_no_standard_error(left: float, known: bool, slopes: Fit) -> None:
    r = 1 - left
    fit = at_theta(slopes.encoding, slopes.design, [1.0, r, np.sqrt((1 - r) * (1 + r))])
    parameters = varpar.VarianceParameters(fit.criterion, fit.optimum.par, np.eye(4), np.zeros(0))
    table = varcorr_se_table(fit, parameters)
    assert np.isfinite(table["corr_se"].iloc[2]) == known


# ---- what the data cannot tell ---


@pytest.mark.parametrize(("share", "rests"), [(1.1e-7, True), (0.9e-7, False)])
def test_hypotheses_that_rest_on_it(share: float, rests: bool) -> None:
    weights = np.array([[1.0], [0.0]])
    found = unidentified.Resting(np.eye(2), (weights,), (weights,))
    assert found.rows(np.array([[share, 1.0]]))[0] == rests


@pytest.mark.parametrize(("share", "lost"), [(1.1e-7, True), (0.9e-7, False)])
def test_effects_and_entries_that_are_lost(share: float, lost: bool, slopes: Fit) -> None:
    effects, basis = unidentified._effects(slopes, 0)
    length = np.linalg.norm(effects, axis=1)
    U = basis @ np.linalg.solve(effects, length * [1.0, share])[:, None]
    assert unidentified._lost_effects(slopes, 0, U).tolist() == [True, lost]
    # a direction of covariance matrices that changes the first variance, and the second by little
    inverse = np.linalg.inv(effects)
    scale = np.abs(inverse @ np.diag(length**2 * [1.0, 0.0]) @ inverse.T).max()
    C = inverse @ np.diag(length**2 * [1.0, share * scale]) @ inverse.T
    (coordinates,) = unidentified._coordinates(slopes, [(basis @ C @ basis.T,)])
    changed = unidentified._changed(effects, coordinates[0])
    assert changed.tolist() == [[True, False], [False, lost]]


@pytest.mark.parametrize(("share", "terms"), [(1.1e-7, 2), (0.9e-7, 1)])
def test_terms_that_are_named(share: float, terms: int) -> None:
    fit = interlace.lmer("strength ~ 1 + (1 | sample) + (1 | batch)", interlace.datasets.load("Pastes")).fit
    bases = [fit.criterion.parameters.orthonormal[i] for i in range(2)]
    sizes = (1.0, share)
    direction = tuple(size * B @ B.T for size, B in zip(sizes, bases, strict=True))
    assert unidentified._apart_words(fit, (direction,)).count("(1 | ") == terms


# ---- likelihoods ---


@pytest.mark.parametrize(("larger", "limit"), [(0.0, 1e-6), (-1e8, 1e-6 + 1e-2)])
def test_log_likelihoods_that_are_lower(larger: float, limit: float) -> None:
    assert is_lower(larger, larger + 0.51 * limit)
    assert not is_lower(larger, larger + 0.49 * limit)
    assert not is_lower(0.0, 0.5e-6)  # as much as rounding may do, and no more


# ---- robust covariances ---


@pytest.mark.parametrize(("left", "lost"), [(1.1e-10, 0), (0.9e-10, 1)])
def test_clusters_that_determine_a_coefficient(left: float, lost: int) -> None:
    Y = np.sqrt(np.array([[[1 - left, 0.0], [0.0, 0.5]]]))
    assert unbiased._lost(Y)[0] == lost
    Y[0, 1, 1] = 0.0  # no more than that in the whole cluster
    assert unbiased._lost(Y)[0] == lost
    if lost:
        with pytest.raises(ModelError, match="CR3 does not exist"):
            plain_sandwich._inverse(np.array([[[left]]]))
    else:
        assert plain_sandwich._inverse(np.array([[[left]]]))[0, 0, 0] == pytest.approx(1 / left)


@pytest.mark.parametrize(("error", "refused"), [(1.1e-6, True), (0.9e-6, False)])
def test_clusters_that_must_be_unbiased(error: float, refused: bool) -> None:
    half, R = np.array([[[1.0]]]), np.array([[[0.5]]])
    assert unbiased._is_unbiased(half, R, np.array([[[0.75 + error]]])) != refused


@pytest.mark.parametrize(("error", "refused"), [(1.1e-3, True), (0.9e-3, False)])
def test_clusters_that_must_add_up(error: float, refused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    one = unbiased._Adjusted(np.ones((1, 1)), np.ones((1, 1, 1)), np.ones((1, 1, 1)), np.array([[1 - error]]))
    monkeypatch.setattr(unbiased.UnbiasedMoments, "adjusted", lambda self: iter([one]))
    rows: Any = SimpleNamespace(beta=np.zeros(1))
    chosen: Any = SimpleNamespace(size=1)
    if refused:
        with pytest.raises(ModelError, match="CR2 has no correct digits"):
            unbiased.unbiased(rows, chosen)
    else:
        assert unbiased.unbiased(rows, chosen)[0].shape == (1, 1)


@pytest.mark.parametrize(("y", "floor"), [(1.0, 2e-7), (1e10, 32 * 2.0**-52 * 1e10)])
def test_standard_errors_that_are_rounding_error(y: float, floor: float) -> None:
    """1e-7 of sigma, which is 2, or the last digits of y: their own size over that of the residuals."""
    design = SimpleNamespace(y=np.array([0.0, -y]), offset=None)
    fit: Any = SimpleNamespace(
        rows=SimpleNamespace(designs=lambda: iter([design])),
        sigma=2.0,
        A=SimpleNamespace(origin=SimpleNamespace(y=0.0)),
    )
    found, one = sandwiches._floor(fit), np.ones((1, 1))
    assert found == pytest.approx(floor)
    for size, known in ((floor * 1.01, True), (floor * 0.99, False), (found, False)):
        bound = Sandwich("CR0", np.ones(1), size**2 * one, one, found, "", size * one, None)  # type: ignore[arg-type]
        assert np.isfinite(bound.se(one)[0]) == known
        assert np.isfinite(bound.wald(Hypothesis.of(one, one, np.ones(1)))) == known
