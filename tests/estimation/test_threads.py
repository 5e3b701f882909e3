"""Never more threads than were asked for: by `n_jobs`, by the environment, by threadpoolctl."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

import interlace
from interlace import kernel
from interlace.errors import DataError
from made_data import one

LARGE = 1e12  # flops that are worth any number of threads


def threads() -> int:
    return max(library["num_threads"] for library in ThreadpoolController().select(user_api="blas").info())


@pytest.fixture
def two_threads():
    with ThreadpoolController().select(user_api="blas").limit(limits=2):
        yield


@pytest.mark.usefixtures("two_threads")
class TestLimit:
    def test_large_factorisations_have_the_threads_of_the_process(self) -> None:
        with kernel.blas_threads(LARGE):
            assert threads() == 2

    @pytest.mark.parametrize(("flops", "seen"), [(0.9e5, 2), (1.1e5, 1), (2.9e8, 1), (3.1e8, 2)])
    def test_what_is_worth_sharing(self, flops: float, seen: int) -> None:
        """Little work is not shared by itself; what is in between would be, and should not."""
        with kernel.blas_threads(flops):
            assert threads() == seen

    def test_at_most(self) -> None:
        with kernel.blas_threads(LARGE, 1):
            assert threads() == 1
        assert threads() == 2

    def test_never_raised(self) -> None:
        with kernel.blas_threads(LARGE, 8):
            assert threads() == 2

    def test_the_least_of_all_that_are_inside(self) -> None:
        one, two = kernel.blas_threads(LARGE, 1), kernel.blas_threads(LARGE, 2)
        two.__enter__()
        one.__enter__()
        assert threads() == 1
        one.__exit__(None, None, None)
        assert threads() == 2
        two.__exit__(None, None, None)
        assert threads() == 2

    def test_threads_that_leave_in_another_order_than_they_came(self) -> None:
        inside, leave = threading.Event(), threading.Event()
        seen = []

        def other() -> None:
            with kernel.blas_threads(LARGE, 1):
                inside.set()
                leave.wait()
            seen.append(threads())

        thread = threading.Thread(target=other)
        with kernel.blas_threads(LARGE, 1):
            thread.start()
            inside.wait()
        seen.append(threads())  # the other one is inside still
        leave.set()
        thread.join()
        assert (seen, threads()) == ([1, 2], 2)

    def test_the_data_are_read_within_the_limit_too(self) -> None:
        seen = []

        def spied(v):
            seen.append(threads())
            return v

        data = one(np.random.default_rng(1))
        interlace.lmer("y ~ spied(x) + (1 | a)", data, n_jobs=1)
        assert set(seen) == {1}


def test_of_the_environment() -> None:
    code = (
        "import numpy, scipy.linalg\n"
        "from interlace import kernel\n"
        "from threadpoolctl import threadpool_info\n"
        "with kernel.blas_threads(1e12, 2):\n"
        "    print(max(i['num_threads'] for i in threadpool_info() if i['user_api'] == 'blas'))\n"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "1", done.stderr


def test_a_model_keeps_its_limit() -> None:
    data = interlace.datasets.load("sleepstudy")
    m = interlace.lmer("Reaction ~ Days + (Days | Subject)", data, n_jobs=1)
    y = np.asarray(m.simulate(1, seed=1)).ravel()
    for other in (m, m.refit(y), m.refit(reml=False), pickle.loads(pickle.dumps(m))):
        assert other.fit.n_jobs == 1


def test_the_number_of_threads_changes_no_number() -> None:
    data = interlace.datasets.load("Penicillin")
    fits = [
        interlace.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", data, n_jobs=n) for n in (None, 1, 2, -1)
    ]
    assert len({m.reml_criterion for m in fits}) == 1


@pytest.mark.parametrize("n_jobs", [0, -2, 1.5, "2", True])
def test_no_number_of_threads(n_jobs) -> None:
    with pytest.raises(DataError, match="n_jobs must be"):
        interlace.lmer("y ~ (1 | g)", {"y": [1.0], "g": [1]}, n_jobs=n_jobs)


def test_more_threads_than_anybody_means() -> None:
    assert [kernel.thread_count(n) for n in (1023, 1024, 1025, 10**20)] == [1023, 1024, 1024, 1024]
