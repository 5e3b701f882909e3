"""Z'V^-1Z by elimination of a factor at a time, against the definition; and the memory that it takes."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

import interlace
from interlace.precision import elimination, information
from interlace.precision.elimination import marginal_gram
from interlace.precision.marginal import Marginal

# levels and columns of each grouping factor, largest first, last, in the middle; without levels; one only
SHAPES = [
    [(7, 2), (3, 1)],
    [(3, 1), (7, 2)],
    [(4, 1), (3, 3), (2, 2)],
    [(5, 2), (0, 1), (3, 2)],
    [(6, 3)],
]


def _pieces(shape: list[tuple[int, int]], n: int) -> tuple[np.ndarray, list[slice]]:
    """Z'Z of n pieces: rows fall on the levels at random, so that the levels of a factor do not meet."""
    rng = np.random.default_rng(len(shape))
    out = []
    for _ in range(n):
        columns = []
        for levels, k in shape:
            Z = np.zeros((60, levels, k))
            if levels:
                Z[np.arange(60), rng.integers(0, levels, 60)] = rng.normal(size=(60, k))
            columns.append(Z.reshape(60, levels * k))
        Z = np.hstack(columns)
        out.append(Z.T @ Z)
    ends = np.cumsum([0, *(levels * k for levels, k in shape)])
    return np.array(out), [slice(a, b) for a, b in pairwise(ends)]


@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rank", [0, 1, None])
def test_the_definition(shape: list[tuple[int, int]], n: int, rank: int | None) -> None:
    ZZ, at = _pieces(shape, n)
    rng = np.random.default_rng(5)
    factors = [rng.normal(size=(k, k))[:, :rank] for _, k in shape]
    G = [F @ F.T for F in factors]
    whole = np.zeros(ZZ.shape[1:])
    for own, one, (levels, _) in zip(at, G, shape, strict=True):
        whole[own, own] = np.kron(np.eye(levels), one)
    expected = np.linalg.solve(np.eye(len(whole)) + ZZ @ whole, ZZ)
    found = marginal_gram(ZZ.copy(), at, G)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(ZZ).max())
    np.testing.assert_array_equal(found, found.transpose(0, 2, 1))


@pytest.mark.parametrize(("a", "b"), [(700, 700), (1200, 200), (200, 1200)])
def test_no_more_matrices_than_are_counted_on(a: int, b: int) -> None:
    rng = np.random.default_rng(1)
    data = {"y": rng.normal(size=4000), "a": np.arange(4000) % a, "b": rng.integers(0, b, 4000)}
    fit = interlace.lmer("y ~ 1 + (1 | a) + (1 | b)", data).fit
    marginal = Marginal.of(fit)
    tracemalloc.start()
    information.moments(fit, marginal)
    peak = tracemalloc.get_traced_memory()[1] / (8.0 * (a + b) ** 2)
    tracemalloc.stop()
    assert 2 < peak < information.COPIES


def test_large_variances_make_no_warning() -> None:
    """A condition that rounding error has used up is no news where the solution is small."""
    a, b = np.divmod(np.arange(30), 5)
    Z = np.hstack([np.eye(6)[a], np.eye(5)[b]])
    found = marginal_gram((Z.T @ Z)[None], [slice(0, 6), slice(6, 11)], [np.full((1, 1), 1e17)] * 2)
    assert np.abs(found).max() < 1e-10


def test_a_singular_matrix_is_refused() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        elimination._solved_in_place(np.zeros((2, 2)), np.ones((2, 1), order="F"))
