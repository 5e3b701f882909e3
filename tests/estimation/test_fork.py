"""A process forked while other threads fit: it has all its BLAS threads and waits for nobody."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

START = """
import os, signal, sys, threading, warnings
signal.alarm(60)  # seconds until a process that waits for ever is ended
warnings.simplefilter("ignore")  # that processes with threads are forked is what is tried here
import numpy, scipy.linalg
import interlace
from interlace import kernel
from threadpoolctl import ThreadpoolController

def threads():
    return max(lib["num_threads"] for lib in ThreadpoolController().select(user_api="blas").info())

def in_child(work):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        os.write(write, repr(work()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return eval(os.read(read, 1000))

def beside(work):
    "Runs while another thread is inside, and leaves after it."
    inside, leave = threading.Event(), threading.Event()
    def other():
        with kernel.blas_threads(1e12, 1):
            inside.set()
            leave.wait()
    thread = threading.Thread(target=other, daemon=True)
    thread.start()
    inside.wait()
    result = work()
    leave.set()
    thread.join()
    return result

data = interlace.datasets.load("sleepstudy")
m = interlace.lmer("Reaction ~ Days + (Days | Subject)", data)
"""


def run(code: str) -> str:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-c", START + code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_limit_of_another_thread_is_not_inherited() -> None:
    assert run("print(beside(lambda: (threads(), in_child(threads), threads())), threads())") == "(1, 2, 1) 2"


def test_what_the_thread_that_forks_asked_for_holds() -> None:
    code = """
def child():
    with kernel.blas_threads(1e12, 1):  # the same thread, once more
        within = threads()
    return within, threads()
def forks():
    with kernel.blas_threads(1e12, 1):
        return in_child(child)
print(beside(forks), threads())
with kernel.blas_threads(1e12, 1):
    child_pid = os.fork()
if child_pid == 0:  # it has left as its parent has
    os._exit(0 if threads() == 2 else 1)
print(os.waitpid(child_pid, 0)[1])
"""
    assert run(code).splitlines() == ["(1, 1) 2", "0"]


def test_a_child_fits_and_tests() -> None:
    code = """
class Slow:
    name = description = "slow"
    def __eq__(self, other): return isinstance(other, Slow)
    def __hash__(self): return 1
    def bind(self, fit):
        inside.set()
        leave.wait()
        return interlace.Satterthwaite().bind(fit)
    def robust(self, vcov): raise NotImplementedError
inside, leave = threading.Event(), threading.Event()
thread = threading.Thread(target=lambda: m.coef_table(ddf=Slow()), daemon=True)
thread.start()
inside.wait()  # the memory of m is locked now
def child():
    again = interlace.lmer(m.formula, data)
    return [float(round(one.coef_table()["df"]["Days"], 6)) for one in (again, m)]
print(in_child(child))
leave.set()
thread.join()
"""
    assert run(code) == "[17.0, 17.0]"


def test_a_child_makes_threads_of_its_own() -> None:
    """The threads of the core stay with the parent, at rest or at work when it forks."""
    code = """
rng = numpy.random.default_rng(1)
n, a, b = 15000, 900, 600
rows = {"y": rng.normal(size=n), "a": rng.integers(0, a, n), "b": rng.integers(0, b, n)}
def work():
    return interlace.lmer("y ~ 1 + (1 | a) + (1 | b)", rows).loglik
first = work()
same = [in_child(work) == first]
fit = interlace.lmer("y ~ 1 + (1 | a) + (1 | b)", rows).fit
stop, inside = threading.Event(), threading.Event()
def busy():
    with kernel.core_threads(1e12):  # a BLAS whose own threads are at work may not be forked
        while not stop.is_set():
            fit.criterion.gradient(fit.optimum.par)
            inside.set()
thread = threading.Thread(target=busy, daemon=True)
thread.start()
inside.wait()
same += [in_child(work) == first for i in range(2)]
stop.set()
thread.join()
print(same, work() == first)
"""
    assert run(code) == "[True, True, True] True"


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["multiprocessing", "loky"])
def test_pools_of_processes(workers: str) -> None:
    pools = {
        "multiprocessing": "multiprocessing.get_context('fork').Pool(2).map(work, range(4))",
        "loky": "joblib.Parallel(2)(joblib.delayed(work)(i) for i in range(4))",
    }
    code = f"""
import joblib, multiprocessing
def work(i):
    y = numpy.asarray(m.simulate(1, seed=i)["sim_1"])
    return round(m.refit(y).loglik, 6)
found = beside(lambda: {pools[workers]})
assert found == [work(i) for i in range(4)], found
print("same")
"""
    assert run(code) == "same"
