"""Small clusters of dask, Spark and Ray, with workers in their own processes; the recipes of the page."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pandas as pd
import pytest

PAGE = Path(__file__).parent.parent.parent / "docs" / "clusters.md"

Spread = Callable[[Sequence[pd.DataFrame]], Any]  # one partition for each of the tables


def recipe(heading: str) -> Callable[..., Any]:
    """The function `fit` below a heading of the page."""
    code = re.search(rf"^## {heading}\n.*?^```py\n(.*?)^```", PAGE.read_text(), flags=re.M | re.S)
    assert code is not None and len(code[1].splitlines()) <= 40
    names: dict[str, Any] = {"__name__": "__main__"}  # so that functions are sent to workers by their value
    exec(compile(code[1], f"{PAGE.name}: {heading}", "exec"), names)
    fit: Callable[..., Any] = names["fit"]
    return fit


@contextmanager
def dask_cluster() -> Iterator[Spread]:
    """Partitions are what they are: dask looks at the types of the first alone."""
    pytest.importorskip("dask.dataframe")
    distributed = pytest.importorskip("distributed")
    import dask.dataframe as dd

    def spread(parts: Sequence[pd.DataFrame]) -> Any:
        return dd.from_map(lambda part: part, parts, meta=parts[0].iloc[:0])

    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        yield spread


@contextmanager
def spark_session() -> Iterator[Spread]:
    """A folder of Parquet files, one for each partition, with the columns of the first."""
    sql = pytest.importorskip("pyspark.sql")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = sql.SparkSession.builder.master("local[2, 3]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.files.openCostInBytes", str(1 << 27))  # no file shares a partition
    for name in {
        "PYTHONPATH",
        "INTERLACE_TESTS_DYING",
    } & os.environ.keys():  # Java, once started, keeps the old ones
        builder = builder.config(f"spark.executorEnv.{name}", os.environ[name])
    session = builder.config("spark.driver.memory", "1g").getOrCreate()
    session.sparkContext.setLogLevel("OFF")

    def spread(parts: Sequence[pd.DataFrame]) -> Any:
        folder = Path(mkdtemp())
        for i, part in enumerate(parts):
            part.to_parquet(folder / f"{i}.parquet", index=False)
        schema = session.read.parquet(str(folder / "0.parquet")).schema
        return session.read.schema(schema).parquet(str(folder))

    try:
        yield spread
    finally:
        session.stop()


@contextmanager
def ray_cluster() -> Iterator[Spread]:
    """Blocks are what they are."""
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=10**8)
    try:
        yield lambda parts: ray.data.from_pandas(list(parts)).materialize()
    finally:
        ray.shutdown()


CLUSTERS = {"dask": dask_cluster, "Spark": spark_session, "Ray": ray_cluster}
