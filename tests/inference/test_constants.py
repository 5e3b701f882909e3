"""Both sides of the constants by which tests of beta decide."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from threading import Barrier, BrokenBarrierError, Thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import interlace
from interlace.design.columns import Plain
from interlace.design.rows import FrameRows
from interlace.errors import DataError, ModelError
from interlace.estimation.fit import Fit, at_theta
from interlace.inference import anova, contrast, hypotheses
from interlace.inference.terms import Term
from interlace.kernel import blas_threads
from interlace.precision import information as moments
from interlace.precision import kenward_roger, rotated, satterthwaite, varpar
from interlace.precision.df import Asymptotic
from interlace.precision.marginal import Marginal
from interlace.precision.memory import Memory
from interlace.precision.paired import Projected
from interlace.precision.singular import is_singular, scale_free_factor
from interlace.precision.wald import Ddf, scores
from interlace.refitting.compare import check_offsets


@pytest.fixture(scope="module")
def slopes() -> Fit:
    data = interlace.datasets.load("sleepstudy")
    return interlace.lmer("Reaction ~ Days + (Days | Subject)", data).fit


def correlated(left: float) -> np.ndarray:
    """Unit variances and a smallest eigenvalue of `left`."""
    return np.array([[1.0, 1.0 - left], [1.0 - left, 1.0]])


# ---- tests of several rows ---


def test_directions_with_no_more_than_two_df_have_no_mean() -> None:
    assert satterthwaite._joined(np.array([2.0, 5.0])) == 2.0
    nearly = np.array([2.0 + 1e-6, 5.0])
    mean = np.sum(nearly / (nearly - 2))
    assert satterthwaite._joined(nearly) == pytest.approx(2 * mean / (mean - 2), rel=1e-12)


def test_df_without_end_are_joined_to_such() -> None:
    """Where each t is normal, so is the mean of their squares a chi square over its df."""
    assert satterthwaite._joined(np.array([1e20, 1e30])) == pytest.approx(2e20, rel=1e-9)
    assert satterthwaite._joined(np.array([np.inf, np.inf])) == np.inf
    assert satterthwaite._joined(np.array([1e300, np.inf])) == pytest.approx(2e300, rel=1e-12)


@pytest.mark.parametrize(("n", "end"), [(6, "9.0e+00, 9.0e+00) left out"), (7, "9.0e+00, ...) left out")])
def test_a_note_lists_a_few_eigenvalues(n: int, end: str, slopes: Fit) -> None:
    assert end in satterthwaite._note(slopes, np.full(n, 9.0))


def test_equal_df_are_not_joined() -> None:
    assert satterthwaite._joined(np.array([1.5, 1.5 + 0.9e-8])) == pytest.approx(1.5, abs=1e-8)
    assert satterthwaite._joined(np.array([1.5, 1.5 + 1.1e-8])) == 2.0


@pytest.mark.parametrize(("left", "rank"), [(1.1e-8, 2), (0.9e-8, 1)])
def test_rank_of_a_hypothesis(left: float, rank: int) -> None:
    rows, t2 = scores(np.eye(2), correlated(left), np.ones(2))
    assert len(rows) == len(t2) == rank


@pytest.mark.parametrize(("left", "known"), [(1.2e-14, True), (0.8e-14, False)])
def test_covariances_without_an_inverse(left: float, known: bool) -> None:
    r = np.sqrt(1 - left)
    root = anova._correlation_root(np.array([[4.0, 2 * r], [2 * r, 1.0]]))
    assert np.isfinite(root).all() == known


def test_rounding_of_whole_numbers() -> None:
    for size, expected in ((0.9e-8, 3.0), (1.1e-8, 3.0 + 1.1e-8)):
        assert hypotheses._cleaned(np.array([3.0 + size]))[0] == expected


@pytest.mark.parametrize(("share", "rank"), [(1.1e-10, 2), (0.9e-10, 1)])
def test_rank_of_least_squares(share: float, rank: int) -> None:
    found = hypotheses._solved(np.diag([1.0, share]), np.array([0.0, share]))
    assert found[1] == pytest.approx(float(rank == 2))


@pytest.mark.parametrize(("share", "rows"), [(1.2e-7, 1), (0.8e-7, 0)])
def test_rank_of_a_smaller_model(share: float, rows: int, slopes: Fit) -> None:
    """What the model without a term lacks of its columns."""
    X = np.zeros((180, 2))
    X[0, 0] = X[1, 1] = 1.0
    fit = replace(slopes, rows=FrameRows(slopes.encoding, replace(slopes.design, fixed=Plain(X))))
    smaller = X.copy()
    smaller[2, 1] = share  # turned away from the column by this
    less = FrameRows(slopes.encoding, replace(slopes.design, fixed=Plain(smaller)))
    assert len(hypotheses.difference(fit, less)) == rows


def test_functions_of_the_cells_are_cleaned(slopes: Fit) -> None:
    @dataclass
    class TwoTerms:
        terms = tuple(Term(label, (), ()) for label in "ab")

        def containing(self, term: Term) -> tuple[Term, ...]:
            return self.terms[1:] if term.label == "a" else ()

    for left, expected in ((0.9e-8, 0.0), (1.1e-8, 1.1e-8)):
        G = np.array([[1.0, 1.0], [left, 0.0]])
        found = hypotheses._orthogonal(G, TwoTerms(), {"a": [0], "b": [1]})  # type: ignore[arg-type]
        assert np.abs(found["a"]).max() == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(("share", "refused"), [(1.2, True), (0.8, False)])
def test_right_hand_sides_that_contradict_themselves(share: float, refused: bool, slopes: Fit) -> None:
    L = np.array([[1.0, 0.0], [1.0, 0.0]])
    rhs = [1.0, 1.0 + share * 4e-8]  # their mean is off by half of it, and two ones are added up
    if refused:
        with pytest.raises(DataError, match="rhs contradicts that"):
            contrast.Hypothesis.of(slopes, L, rhs=rhs, level=0.95)
    else:
        contrast.Hypothesis.of(slopes, L, rhs=rhs, level=0.95)


def test_labels_of_three_coefficients_are_spelt_out() -> None:
    data = interlace.datasets.load("oats")
    m = interlace.lmer("yield ~ nitro * Variety + (1 | Block)", data)
    rows = np.zeros((2, 6))
    rows[0, :3], rows[1, :4] = 1.0, 1.0
    names = m.contrast_test(rows).rows.index
    assert names[0].count(" + ") == 2 and names[1] == "row 2"


# ---- variance parameters ---


def patched(monkeypatch: pytest.MonkeyPatch, H: np.ndarray) -> None:
    monkeypatch.setattr(varpar, "_hessian", lambda *_: H)


def with_eigenvalues(*values: float) -> np.ndarray:
    q = np.linalg.qr(np.random.default_rng(1).normal(size=(len(values), len(values))))[0]
    return (q * np.array(values)) @ q.T


@pytest.mark.parametrize(("left", "out"), [(1.1e-8, 0), (0.9e-8, 1)])
def test_hessians_that_serve(left: float, out: int, slopes: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the smallest eigenvalue in units where the diagonal is 1; else lmerTest's rule leaves it out."""
    H = np.eye(4)
    H[:2, :2] = correlated(left)
    patched(monkeypatch, H)
    assert varpar.VarianceParameters.of(slopes, Marginal.of(slopes)).left_out.size == out


