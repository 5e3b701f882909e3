"""Workers: no more threads than asked for, back ends that plug in, and what is left when somebody stops."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import joblib
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import interlace
from interlace import lmer
from interlace.datasets import load
from interlace.refitting import bootstrap_compare, multistart, parallel, permutation, power

FORMULA = "Reaction ~ Days + (Days | Subject)"


def blas() -> list[int]:
    return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]


class Look:
    """Work that says what it sees: the process, the thread, and the threads that BLAS has."""

    def __call__(self, generators: Any) -> list[tuple[int, int, int]]:
        return [self.seen(rng) for rng in generators]

    def seen(self, rng: Any) -> tuple[int, int, int]:
        A = np.ones((300, 300))
        (A @ A).sum()
        return os.getpid(), threading.get_ident(), max(blas())


@pytest.fixture(scope="module")
def sleep() -> Any:
    return lmer(FORMULA, load("sleepstudy"))


@pytest.fixture
def two_threads() -> Iterator[None]:
    """A process that was given two threads of BLAS, whatever the environment of the tests says."""
    with threadpool_limits(2, user_api="blas"):
        assert set(blas()) == {2}
        yield
        assert set(blas()) == {2}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_workers_are_the_only_threads(n_jobs: int, two_threads: None) -> None:
    options: dict[str, Any] = {"root": 1, "n_jobs": n_jobs, "progress": False, "label": ""}
    blocks = parallel.in_blocks(Look(), 0, 40, size=parallel.BLOCK_NUMBERS, **options)
    items = parallel.in_threads(Look().seen, range(40), 40, n_jobs=n_jobs)
    for found in (blocks, items):
        assert len(found) == 40 and {threads for _, _, threads in found} == {1}
        assert {pid for pid, _, _ in found} == {os.getpid()}
        assert len({thread for _, thread, _ in found}) <= n_jobs


def test_processes_are_the_only_threads(two_threads: None) -> None:
    """Also where joblib gives each of its processes several."""
    with joblib.parallel_config(backend="loky", n_jobs=2, inner_max_num_threads=2):
        found = parallel.in_blocks(
            Look(), 0, 4, root=1, n_jobs=None, progress=False, label="", size=parallel.BLOCK_NUMBERS
        )
    assert {threads for _, _, threads in found} == {1}
    assert os.getpid() not in {pid for pid, _, _ in found} and len({pid for pid, _, _ in found}) <= 2


def test_any_thread_of_another_process_has_one(two_threads: None) -> None:
    """As dask has them, whose tasks do not run in the main thread of their process."""
    found: list[tuple[int, int, int]] = []
    elsewhere = os.getpid() + 1

    def run() -> None:
        found.extend(parallel._elsewhere(Look(), 1, range(1), elsewhere))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert [threads for _, _, threads in found] == [1]


def test_every_call_with_n_jobs(sleep: Any, two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """All go through the two functions above; none has threads of its own beside them."""
    most = Counter[str]()

    def watched(name: str, function: Any) -> Any:
        def call(*given: Any, **options: Any) -> Any:
            most[name] = max(most[name], *blas())
            return function(*given, **options)

        return call

    for module in (bootstrap_compare, permutation):
        monkeypatch.setattr(module, "fit_many", watched(module.__name__, module.fit_many))
    small = sleep.refit(reml=False)
    smaller = lmer("Reaction ~ 1 + (Days | Subject)", load("sleepstudy"), reml=False)
    interlace.bootstrap_compare(small, smaller, n=4, seed=1, n_jobs=2)
    sleep.permutation_test("Days", 4, seed=1, n_jobs=2)
    monkeypatch.setattr(multistart, "_search", watched("multistart", multistart._search))
    sleep.multistart(4, seed=1, n_jobs=2)
    monkeypatch.setattr(power, "_p", watched("power", power._p))
    interlace.power(sleep, n_groups=8, n=4, seed=1, n_jobs=2)
    assert len(most) == 4 and set(most.values()) == {1}


def test_dask_plugs_in(sleep: Any) -> None:
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, distributed.Client(cluster), joblib.parallel_config(backend="dask"):
        found = sleep.bootstrap(120, seed=5, n_jobs=None, progress=False)
        seen = parallel.in_blocks(Look(), 0, 100, root=1, n_jobs=None, progress=False, label="")
    np.testing.assert_allclose(found.values, sleep.bootstrap(120, seed=5).values, rtol=1e-12)
    assert os.getpid() not in {pid for pid, _, _ in seen} and {threads for _, _, threads in seen} == {1}


class Impatient:
    """A function that somebody stops, once, when it has been called so many times."""

    def __init__(self, function: Any, calls: int) -> None:
        self.function, self.left = function, calls

    def __call__(self, *given: Any, **options: Any) -> Any:
        self.left -= 1
        if self.left == -1:
            raise KeyboardInterrupt
        return self.function(*given, **options)


def test_ctrl_c_in_a_bootstrap_of_two_models(monkeypatch: pytest.MonkeyPatch) -> None:
    large, small = (
        lmer(f"Reaction ~ {x} + (1 | Subject)", load("sleepstudy"), reml=False) for x in ("Days", "1")
    )
    whole = interlace.bootstrap_compare(large, small, n=100, seed=1)
    assert not whole.stopped and "stopped" not in str(whole)
    monkeypatch.setattr(bootstrap_compare, "fit_many", Impatient(bootstrap_compare.fit_many, 4))
    found = interlace.bootstrap_compare(large, small, n=1000, seed=1)
    np.testing.assert_array_equal(found.reference, whole.reference)
    assert found.stopped == "stopped after 100 of 1000 samples" and found.stopped in str(found)
    assert found.p == whole.p
    monkeypatch.setattr(bootstrap_compare, "fit_many", Impatient(bootstrap_compare.fit_many, 0))
    with pytest.raises(KeyboardInterrupt):
        interlace.bootstrap_compare(large, small, n=1000, seed=1)


def test_ctrl_c_in_a_permutation_test(sleep: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sleep.permutation_test("Days", 50, seed=1)
    monkeypatch.setattr(permutation, "fit_many", Impatient(permutation.fit_many, 1))
    found = sleep.permutation_test("Days", 300, seed=1)
    np.testing.assert_array_equal(found.reference, whole.reference)
    assert found.stopped == "stopped after 50 of 300 permutations" and found.stopped in found.table.note
    assert not whole.stopped and "stopped" not in whole.table.note


def test_ctrl_c_in_other_starts(sleep: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sleep.multistart(5, seed=1)
    monkeypatch.setattr(multistart, "_search", Impatient(multistart._search, 50))
    found = sleep.multistart(200, seed=1)
    assert len(found.table) == 51 and "stopped after 50 of 200 starts" in found.table.note
    np.testing.assert_array_equal(found.table["criterion"][:6], whole.table["criterion"])
    assert "stopped" not in whole.table.note


@pytest.mark.parametrize(
    ("calls", "sizes", "done"), [(150, 2, 150), (100, 1, 100), (70, 1, 50), (220, 2, 200)]
)
def test_ctrl_c_in_power(
    calls: int, sizes: int, done: int, sleep: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is begun after it: sizes that are done stay, and the last has fewer simulations."""
    asked: dict[str, Any] = {"effect": {"Days": 4.0}, "n_groups": [6, 8, 10], "n": 100, "seed": 1}
    monkeypatch.setattr(power, "_p", Impatient(power._p, calls))
    found = interlace.power(sleep, **asked)
    assert len(found.table) == sizes and found.table["n"].sum() == done
    assert f"stopped after {done} of 300 simulations, at {sizes} of 3 sizes" in found.table.note


def test_power_that_nobody_stops_says_nothing(sleep: Any) -> None:
    assert "stopped" not in interlace.power(sleep, n_groups=[6, 8], n=3, seed=1).table.note
