"""Multivariate t probabilities beside integrals of R and mvtnorm (`mvt.R`), and what is kept of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import interlace
from interlace.inference import boxes, mvt
from interlace.inference.adjust import Family, critical
from interlace.inference.boxes import Box
from interlace.inference.mvt import SEED, largest, largest_size

FOUND = json.loads((Path(__file__).parent / "mvt.json").read_text())
TOLERANCE = 1e-4
QUICK = 6  # the largest rank of the quick suite


def _cases(which: str) -> list[Any]:
    found = []
    for place, case in enumerate(FOUND[which]):
        k = int(case["name"].split()[1])
        slow = [pytest.mark.slow] if k - 1 > QUICK else []
        found.append(pytest.param(case, id=f"{case['name']}-{place}", marks=slow))
    return found


@pytest.mark.parametrize("case", _cases("cases"))
def test_tails(case: dict[str, Any]) -> None:
    make = largest_size if case["sides"] == 2 else largest
    df = np.inf if case["df"] > 1e299 else float(case["df"])
    found = make(np.array(case["R"], dtype=float), SEED)
    mine = np.array([found.tail(c, df) for c in case["c"]])
    theirs = np.array(case["p"])
    assert np.abs(mine - theirs).max() < TOLERANCE + case["error"]
    small = theirs < 0.01  # of these a share
    np.testing.assert_allclose(mine[small], theirs[small], rtol=2e-3, atol=case["error"])


@pytest.mark.parametrize("case", _cases("quantiles"))
def test_quantiles(case: dict[str, Any]) -> None:
    R = np.array(case["R"], dtype=float)
    m = len(R)
    family = Family(np.zeros(m), np.full(m, float(case["df"])), m, None, lambda: R)
    np.testing.assert_allclose(critical("mvt", family, 0.95), case["q"], atol=TOLERANCE)


@pytest.mark.parametrize("rank", [2, 5])
@pytest.mark.parametrize("both", [True, False])
def test_boxes_of_independent_variables(rank: int, both: bool) -> None:
    from scipy.special import ndtr

    turned = np.linalg.qr(np.random.default_rng(1).normal(size=(rank, rank)))[0]
    for c in (0.3, 1.0, 2.5):
        one = ndtr(c) - ndtr(-c) if both else ndtr(c)
        assert abs(Box.of(turned, 1).inside(c, both=both) - one**rank) < 1e-9
    if not both:
        assert abs(Box.of(turned, 1).inside(-0.4, both=False) - ndtr(-0.4) ** rank) < 1e-9


def test_boxes_of_rows_that_depend_on_each_other() -> None:
    """The same row twice, or with the other sign, bounds nothing that it did not bound before."""
    rows = np.random.default_rng(3).normal(size=(4, 3))
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    more = np.vstack([rows, rows[1], -rows[2]])
    for c in (0.8, 2.0):
        once, twice = (Box.of(one, 5).inside(c, both=True) for one in (rows, more))
        assert abs(once - twice) < 1e-12
    one_sided = Box.of(np.array([[1.0], [-1.0]]), 5)
    from scipy.special import ndtr

    assert abs(one_sided.inside(1.0, both=False) - (ndtr(1) - ndtr(-1))) < 1e-12
    assert one_sided.inside(-1.0, both=False) == 0.0


def test_the_lattice_is_one_of_a_prime() -> None:
    """All powers of the generator are different, so that every candidate is looked at."""
    order, power = 1, boxes.GENERATOR
    while power != 1:
        power = power * boxes.GENERATOR % boxes.POINTS
        order += 1
    assert order == boxes.POINTS - 1
    assert all(boxes.POINTS % p for p in range(2, int(boxes.POINTS**0.5) + 1))


def test_a_table_and_its_intervals_share_a_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    directions = mvt._Directions.of.__func__

    def counted(cls: Any, correlation: Any, seed: int) -> Any:
        made.append(len(correlation))
        return directions(cls, correlation, seed)

    monkeypatch.setattr(mvt._Directions, "of", classmethod(counted))
    mvt._largest_size.cache_clear()
    m = interlace.lmer("score ~ Machine + (1 | Worker)", interlace.datasets.load("machines"))
    pairs = m.emmeans("Machine").pairs(adjust="mvt")
    pairs.test()
    pairs.confint()
    m.emmeans("Machine").pairs(adjust="mvt").test()
    assert made == [3]
    pairs.test(side=">")
    assert made == [3, 3]
