"""The core's own threads: the same numbers however many there are, and errors of any of them are heard."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.linalg import lapack
from threadpoolctl import ThreadpoolController

from interlace import _core as core
from interlace import kernel

LARGE = 1e12  # flops that are worth any number of threads


def design(a: np.ndarray, b: np.ndarray) -> dict[str, Any]:
    """Rows of two crossed grouping factors with random intercepts."""
    n = len(a)
    y = np.random.default_rng(3).normal(size=n)
    return {
        "y": y,
        "x": np.ones((n, 1)),
        "codes": [a.astype(np.int32), b.astype(np.int32)],
        "z": [np.ones((n, 1)), np.ones((n, 1))],
        "levels": [int(a.max()) + 1, int(b.max()) + 1],
        "w": None,
        "y_origin": 0.0,
        "x_origin": np.zeros(1),
        "z_origin": [np.zeros(1), np.zeros(1)],
    }


@cache
def one_front() -> dict[str, Any]:
    """Nearly all levels of b meet through a level of a."""
    rng = np.random.default_rng(1)
    b = np.concatenate([np.arange(600), rng.integers(0, 600, 14_400)])
    return design(np.arange(15_000) % 900, b)


@cache
def many_fronts() -> dict[str, Any]:
    """Islands of 160 levels of b that share 360 others: fronts with many rows below their pivots."""
    rng = np.random.default_rng(2)
    islands, own, shared, each, rows = 16, 160, 360, 300, 20
    a = np.repeat(np.arange(islands * each), rows)
    island = a // each
    inside = rng.integers(0, own + shared, a.size)
    b = np.where(inside < own, island * own + inside, islands * own + inside - own)
    return design(a, b)


@cache
def heavy_tails() -> dict[str, Any]:
    """A few levels of b that most levels of a meet, two levels of a that meet most of b; slopes by a."""
    rng = np.random.default_rng(4)
    la, lb = 900, 640
    popularity = 1.0 / np.arange(1, lb + 1)
    counts = np.concatenate([[400, 300], rng.integers(10, 60, la - 2)])
    chosen = [rng.choice(lb, c, replace=False, p=popularity / popularity.sum()) for c in counts]
    a = np.concatenate([np.repeat(np.arange(la), counts), rng.integers(0, la, lb)])
    rows = design(a, np.concatenate([*chosen, np.arange(lb)]))
    rows["z"][0] = np.column_stack([np.ones(len(a)), rng.normal(size=len(a))])
    rows["z_origin"][0] = np.zeros(2)
    return rows


CASES = pytest.mark.parametrize("made", [one_front, many_fronts])


@pytest.fixture(autouse=True)
def two_threads_for_the_process() -> Iterator[None]:
    with ThreadpoolController().select(user_api="blas").limit(limits=2):
        yield


def analysis(A: kernel.CrossProducts) -> kernel.Symbolic:
    return kernel.analyze(A, [kernel.Prior.identity()] * 2, 1e10)


def factor(rows: dict[str, Any], theta: tuple[float, float] = (0.7, 0.4)) -> kernel.Cholesky:
    A = kernel.accumulate(**rows)
    found = kernel.Cholesky(A, analysis(A))
    found.factorize([np.array([[t]]) for t in theta])
    return found


def numbers(rows: dict[str, Any], threads: int) -> list[np.ndarray]:
    with kernel.core_threads(LARGE, threads):
        found = factor(rows)
        A = kernel.accumulate(**rows)
        entries, basis = [(0, 0, 0), (1, 0, 0)], [np.eye(1)] * 2
        deviance = kernel.ProfiledDeviance(A, analysis(A), entries, basis, "reml")
        inverse = [np.asarray(v) for v in found.inverse_diagonal()]
        return [np.array([found.ld_l2, found.pwrss]), *inverse, deviance.gradient(np.array([0.7, 0.4]))]


@CASES
def test_the_same_numbers_for_any_number_of_threads(made: Any) -> None:
    rows = made()
    one = numbers(rows, 1)
    for threads in (2, 2, 5):
        for a, b in zip(numbers(rows, threads), one, strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_is_tried() -> None:
    fronts = [analysis(kernel.accumulate(**made())).fronts for made in (one_front, many_fronts)]
    assert fronts[0] == 1
    assert fronts[1] > 16


@CASES
def test_tiles_are_the_dense_factor(made: Any) -> None:
    """The Schur complement on the second grouping factor, by LAPACK."""
    rows = made()
    (a, b), (la, lb) = rows["codes"], rows["levels"]
    ones = np.ones(len(a))
    ab = sp.csr_matrix((ones, (a, b)), shape=(la, lb))
    da, db = np.bincount(a), np.bincount(b)
    lead = 0.7**2 * da + 1
    S = np.diag(0.4**2 * db + 1.0) - (0.7 * 0.4) ** 2 * (ab.T @ sp.diags(1 / lead) @ ab).toarray()
    with kernel.one_thread():
        L, info = lapack.dpotrf(S, lower=1)
        assert info == 0
        inverse, _ = lapack.dpotri(L, lower=1)
    with kernel.core_threads(LARGE, 2):
        found = factor(rows)
        diagonal = np.asarray(found.inverse_diagonal()[1]).ravel()
    expected = np.log(lead).sum() + 2 * np.log(np.diag(L)).sum()
    np.testing.assert_allclose(found.ld_l2, expected, rtol=1e-12)
    np.testing.assert_allclose(diagonal, np.diag(inverse), rtol=1e-9)


@pytest.mark.parametrize("threads", [1, 2])
def test_elements_that_are_written_out_and_those_that_are_scattered(threads: int) -> None:
    """The whole inverse, by LAPACK, on the pattern of the data."""
    rows = heavy_tails()
    A = kernel.accumulate(**rows)
    F = np.array([[0.7, 0.0], [0.2, 0.5]])
    with kernel.core_threads(LARGE, threads):
        found = kernel.Cholesky(A, analysis(A))
        found.factorize([F, np.array([[0.4]])])
        joint = found.joint_inverse()
        own, cross = np.asarray(joint.diagonal(0)), np.asarray(joint.cross(0, 1))
    (a, b), (la, lb), z = rows["codes"], rows["levels"], rows["z"][0] @ F
    n, at = len(a), np.arange(len(a))
    Za = [sp.csr_matrix((z[:, j], (at, 2 * a + j)), shape=(n, 2 * la)) for j in range(2)]
    Z = sp.hstack([Za[0] + Za[1], sp.csr_matrix((np.full(n, 0.4), (at, b)), shape=(n, lb))])
    with kernel.one_thread():
        L, _ = lapack.dpotrf((Z.T @ Z).toarray() + np.identity(2 * la + lb), lower=1)
        inverse, _ = lapack.dpotri(L, lower=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    np.testing.assert_allclose(found.ld_l2, 2 * np.log(np.diag(L)).sum(), rtol=1e-12)
    first = 2 * np.arange(la)[:, None, None] + np.arange(2)[:, None]
    expected = F @ inverse[first, first.transpose(0, 2, 1)] @ F.T
    np.testing.assert_allclose(own, expected, rtol=1e-9, atol=1e-12)
    ptr, col, _ = A.zz_pair(0, 1)
    row = np.repeat(np.arange(la), np.diff(ptr))
    expected = 0.4 * np.einsum(
        "ij,bj->bi", F, inverse[2 * row[:, None] + np.arange(2), 2 * la + col[:, None]]
    )
    np.testing.assert_allclose(cross[:, :, 0], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("threads", [1, 2])
@CASES
def test_pivots_that_are_not_positive_are_heard_from_any_thread(made: Any, threads: int) -> None:
    """Products with the sign turned: the first grouping factor has no variance and passes."""
    A = kernel.combine([kernel.accumulate(**made())], [-1.0], 100, 0.0)
    found = kernel.Cholesky(A, analysis(A))
    with kernel.core_threads(LARGE, threads):
        for _ in range(3):
            with pytest.raises(kernel.NotPositiveDefiniteError):
                found.factorize([np.zeros((1, 1)), np.eye(1)])
    numbers(one_front(), 2)  # the threads are there still


def test_factorisations_at_the_same_time() -> None:
    expected = numbers(one_front(), 1)
    with kernel.core_threads(LARGE, 2), ThreadPoolExecutor(3) as pool:
        for found in pool.map(lambda _: numbers(one_front(), 2), range(6)):
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_array_equal(a, b)


class TestHowMany:
    def test_as_many_as_blas_was_given(self) -> None:
        with kernel.core_threads(LARGE):
            assert core.threads() == 2
        assert core.threads() == 1

    def test_blas_has_one(self) -> None:
        with kernel.core_threads(LARGE):
            found = ThreadpoolController().select(user_api="blas").info()
            assert {library["num_threads"] for library in found} == {1}

    @pytest.mark.parametrize(("at_most", "seen"), [(1, 1), (2, 2), (8, 2)])
    def test_at_most(self, at_most: int, seen: int) -> None:
        with kernel.core_threads(LARGE, at_most):
            assert core.threads() == seen

    def test_the_least_of_all_that_are_inside(self) -> None:
        with kernel.blas_threads(LARGE, 1), kernel.core_threads(LARGE):
            assert core.threads() == 1
        with kernel.core_threads(LARGE), kernel.one_thread():
            assert core.threads() == 1

    @pytest.mark.parametrize(("flops", "seen"), [(0.9e5, 1), (1.1e5, 2)])
    def test_little_work_asks_for_nothing(self, flops: float, seen: int) -> None:
        with kernel.core_threads(flops):
            assert core.threads() == seen
