"""Ctrl-C ends whatever is long within a second, with KeyboardInterrupt, and leaves nothing half done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace import lmer
from interlace.kernel import Stop, StoppedError
from interlace.refitting import parallel

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")


def crossed(n: int, a: int, b: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    data: dict[str, Any] = {name: rng.normal(size=n) for name in ("y", "x", "z")}
    data |= {"f": rng.choice(list("abcd"), n), "a": rng.integers(0, a, n), "b": rng.integers(0, b, n)}
    data["y"] += rng.normal(size=a)[data["a"]] + rng.normal(size=b)[data["b"]]
    return pd.DataFrame(data)


SCRIPT = """
import os, signal, sys, threading, time, warnings
import pyarrow
import pyarrow.dataset
import interlace
from refitting.test_ctrl_c import crossed

data = crossed(20_000, 1500, 1200)
wide = crossed(1_500_000, 200_000, 150_000)
chunks = interlace.chunks(pyarrow.dataset.dataset(pyarrow.Table.from_pandas(wide)))
m = interlace.lmer("y ~ x + z + f + (1 | a) + (1 | b)", data)
warnings.simplefilter("ignore")
before, sent = m.fixef.to_numpy(), []


def interrupt():
    sent.append((time.process_time(), time.monotonic()))
    os.kill(os.getpid(), signal.SIGINT)


threading.Timer(float(sys.argv[1]), interrupt).start()
try:
    WORK
    print("finished")
except KeyboardInterrupt:
    print("interrupted", min(time.process_time() - sent[0][0], time.monotonic() - sent[0][1]))
worked = time.process_time()
time.sleep(0.2)
print("idle" if time.process_time() - worked < 0.1 else "at work")
again = interlace.lmer("y ~ x + z + f + (1 | a) + (1 | b)", data).fixef
refitted = m.refit(data["y"]).fixef  # the search of refits ends by another rule: the same to rounding
print("the same" if (again == before).all() and abs(refitted - before).max() < 1e-12 else "others")
"""
WORK = [
    ("interlace.lmer('y ~ x * z * f + (1 | a) + (1 | b)', crossed(40_000, 4000, 3500))", 1.0),
    ("interlace.lm('y ~ x + z | a + b', wide)", 0.4),
    ("interlace.lm('y ~ x * z * f', chunks)", 0.3),
    ("interlace.lmer('y ~ x * z * f + (1 | a)', chunks)", 0.3),
    ("interlace.step(m)", 1.5),
    ("m.check()", 0.1),
    ("m.report(os.devnull)", 0.5),
    ("interlace.modeltable([m] * 3, ddf='kenward-roger')", 0.5),
    ("m.cross_validate('a', k=30)", 1.0),
    ("m.cross_validate('a', k=30, n_jobs=2)", 1.0),
    ("m.influence('a')", 0.3),
    ("m.influence('a', method='refit', n_jobs=2)", 0.5),
    ("m.profile()", 1.0),
    ("m.profile(n_jobs=2)", 1.0),
    ("m.bootstrap(500, n_jobs=2)", 0.02),
    ("m.permutation_test('x', 2000)", 0.02),
    ("interlace.power(m, n=2000)", 0.05),
    ("m.anova(ddf='kenward-roger')", 0.2),
]


@pytest.mark.slow
@pytest.mark.parametrize(("work", "delay"), WORK, ids=[work for work, _ in WORK])
def test_ctrl_c_ends_work_within_a_second(work: str, delay: float) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parents[1])])}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT.replace("WORK", work), str(delay)],
        capture_output=True, text=True, env=environment, check=False, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0 and run.stderr == "", run.stderr
    first, idle, afterwards = run.stdout.splitlines()
    assert first.startswith("interrupted ") and float(first.split()[1]) < 1.0
    assert (idle, afterwards) == ("idle", "the same")


def test_ctrl_c_ends_the_work_of_threads() -> None:
    """Signals reach the first thread alone: the others would go on, and crash as the process ends."""
    m = lmer("y ~ x + (1 | a) + (1 | b)", crossed(12_000, 800, 700))

    def handler(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            m.cross_validate("a", k=400, n_jobs=2, transforms="data")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    worked = time.process_time()
    time.sleep(0.1)
    assert time.process_time() - worked < 0.05 and not parallel._crews


def test_a_task_that_fails_ends_the_others() -> None:
    begun = []

    def work(i: int) -> int:
        begun.append(i)
        if i == 3:
            raise ArithmeticError("three")
        time.sleep(0.01)
        return i

    with pytest.raises(ArithmeticError, match="three"):
        parallel.in_threads(work, range(1000), 1000, n_jobs=2, shown=False)
    assert len(begun) < 900 and not parallel._crews


def test_the_word_to_stop_ends_work_in_the_core() -> None:
    data = crossed(15_000, 1200, 1000)
    m = lmer("y ~ x + (1 | a) + (1 | b)", data)
    outer, inner = Stop(), Stop()
    outer.heed()
    inner.heed()
    inner.ignore()
    try:
        inner.say()
        m.refit(reml=False)
        outer.say()
        with pytest.raises(StoppedError, match="stopped by another thread"):
            m.refit(-data["y"])
    finally:
        outer.ignore()
    assert outer.said and m.refit(-data["y"]).sigma == pytest.approx(m.sigma)


def test_no_task_begins_after_the_word_to_stop() -> None:
    crew = parallel._Crew()
    crew.dismiss()
    with pytest.raises(StoppedError), crew.at_work():
        raise AssertionError("it has begun")
    assert crew.working == 0
