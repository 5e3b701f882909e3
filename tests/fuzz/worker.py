"""Cases run in a process of their own, which may hang, crash or run out of memory without harm."""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
import traceback
from multiprocessing.connection import Connection

from fuzz.case import Case, make
from fuzz.run import Finding, run

GIB = 2**30


class Worker:
    """One process, started anew when it dies or does not answer.

    Parameters
    ----------
    seconds : float
        Longest time of the processor for a case: another load on the machine does not count.
    memory : float
        GiB of address space.
    """

    def __init__(self, seconds: float, memory: float) -> None:
        self.seconds, self.memory = seconds, memory
        self._start()

    def run(self, case: Case) -> list[Finding]:
        """The findings of the case; a hang and a crash are findings."""
        self.pipe.send(case)
        began, used = time.monotonic(), self._processor()
        try:
            while self._processor() - used < self.seconds and time.monotonic() - began < 10 * self.seconds:
                if self.pipe.poll(0.5):
                    return self.pipe.recv()
            what = f"no answer in {self.seconds:g} s"
        except (EOFError, ConnectionResetError):
            self.process.join(5)
            what = f"the process died with exit code {self.process.exitcode}"
        self.stop()
        self._start()
        return [Finding(case, "interlace.lmer(...) and after", what, f"{what}: {case.formula[:40]}")]

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_answer, args=(int(self.memory * GIB), theirs), daemon=True)
        self.process.start()
        theirs.close()
        if not self.pipe.poll(300) or self.pipe.recv() != "ready":
            raise RuntimeError("the process that runs the cases does not start")

    def _processor(self) -> float:
        """Seconds of the processor that the process has used; of the clock where the system does not say."""
        try:
            with open(f"/proc/{self.process.pid}/stat") as stat:
                user, system = stat.read().rpartition(")")[2].split()[11:13]
        except OSError:
            return time.monotonic()
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _answer(memory: int, pipe: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    run(make(0, 0))  # imports
    pipe.send("ready")
    while True:
        case = pipe.recv()
        try:
            found = run(case)
        except BaseException as error:  # out of memory, or an error of the fuzzer itself
            trace = traceback.format_exc(limit=-3)
            what = f"{type(error).__name__}: {error}"
            found = [
                Finding(case, "the run of the case", f"{what}\n{trace}", f"{type(error).__name__} outside")
            ]
        pipe.send(found)
