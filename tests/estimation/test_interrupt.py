"""Ctrl-C ends a long computation within a second of work, and threads do not disturb each other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from interlace import kernel
from interlace.design.encoding import Encoding
from interlace.design.known import with_known
from interlace.design.learning_rows import learn
from interlace.estimation.fit import Fit, at_theta, fit
from interlace.estimation.layout import Layout
from interlace.estimation.priors import precisions
from made_data import chain, crossed

# A crossed design with 4,000 x 3,500 levels, hardly any pair twice: some 10^10 operations per evaluation.
LONG = """
import os, signal, sys, threading, time
import numpy as np
from interlace.design.encoding import Encoding
from interlace.estimation.fit import fit
from interlace.estimation.solver import Solver

rng = np.random.default_rng(1)
n = 40_000
data = {"y": rng.normal(size=n), "x": rng.normal(size=n)}
data |= {"a": rng.integers(0, 4000, n), "b": rng.integers(0, 3500, n)}
encoding, design = Encoding.learn("y ~ x + (1 | a) + (1 | b)", data)
sent = []


def interrupt():
    sent.append(time.process_time())
    os.kill(os.getpid(), signal.SIGINT)


timer = threading.Timer(float(sys.argv[1]), interrupt)
timer.start()
try:
    fit(encoding, design, solver=Solver(sys.argv[2], 5000))
    print("finished", time.process_time() - sent[0] if sent else -1.0)
except KeyboardInterrupt:
    print("interrupted", time.process_time() - sent[0])
small = Encoding.learn("y ~ x + (1 | a)", {k: v[:500] % 20 if k == "a" else v[:500] for k, v in data.items()})
print(fit(*small).optimum.status)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
@pytest.mark.parametrize(
    ("delay", "threads", "solver"),
    [(0.2, 1, "exact"), (1.0, 1, "exact"), (1.0, 2, "exact"), (0.6, 2, "iterative")],
)
def test_ctrl_c_ends_a_fit_within_a_second(delay: float, threads: int, solver: str) -> None:
    """Early and late, in the analysis of the pattern and in the factorisations; then all is as before."""
    command = [sys.executable, "-c", LONG, str(delay), solver]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": str(threads)}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert run.returncode == 0, run.stderr
    first, second = run.stdout.splitlines()
    what, seconds = first.split()
    assert what == "interrupted", first
    assert float(seconds) < 1.0
    assert second == "converged"


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
def test_a_handler_that_raises_something_else_is_heard() -> None:
    """Whatever the handler of a signal raises comes out of the compiled code."""

    class AlarmError(Exception):
        pass

    def handler(number: int, frame: object) -> None:
        raise AlarmError

    rng = np.random.default_rng(1)
    n = 30_000
    a, b = rng.integers(0, 3000, n), rng.integers(0, 2500, n)
    encoding, design = Encoding.learn("y ~ 1 + (1 | a) + (1 | b)", {"y": rng.normal(size=n), "a": a, "b": b})
    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        start = time.process_time()
        with pytest.raises(AlarmError):
            fit(encoding, design)
        assert time.process_time() - start < 1.3
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
def test_the_inverse_of_a_known_covariance_can_be_interrupted() -> None:
    """One front of 3,000 levels: some 3e10 operations before the fit begins."""

    class AlarmError(Exception):
        pass

    def handler(number: int, frame: object) -> None:
        raise AlarmError

    q = 3000
    K = np.full((q, q), 0.1) + 0.9 * np.identity(q)
    data = {"y": np.random.default_rng(1).normal(size=2 * q), "a": np.arange(2 * q) % q}
    encoding = with_known(learn("y ~ 1 + (1 | a)", data)[1], {"a": (K, np.arange(q))}).encoding
    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        start = time.process_time()
        with pytest.raises(AlarmError):
            precisions(encoding, Layout.of(encoding))
        assert time.process_time() - start < 1.3
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
@pytest.mark.parametrize("call", ["scores", "squares", "sums"])
def test_ctrl_c_ends_sums_over_clusters_within_a_second(call: str) -> None:
    """One call for one cluster of 4,000,000 equal rows and 500 columns: seconds for the scores, minutes for
    the others."""
    n, p, sent = 4_000_000, 500, []

    def handler(number: int, frame: object) -> None:
        sent.append(time.process_time())
        raise KeyboardInterrupt

    one = np.zeros(n, dtype=np.int32)
    found = kernel.Clusters(
        y=np.ones(n),
        x=np.broadcast_to(np.linspace(-1, 1, p), (n, p)),
        codes=[one],
        z=[np.ones((n, 1))],
        levels=[1],
        w=None,
        y_origin=0.0,
        x_origin=np.zeros(p),
        z_origin=[np.zeros(1)],
        clusters=one,
        n_clusters=1,
        beta=np.ones(p),
        white=np.identity(p),
        residual=[np.zeros((1, 1))],
        columns=[np.zeros((1, 1, p))],
    )
    arguments = () if call == "scores" else (0, 1)
    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt), kernel.one_thread():
            getattr(found, call)(*arguments)
        assert sent and time.process_time() - sent[0] < 1.0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _numbers(f: Fit) -> tuple[np.ndarray, ...]:
    s = f.solution
    return np.array([f.optimum.value]), f.optimum.par, s.beta, *s.b, *s.conditional_covariances()


