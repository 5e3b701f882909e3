"""The recipes of docs/clusters.md, and clusters as sources of rows, where dask, Spark, Ray are installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import DataError

from .clusters import CLUSTERS, recipe
from .passes import cut

FORMULA = "y ~ x * f + scale(z) + (1 + x | g)"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def made(n: int = 3000) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"x": rng.normal(size=n), "z": rng.gamma(2, size=n), "g": rng.integers(0, 50, n)})
    data["f"] = rng.choice(["red", "green", "blue"], n)
    data["y"] = data["x"] + rng.normal(size=50)[data["g"]] * (1 + data["x"]) + rng.normal(size=n)
    data.loc[rng.choice(n, 40), "x"] = np.nan
    data.loc[rng.choice(n, 40), "f"] = None
    return data


@pytest.mark.parametrize("kind", CLUSTERS)
def test_the_model_of_the_table(kind: str) -> None:
    data = made()
    whole = interlace.lmer(FORMULA, data)
    with CLUSTERS[kind]() as spread:
        frame = spread(cut(data, 1000))
        m = recipe(kind)(FORMULA, frame)
        for found in (m, interlace.lmer(FORMULA, frame)):
            assert found.nobs == whole.nobs
            np.testing.assert_allclose(found.loglik, whole.loglik, rtol=1e-12)
            np.testing.assert_allclose(found.fixef, whole.fixef, rtol=0, atol=1e-12)
            np.testing.assert_allclose(found.coef_table()["df"], whole.coef_table()["df"], rtol=1e-9)
            np.testing.assert_allclose(np.sort(found.fitted), np.sort(whole.fitted), rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", CLUSTERS)
def test_what_a_cluster_cannot_compute(kind: str) -> None:
    data = made()
    with CLUSTERS[kind]() as spread:
        frame = spread(cut(data, 1000))
        if kind == "dask":
            bad = frame.map_partitions(fails(), meta=data.iloc[:0])
        elif kind == "Spark":
            bad = frame.selectExpr("y", "z", "g", "f", "cast(raise_error('no such number') as double) as x")
        else:
            bad = frame.map_batches(fails())
        with pytest.raises(DataError, match="no such number"):
            interlace.lmer("y ~ x + (1 | g)", bad)


def fails() -> Callable[[Any], Any]:
    """A function inside another is sent to workers by its value."""

    def inner(part: Any) -> Any:
        raise ValueError("no such number")

    return inner