@pytest.mark.parametrize(
    ("values", "out"),
    [
        ((-1.0, 1.1e-8, 0.5, 1.0), 1),  # above 1e-8
        ((-1.0, 0.9e-8, 0.5, 1.0), 2),
        ((-1.0, 1.1e-7, 0.5, 100.0), 1),  # above 1e-9 of the largest
        ((-1.0, 0.9e-7, 0.5, 100.0), 2),
    ],
)
def test_eigenvalues_left_out(
    values: tuple[float, ...], out: int, slopes: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    patched(monkeypatch, with_eigenvalues(*values))
    assert varpar.VarianceParameters.of(slopes, Marginal.of(slopes)).left_out.size == out


def test_information_that_overflows_is_said(slopes: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="give weights and predictors in other units"):
        kenward_roger._variance(slopes, made(slopes, np.full((4, 4), np.nan)), "expected", NONE_KNOWN)
    monkeypatch.setattr(varpar, "_profiled_hessian", lambda *_: np.full((3, 3), np.inf))
    with pytest.raises(ModelError, match="give weights and predictors in other units"):
        varpar.VarianceParameters.of(slopes, Marginal.of(slopes))


def test_step_of_the_hessian(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long steps have errors of the fourth order, short ones of rounding: in between none of 1e-10.

    In a balanced layout with one variance the criterion is a function of ``1 + n theta^2`` alone.
    """
    fit = interlace.lmer("Yield ~ 1 + (1 | Batch)", interlace.datasets.load("Dyestuff")).fit
    y = np.asarray(fit.design.y).reshape(6, 5)
    within = float(((y - y.mean(axis=1, keepdims=True)) ** 2).sum())
    between = 5 * float(((y.mean(axis=1) - y.mean()) ** 2).sum())
    par = fit.optimum.par[0]
    scale = float(fit.criterion.parameters.basis[0][0, 0] * np.sqrt(5))  # of theta, times the root of n

    def slope(x: float) -> float:
        v = 1 + (scale * x) ** 2
        d = 2 * scale**2 * x  # of v
        return float(5 * d / v + 29 * (-between / v**2 * d) / (within + between / v))

    assert abs(slope(par)) < 1e-6
    h = 1e-30j
    exact = np.imag(complex_slope(par + h, scale, within, between)) / 1e-30

    def error(step: float) -> float:
        monkeypatch.setattr(varpar, "STEP", step)
        return abs(varpar._profiled_hessian(fit.criterion, fit.optimum.par)[0, 0] / exact - 1)

    chosen = varpar.STEP
    assert error(chosen) < 3e-11
    assert error(30 * chosen) > 1e-8
    assert error(chosen / 1e4) > 3e-11


def complex_slope(x: complex, scale: float, within: float, between: float) -> complex:
    v = 1 + (scale * x) ** 2
    d = 2 * scale**2 * x
    return 5 * d / v - 29 * between / v**2 * d / (within + between / v)


@pytest.mark.parametrize(("theta", "singular"), [(0.9e-4, True), (1.1e-4, False)])
def test_singular(theta: float, singular: bool) -> None:
    fit = interlace.lmer("Yield ~ 1 + (1 | Batch)", interlace.datasets.load("Dyestuff")).fit
    assert is_singular(at_theta(fit.encoding, fit.design, [theta])) == singular


def test_gradients_that_overflow_are_no_warning() -> None:
    """NumPy's warnings are errors here; who asks for the Hessian sees that it is not finite."""

    class Steep:
        n_par = 2
        system = SimpleNamespace(threads=nullcontext, A=SimpleNamespace(n=10))

        def kernel(self) -> Any:
            return SimpleNamespace(gradient=lambda par: np.full(par.size, np.inf))

    assert np.isnan(varpar._profiled_hessian(Steep(), np.ones(2))).all()  # type: ignore[arg-type]


@pytest.mark.parametrize(("levels", "weak"), [(11, 1), (12, 0)])
def test_few_levels(levels: int, weak: int) -> None:
    """With so few the criterion may have a second minimum, which is looked for at zero."""
    rng = np.random.default_rng(2)
    a = np.repeat(np.arange(levels), 4)
    data = {"a": a, "y": rng.normal(size=levels)[a] + rng.normal(size=a.size)}
    fit = interlace.lmer("y ~ 1 + (1 | a)", data).fit
    assert len(fit.criterion.parameters.few_levels()) == weak


# ---- Kenward-Roger ---


def made(slopes: Fit, twice: np.ndarray, **changes: Any) -> moments.Moments:
    m = len(twice)
    return replace(rotated.moments(slopes), expected=twice, size=np.ones(m), noise=0.0, **changes)


NONE_KNOWN = np.zeros(4, dtype=np.bool_)


@pytest.mark.parametrize(("share", "singular"), [(0.9e-6, True), (1.1e-6, False)])
def test_singular_matrices_have_no_observed_information(share: float, singular: bool, slopes: Fit) -> None:
    """By the smallest singular value, which grows with the last entry of theta."""

    def smallest(fit: Fit) -> float:
        S, T, _ = scale_free_factor(fit, 0)
        return float(np.linalg.svd(S @ T, compute_uv=False).min())

    unit = smallest(at_theta(slopes.encoding, slopes.design, [1.0, 0.5, 1e-6])) / 1e-6
    last = share / unit
    fit = at_theta(slopes.encoding, slopes.design, [1.0, 0.5, last])
    if singular:
        with pytest.raises(ModelError, match="is singular, where the observed information"):
            kenward_roger._known_to_be_zero(fit)
    else:
        assert not kenward_roger._known_to_be_zero(fit).any()


@pytest.mark.parametrize(("left", "out"), [(1.1e-10, 0), (0.9e-10, 1)])
def test_directions_without_information(left: float, out: int, slopes: Fit) -> None:
    twice = np.eye(4)
    twice[:2, :2] = correlated(left)
    found = made(slopes, twice, P=np.zeros((4, 2, 2)), Q=Projected(np.zeros((4, 2, 1))))
    assert kenward_roger._variance(slopes, found, "expected", NONE_KNOWN)[1] == out


@pytest.mark.parametrize(("share", "out"), [(1.1, 0), (0.9, 1)])
def test_information_that_is_rounding_error(share: float, out: int, slopes: Fit) -> None:
    found = made(
        slopes, np.diag([1e-9 * share, 1, 1, 1]), P=np.zeros((4, 2, 2)), Q=Projected(np.zeros((4, 2, 1)))
    )
    found = replace(found, noise=1e-9)
    assert kenward_roger._variance(slopes, found, "expected", NONE_KNOWN)[1] == out


@pytest.mark.parametrize(("change", "refused"), [(1.2e-8, True), (0.8e-8, False)])
def test_directions_along_which_the_covariance_changes(change: float, refused: bool, slopes: Fit) -> None:
    """The first two parameters have the same effect, to this share of the squares of their lengths."""
    twice = np.eye(4)
    twice[:2, :2] = 1.0
    P = np.zeros((4, 2, 2))
    P[:, 0, 0] = 1.0
    P[1, 0, 0] -= np.sqrt(2 * change)
    found = made(slopes, twice, P=P, Q=Projected(np.zeros((4, 2, 1))))
    if refused:
        with pytest.raises(ModelError, match=r"of \(Days \| Subject\) apart"):
            kenward_roger._variance(slopes, found, "expected", NONE_KNOWN)
    else:
        assert kenward_roger._variance(slopes, found, "expected", NONE_KNOWN)[1] == 1


@pytest.mark.parametrize(("share", "named"), [(1.2e-3, True), (0.8e-3, False)])
def test_who_is_named(share: float, named: bool, slopes: Fit) -> None:
    P = np.zeros((4, 2, 2))
    P[:, 0, 0] = 1.0
    direction = np.array([[1.0], [0.0], [0.0], [share]])
    with pytest.raises(ModelError) as error:
        kenward_roger._refuse_confounded(slopes, made(slopes, np.eye(4), P=P), direction)
    assert ("the residuals" in str(error.value)) == named


@pytest.mark.parametrize(
    ("size", "products", "available", "refused"),
    [
        (2896, 0.0, 0.0, False),  # below 2^28 bytes nobody asks
        (2897, 0.0, 0.0, True),
        (2896, 2.0**20, 0.0, True),
        (10_000, 0.0, 32e8 / 0.91, True),  # 90 % of what there is, for four matrices
        (10_000, 0.0, 32e8 / 0.89, False),
        (10_000, 1e8, 32e8 / 0.89, True),
    ],
)
def test_memory(
    size: int, products: float, available: float, refused: bool, slopes: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "available_bytes", lambda: available)
    if refused:
        with pytest.raises(ModelError, match=f"over the {size:,} random effects that Subject connect"):
            moments._check_memory(slopes, size, products)
    else:
        moments._check_memory(slopes, size, products)


# ---- who waits for whom, and who shares ---


@dataclass(frozen=True)
class _Slow:
    """A method that two threads can only be in at once if nobody keeps them apart."""

    inside: Barrier
    bound: list[int]

    def bind(self, fit: Fit) -> Ddf:
        self.bound.append(1)
        with suppress(BrokenBarrierError):
            self.inside.wait(timeout=0.5)
        return Asymptotic().bind(fit)

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        return self is other


def test_a_method_is_bound_by_one_thread(slopes: Fit) -> None:
    memory, method = Memory(slopes), _Slow(Barrier(2), [])
    threads = [Thread(target=memory.bind, args=(method,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert method.bound == [1]


@pytest.mark.parametrize("small", [0.0, rotated.SMALL])
def test_kenward_roger_uses_no_more_threads_than_asked_for(
    small: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = interlace.lmer("Yield ~ 1 + (1 | Batch)", interlace.datasets.load("Dyestuff"), n_jobs=1).fit
    monkeypatch.setattr(rotated, "SMALL", small)
    asked: list[tuple[float, int | None]] = []

    def counted(flops: float, at_most: int | None = None) -> Any:
        asked.append((flops, at_most))
        return blas_threads(flops, at_most)

    monkeypatch.setattr("interlace.estimation.penalized.kernel.blas_threads", counted)
    kenward_roger.bind(fit, "expected")
    whole = 30.0 * (6 + 1 + 1) ** 2 if small else 4.0 * 6 * 1
    assert (whole, 1) in asked


@pytest.mark.parametrize(("share", "refused"), [(1.2e-8, True), (0.8e-8, False)])
def test_offsets_that_the_fixed_part_explains(share: float, refused: bool, slopes: Fit) -> None:
    days = slopes.design.X[:, 1]
    odd = np.tile([1.0, -1.0], 90)
    odd -= slopes.design.X @ np.linalg.lstsq(slopes.design.X, odd, rcond=None)[0]
    offset = days / np.linalg.norm(days) + share * odd / np.linalg.norm(odd)
    other = replace(slopes, rows=FrameRows(slopes.encoding, replace(slopes.design, offset=offset)))
    if refused:
        with pytest.raises(DataError, match="different offsets"):
            check_offsets({"a": slopes, "b": other})
    else:
        check_offsets({"a": slopes, "b": other})
