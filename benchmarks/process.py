"""Run a command in bounds of time and memory, and say how it ended."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

POLL = 0.05


def run(
    command: Sequence[str],
    log: Path,
    *,
    seconds: float,
    bound: Callable[[], None] | None = None,
    started: Callable[[], bool] | None = None,
    start_seconds: float = 0.0,
) -> bool:
    """Whether it ran to its end before its time was over; what it printed is in `log`.

    Parameters
    ----------
    seconds : float
        The time it has, from `started()` on if that is given; until then it has `start_seconds`.
    bound : callable, optional
        Called in the new process before the command, to set its limits.
    """
    with log.open("w") as printed:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            start_new_session=True,
            preexec_fn=bound,
        )
        try:
            if started is not None and not _wait(process, start_seconds, started):
                return process.poll() is not None
            return _wait(process, seconds, lambda: False)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait(process: subprocess.Popen[bytes], seconds: float, until: Callable[[], bool]) -> bool:
    """Whether the process ended, or `until()` came true, in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None or until():
            return True
        time.sleep(POLL)
    return False


def address_space(amount: int) -> Callable[[], None]:
    """A bound: so many bytes of address space."""
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (amount, resource.RLIM_INFINITY))


def most_of_the_machine() -> None:
    """A bound: nine tenths of the memory: then a command fails by itself, not by the system's choice."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    resource.setrlimit(resource.RLIMIT_DATA, (int(0.9 * total), resource.RLIM_INFINITY))


def failure(log: str) -> str:
    """The last words of a command that gave no answer."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    # R ends with words that say nothing.
    lines = [line for line in lines if line != "Execution halted" and not line.startswith("Calls: ")]
    return f"fails: {lines[-1][:120]}" if lines else "fails: process ended without a word"


def has_r_packages(*names: str) -> bool:
    """Is there an R with these packages?"""
    if shutil.which("Rscript") is None:
        return False
    wanted = ", ".join(f"'{name}'" for name in names)
    probe = f"if (!all(sapply(c({wanted}), requireNamespace, quietly = TRUE))) quit(status = 1)"
    return subprocess.run(["Rscript", "-e", probe], capture_output=True).returncode == 0
