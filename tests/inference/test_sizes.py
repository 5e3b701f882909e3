"""How much is worked on at a time, how much is kept, and how much is named: both sides of each number."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import interlace
from interlace.inference import terms
from interlace.precision import cluster_rows, components, plain_sandwich, sandwich, sandwiches, unbiased


def test_numbers_worked_on_at_a_time() -> None:
    assert list(cluster_rows.pieces(2**19, 4)) == [(0, 2**19)]
    assert len(list(cluster_rows.pieces(2**19 + 1, 4))) == 2
    assert len(list(sandwich.cut(2**19, 4))) == 1
    assert len(list(sandwich.cut(2**19 + 1, 4))) == 2
    batch = components.Pieces((np.zeros((2**10 + 1, 1), dtype=np.int64),))
    assert [len(part) for part in components.chunks(batch, 2**12)] == [2**10, 1]


@pytest.mark.parametrize(("rows", "times"), [(2**14, 1), (2**14 + 1, 2)])
def test_rows_worked_on_at_a_time(rows: int, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    data = {"y": rng.normal(size=rows), "x": rng.normal(size=rows), "g": np.arange(rows) % 3}
    fit = interlace.lmer("y ~ x + (1 | g)", data).fit
    found: list[int] = []
    original = terms.triangle
    monkeypatch.setattr(terms, "triangle", lambda A: found.append(1) or original(A))
    terms.Indicators.of(fit, terms.Terms.of(fit))
    assert len(found) == times


class _Rows:
    """Of two coefficients and so many clusters that only their number matters."""

    beta = np.zeros(2)

    def __init__(self) -> None:
        self.asked = 0

    def squares(self, chosen: Any) -> Iterator[tuple[int, np.ndarray]]:
        self.asked += 1
        yield 0, np.zeros((1, 2, 2))


@pytest.mark.parametrize(("clusters", "kept"), [(2**24, True), (2**24 + 1, False)])
def test_matrices_of_clusters_that_are_kept(clusters: int, kept: bool) -> None:
    """Of 4 numbers of 8 bytes for each cluster: half a gigabyte."""
    rows, chosen = _Rows(), SimpleNamespace(size=clusters)
    found = plain_sandwich.SquareMoments(rows, chosen, lambda S, C: S, "CR0")  # type: ignore[arg-type, return-value]
    for _ in range(3):
        assert len(list(found.squares())) == 1
    assert rows.asked == (1 if kept else 3)


@pytest.mark.parametrize(("clusters", "kept"), [(2**23, True), (2**23 + 1, False)])
def test_matrices_of_adjusted_clusters_that_are_kept(
    clusters: int, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 8 numbers for each cluster."""
    one = unbiased._Adjusted(np.ones((1, 2)), np.ones((1, 2, 2)), np.ones((1, 2, 2)), np.eye(2))
    monkeypatch.setattr(unbiased.UnbiasedMoments, "adjusted", lambda self: iter([one]))
    chosen: Any = SimpleNamespace(size=clusters)
    assert (unbiased.unbiased(_Rows(), chosen)[1].kept is not None) == kept  # type: ignore[arg-type]


def test_clusters_that_are_paired_one_by_one() -> None:
    """Eight of them may be larger than the others by any factor: no digit is lost."""
    rng = np.random.default_rng(2)
    h = np.zeros((1, 40, 12))
    h[0, :8, :8] = 1e6 * np.linalg.qr(rng.normal(size=(8, 8)))[0]
    h[0, 8:, 8:] = rng.normal(size=(32, 4))
    total = sandwich._Total(np.ones((1, 12)))
    for at in np.array_split(rng.permutation(40), 3):
        total.add(np.ones((len(at), 1, 1)), h[:, at])
    products = h[0, 8:] @ h[0, 8:].T
    among = 2 * (np.square(products).sum() - np.square(np.diagonal(products)).sum())
    assert total.degrees_of_freedom() == pytest.approx(2 * 40**2 / (2 * 40 + among), rel=1e-8)
    assert total._large.shape == (1, 8, 12)


@pytest.mark.parametrize(("coefficients", "more"), [(8, ""), (9, "h and 1 more")])
def test_coefficients_that_are_named(coefficients: int, more: str) -> None:
    names = tuple("abcdefghi"[:coefficients])
    fit: Any = SimpleNamespace(names=names)
    said = sandwiches._without_errors(fit, np.full(coefficients, np.nan))
    assert ("more" in said) == bool(more) and (more or "g, h:") in said
