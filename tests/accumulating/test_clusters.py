"""The recipes of docs/clusters.md, and clusters as sources of rows, where dask, Spark, Ray are installed."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import DataError

PAGE = Path(__file__).parent.parent.parent / "docs" / "clusters.md"
FORMULA = "y ~ x * f + scale(z) + (1 + x | g)"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def recipe(heading: str) -> Callable[..., Any]:
    """The function `fit` below a heading of the page."""
    code = re.search(rf"^## {heading}\n.*?^```py\n(.*?)^```", PAGE.read_text(), flags=re.M | re.S)
    assert code is not None and len(code[1].splitlines()) <= 40
    names: dict[str, Any] = {"__name__": "__main__"}  # so that functions are sent to workers by their value
    exec(compile(code[1], f"{PAGE.name}: {heading}", "exec"), names)
    fit: Callable[..., Any] = names["fit"]
    return fit


def made(n: int = 3000) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"x": rng.normal(size=n), "z": rng.gamma(2, size=n), "g": rng.integers(0, 50, n)})
    data["f"] = rng.choice(["red", "green", "blue"], n)
    data["y"] = data["x"] + rng.normal(size=50)[data["g"]] * (1 + data["x"]) + rng.normal(size=n)
    data.loc[rng.choice(n, 40), "x"] = np.nan
    data.loc[rng.choice(n, 40), "f"] = None
    return data


@contextmanager
def dask_cluster() -> Iterator[Callable[[pd.DataFrame], Any]]:
    pytest.importorskip("dask.dataframe")
    distributed = pytest.importorskip("distributed")
    import dask.dataframe as dd

    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        yield lambda data: dd.from_pandas(data, npartitions=5)


@contextmanager
def spark_session() -> Iterator[Callable[[pd.DataFrame], Any]]:
    sql = pytest.importorskip("pyspark.sql")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = builder.config("spark.driver.memory", "1g").getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    try:
        yield lambda data: session.createDataFrame(data).repartition(3).cache()
    finally:
        session.stop()


@contextmanager
def ray_cluster() -> Iterator[Callable[[pd.DataFrame], Any]]:
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=10**8)
    try:
        yield lambda data: ray.data.from_pandas(data).repartition(3).materialize()
    finally:
        ray.shutdown()


CLUSTERS = {"dask": dask_cluster, "Spark": spark_session, "Ray": ray_cluster}


@pytest.mark.parametrize("kind", CLUSTERS)
def test_the_model_of_the_table(kind: str) -> None:
    data = made()
    whole = interlace.lmer(FORMULA, data)
    with CLUSTERS[kind]() as spread:
        frame = spread(data)
        m = recipe(kind)(FORMULA, frame)
        for found in (m, interlace.lmer(FORMULA, frame)):
            assert found.nobs == whole.nobs
            np.testing.assert_allclose(found.loglik, whole.loglik, rtol=1e-12)
            np.testing.assert_allclose(found.fixef, whole.fixef, rtol=0, atol=1e-12)
            np.testing.assert_allclose(found.coef_table()["df"], whole.coef_table()["df"], rtol=1e-9)
            np.testing.assert_allclose(np.sort(found.fitted), np.sort(whole.fitted), rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", CLUSTERS)
def test_a_bad_value_names_its_partition(kind: str) -> None:
    data = made()
    data.loc[2500, "y"] = np.inf
    with CLUSTERS[kind]() as spread:
        frame = spread(data)
        with pytest.raises(Exception, match=r"(?s)(partition|block) \d: 'y' is inf at row \d+"):
            recipe(kind)(FORMULA, frame)
        with pytest.raises(
            DataError, match=r"row \d+ of (partition|block) \d of the \w+ \w+: 'y' is inf at row"
        ):
            interlace.lmer(FORMULA, frame)


@pytest.mark.parametrize("kind", CLUSTERS)
def test_what_a_cluster_cannot_compute(kind: str) -> None:
    data = made()
    with CLUSTERS[kind]() as spread:
        frame = spread(data)
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


def is_killed() -> Callable[[Any], Any]:
    def inner(part: Any) -> Any:
        os.kill(os.getpid(), 9)

    return inner


def test_a_worker_that_is_killed() -> None:
    """The cluster gives up, and there is no model."""
    with dask_cluster() as spread:
        frame = spread(made()).map_partitions(is_killed(), meta=made().iloc[:0])
        with pytest.raises(Exception, match=r"(?i)worker|killed"):
            recipe("dask")(FORMULA, frame)
