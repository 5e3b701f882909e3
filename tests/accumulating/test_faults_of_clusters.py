"""Workers that die and partitions that differ: the right model, or an error that names the partition."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from signal import SIGKILL
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import DataError

from .clusters import CLUSTERS, Spread, recipe
from .passes import cut

FORMULA = "y ~ x + (1 | g)"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module", params=CLUSTERS)
def cluster(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Spread]]:
    here, path = str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")
    with pytest.MonkeyPatch.context() as changed:
        changed.syspath_prepend(here)
        changed.setenv("PYTHONPATH", os.pathsep.join([here, path]))
        changed.setenv("INTERLACE_TESTS_DYING", str(tmp_path_factory.mktemp("dying")))
        with CLUSTERS[request.param]() as spread:
            yield request.param, spread


@pytest.fixture
def marks(cluster: Any) -> Path:
    """The folder where workers say that they die."""
    folder = Path(os.environ["INTERLACE_TESTS_DYING"])
    for one in folder.iterdir():
        one.unlink()
    return folder


def made(n: int = 900) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"x": rng.normal(size=n), "g": rng.integers(0, 20, n)})
    data["y"] = data["x"] + rng.normal(size=20)[data["g"]] + rng.normal(size=n)
    return data


def test_a_worker_that_dies_once(
    cluster: tuple[str, Spread], marks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its partition is looked at again, whole: the same bits as if nothing had happened.

    Ray hands out the blocks in another order each time.
    """
    kind, spread = cluster
    frame = spread(cut(made(), 300))
    whole = recipe(kind)(FORMULA, frame)
    monkeypatch.setattr(interlace, "Accumulator", import_module("dying").Dying)
    m = recipe(kind)(FORMULA, frame)
    assert sorted(one.name for one in marks.iterdir()) == ["levels", "products"]
    assert m.nobs == whole.nobs == 900
    share = 1e-12 if kind == "Ray" else 0.0
    for ask in (lambda m: m.fixef, lambda m: m.theta, lambda m: m.loglik):
        np.testing.assert_allclose(ask(m), ask(whole), rtol=share, atol=0.0)


def test_a_partition_whose_worker_dies_always(
    cluster: tuple[str, Spread], marks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, spread = cluster
    frame = spread(cut(made(), 300))
    monkeypatch.setattr(interlace, "Accumulator", import_module("dying").Dying)
    (marks / "always").touch()
    with pytest.raises(Exception, match=r"(?s)(partition|block) 1\b.*(died|exited)"):
        recipe(kind)(FORMULA, frame)


def test_an_empty_partition(cluster: tuple[str, Spread]) -> None:
    kind, spread = cluster
    data = made()
    whole = interlace.lmer(FORMULA, data)
    first, second, third = cut(data, 300)
    for parts in ([first, second.iloc[:0], second, third], [first.iloc[:0], data]):
        frame = spread(parts)
        for m in (recipe(kind)(FORMULA, frame), interlace.lmer(FORMULA, frame)):
            assert m.nobs == 900
            np.testing.assert_allclose(m.fixef, whole.fixef, rtol=0, atol=1e-12)


def test_a_bad_value(cluster: tuple[str, Spread]) -> None:
    kind, spread = cluster
    data = made()
    data.loc[421, "x"] = -np.inf
    frame = spread(cut(data, 300))
    with pytest.raises(Exception, match=r"(partition|block) \d: 'x' is -inf at row 121"):
        recipe(kind)(FORMULA, frame)
    with pytest.raises(DataError, match=r"row 121 of (partition|block) \d of the \w+ \w+: 'x' is -inf"):
        interlace.lmer(FORMULA, frame)


DIFFERENT = {
    "no column": (lambda part: part.drop(columns="x"), "no column 'x'|'x'.*not in index"),
    "text": (lambda part: part.assign(x=[f"a{i}" for i in range(len(part))]), "column 'x' has text or cat"),
    "numbers as text": (lambda part: part.assign(x=part["x"].astype(str)), "column 'x' has text or categ"),
    "logical": (lambda part: part.assign(x=part["x"] > 0), "column 'x' has logical values"),
    "numbers for text": (lambda part: part.assign(g=np.arange(len(part)) % 20), "column 'g' has numbers"),
}


@pytest.mark.parametrize("way", DIFFERENT)
def test_a_partition_that_differs(way: str, cluster: tuple[str, Spread]) -> None:
    """Spark gives its partitions the types that it was told, or names the file that has others."""
    kind, spread = cluster
    change, words = DIFFERENT[way]
    first, second, third = cut(made().assign(g=lambda d: "g" + d["g"].astype(str)), 300)
    frame = spread([first, change(second), third])
    if kind == "Spark" and way == "no column":  # missing values, for Spark
        assert recipe(kind)(FORMULA, frame).nobs == interlace.lmer(FORMULA, frame).nobs == 600
        return
    named = r"1\.parquet" if kind == "Spark" else rf"(partition|block) 1\b.*({words})"
    with pytest.raises(Exception, match=named):
        recipe(kind)(FORMULA, frame)
    with pytest.raises(DataError, match=named):
        interlace.lmer(FORMULA, frame)


def test_a_worker_that_dies_where_a_partition_is_computed(cluster: tuple[str, Spread]) -> None:
    kind, spread = cluster
    if kind == "Ray":
        pytest.skip("Ray computes a block again for ever")
    frame = spread(cut(made(), 300))
    if kind == "dask":
        bad = frame.map_partitions(is_killed(), meta=made().iloc[:0])
    else:
        bad = frame.mapInPandas(is_killed(), frame.schema)
    words = r"partition 0 of the \w+ DataFrame cannot be computed: .*(died|exited)"
    with pytest.raises(DataError, match=words):
        interlace.lmer(FORMULA, bad)


def is_killed() -> Any:
    """A function inside another is sent to workers by its value."""

    def inner(part: Any) -> Any:
        os.kill(os.getpid(), SIGKILL)

    return inner
