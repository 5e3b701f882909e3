"""How far long work has come, shown only where a person watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Event, Thread, current_thread, main_thread
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 2.0  # seconds of work before anything is shown that nobody asked for
EVERY = 0.5  # seconds between two looks at the clock


def somebody_watches() -> bool:
    """Is standard error a terminal?"""
    return sys.stderr is not None and sys.stderr.isatty()


def watched(results: Iterable[T], n: int, progress: bool | None, label: str) -> Iterable[T]:
    """The results, with a bar that counts them; unless asked, only where somebody watches."""
    if not (somebody_watches() if progress is None else progress):
        return results
    return _counted(((1, result) for result in results), n, label, delay=0.0, leave=True)


def pieces(results: Iterable[tuple[int, T]], n: int, label: str) -> Iterable[T]:
    """Results that come with the number of things each stands for, n in all; a bar after some seconds."""
    if not somebody_watches():
        return (result for _, result in results)
    return _counted(results, n, label, delay=PATIENCE, leave=False)


def _counted(
    results: Iterable[tuple[int, T]], n: int, label: str, *, delay: float, leave: bool
) -> Iterator[T]:
    from tqdm import tqdm

    with _bars, tqdm(total=n, desc=label, delay=delay, leave=leave) as bar:
        for count, result in results:
            bar.update(count)
            yield result


class _Several:
    """How many of a kind there are at this moment; one more inside."""

    def __init__(self) -> None:
        self.now = 0

    def __enter__(self) -> None:
        self.now += 1

    def __exit__(self, *error: object) -> None:
        self.now -= 1


_bars, _calls = _Several(), _Several()


def working(label: str) -> AbstractContextManager[None]:
    """Inside, where somebody watches, a line counts the seconds after the first few; the calls of a call and
    other threads say nothing of their own, and bars stand in place of the line."""
    quiet = _calls.now or not somebody_watches() or current_thread() is not main_thread()
    return _QUIETLY if quiet else _shown(label)


_QUIETLY = nullcontext()


@contextmanager
def _shown(label: str) -> Iterator[None]:
    ended = Event()
    line = Thread(target=_count_seconds, args=(label, ended), daemon=True)
    with _calls:
        line.start()
        try:
            yield
        finally:
            ended.set()
            line.join()


def _count_seconds(label: str, ended: Event) -> None:
    """Write the line again and again, until the call ends; a bar is written over it."""
    begun, written = time.monotonic(), 0
    patience = PATIENCE
    while not ended.wait(patience):
        minutes, seconds = divmod(int(time.monotonic() - begun), 60)
        text = "" if _bars.now else f"{label}: {minutes}:{seconds:02}"
        _write("\r" + text if text else "")
        written, patience = len(text), EVERY
    if written and not _bars.now:
        _write("\r" + " " * written + "\r")


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