def test_threads_give_the_numbers_of_one() -> None:
    rng = np.random.default_rng(5)
    formula = "y ~ x + (x | a) + (1 | b)"
    problems = [Encoding.learn(formula, crossed(rng, 900, (60, 40))) for _ in range(3)]
    problems += [Encoding.learn(formula, chain(rng, 150, 8)) for _ in range(3)]
    alone = [_numbers(fit(*p)) for p in problems]
    with ThreadPoolExecutor(4) as pool:
        for together in (list(pool.map(lambda p: _numbers(fit(*p)), problems)) for _ in range(5)):
            for ours, theirs in zip(together, alone, strict=True):
                for x, y in zip(ours, theirs, strict=True):
                    np.testing.assert_array_equal(x, y)


def test_threads_share_a_fit() -> None:
    """Refits, values and covariances of one fit from several threads at once: nothing in it is written to."""
    data = crossed(np.random.default_rng(6), 900, (60, 40))
    f = fit(*Encoding.learn("y ~ x + (x | a) + (1 | b)", data))
    responses = [np.random.default_rng(i).permutation(data["y"]) for i in range(8)]
    alone = [_numbers(f.refit(y)) for y in responses]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda y: _numbers(f.refit(y)), responses))
        values = list(pool.map(lambda i: f.criterion.value(f.optimum.par + i), range(40)))
    for ours, theirs in zip(together, alone, strict=True):
        for x, y in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(x, y)
    assert values == [f.criterion.value(f.optimum.par + i) for i in range(40)]


def test_other_threads_run_while_numbers_are_crunched() -> None:
    """The GIL is released: a thread that counts goes on counting during one long call."""
    rng = np.random.default_rng(1)
    n = 20_000
    data = {"y": rng.normal(size=n), "a": rng.integers(0, 2000, n), "b": rng.integers(0, 1800, n)}
    encoding, design = Encoding.learn("y ~ 1 + (1 | a) + (1 | b)", data)
    criterion = at_theta(encoding, design, [1.0, 1.0]).criterion
    compiled, par = criterion.kernel(), criterion.start
    ticks: list[float] = []
    stop = threading.Event()

    def count() -> None:
        while not stop.wait(0.002):
            ticks.append(time.perf_counter())

    thread = threading.Thread(target=count)
    thread.start()
    start = time.perf_counter()
    compiled.gradient(par)
    end = time.perf_counter()
    stop.set()
    thread.join()
    during = [t for t in ticks if start + 0.01 < t < end - 0.01]
    assert len(during) >= 5  # about 500 where nothing else runs; a held lock leaves none


def test_limits_on_threads_of_blas_that_overlap_are_lifted_in_the_end() -> None:
    """Two fits at once: the first to begin may be the first to end, and BLAS has its threads back."""
    blas = ThreadpoolController().select(user_api="blas")

    def threads() -> list[int]:
        return [library["num_threads"] for library in blas.info()]

    with blas.limit(limits=2):
        before = threads()
        first, second = kernel.blas_threads(1e7), kernel.blas_threads(1e7)
        first.__enter__()
        assert max(threads()) == 1
        second.__enter__()
        first.__exit__(None, None, None)
        second.__exit__(None, None, None)
        assert threads() == before


# Sixty-four columns, each of which takes dozens of sweeps over the rows of poorly connected levels.
ABSORBED = """
import os, signal, sys, threading, time
import numpy as np
from interlace.design.absorbing import AbsorbedFactor
from interlace.formula.formula import AbsorbedTerm
from interlace.design.grouping import learn_grouping
from interlace.estimation.absorbed import Absorbed

rng = np.random.default_rng(1)
people = np.repeat(np.arange(30_000), 10)
firm = (people // 30 * 20 + rng.integers(0, 40, len(people))) % 20_000
factors = []
for codes in (people, firm):
    factors.append(AbsorbedFactor(AbsorbedTerm(("f",)), *learn_grouping("f", ("f",), [codes])))
V = rng.normal(size=(len(people), 64))
sent = []


def interrupt():
    sent.append(time.process_time())
    os.kill(os.getpid(), signal.SIGINT)


threading.Timer(float(sys.argv[1]), interrupt).start()
try:
    Absorbed(tuple(factors), None, int(sys.argv[2])).residuals(V)
    print("finished", -1.0)
except KeyboardInterrupt:
    print("interrupted", time.process_time() - sent[0])
print(Absorbed(tuple(factors)).residuals(V[:, :1]).normal.max() <= 1e-10)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
@pytest.mark.parametrize(("delay", "threads"), [(0.15, 1), (0.25, 2)])
def test_ctrl_c_ends_the_projection_of_absorbed_factors(delay: float, threads: int) -> None:
    limits = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    run = subprocess.run(
        [sys.executable, "-c", ABSORBED, str(delay), str(threads)],
        capture_output=True,
        text=True,
        env={**os.environ, **limits},
        check=True,
    )
    said, worked, afterwards = run.stdout.split()
    assert said == "interrupted" and float(worked) < 1.0
    assert afterwards == "True"
