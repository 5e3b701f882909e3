"""Many refits at once, with random numbers that do not depend on the number of workers."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import count as numbers
from math import inf
from threading import Condition
from typing import Any, TypeVar

import numpy as np

from interlace.design.chunked import ROWS
from interlace.design.rows import FrameRows, Rows
from interlace.errors import FunctionError, InterlaceWarning
from interlace.estimation.capacity import available_bytes
from interlace.estimation.fit import Fit
from interlace.kernel import Stop, StoppedError, blas_threads, thread_count
from interlace.log import info
from interlace.options import count, generator, switch
from interlace.progress import watched

S = TypeVar("S")
T = TypeVar("T")
Generators = Sequence[np.random.Generator]
RESULT_BYTES = 100  # of one replicate: a small tuple of Python's numbers
# Replicates that a worker takes at once, and numbers that their responses may be together.
BLOCK, BLOCK_NUMBERS = 50, 2_000_000
# Seconds in which workers that were told to stop do so: the core looks twenty times a second.
PATIENCE = 0.8


class _Crew:
    """The threads that work on the tasks of one call: Ctrl-C reaches the first thread of Python alone.

    Workers in other processes have crews of their own, which nobody tells to stop: the process does.
    """

    def __init__(self) -> None:
        self.stop = Stop()
        self.working, self.left = 0, Condition()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Inside, the word that ends work is heeded."""
        with self.left:
            if self.stop.said:
                raise StoppedError("the work was stopped by another thread")
            self.working += 1
        self.stop.heed()
        try:
            yield
        finally:
            self.stop.ignore()
            with self.left:
                self.working -= 1
                self.left.notify_all()

    def dismiss(self) -> None:
        """No task begins, and those that have begun end."""
        self.stop.say()
        with self.left:
            self.left.wait_for(lambda: self.working == 0, PATIENCE)


# Those at work, by process and number: what goes to another process names its crew so.
_crews: dict[tuple[int, int], _Crew] = {}
_number = numbers()


def _at_work(key: tuple[int, int], work: Callable[..., T], *given: Any) -> T:
    """Work of one thread, also where it is in another process than its call."""
    with _crews.get(key, _Crew()).at_work():
        return work(*given)


def _all(
    work: Callable[..., T], tasks: Iterable[tuple[Any, ...]], jobs: int | None
) -> Generator[T, None, None]:
    """`work` of each of the tasks, in their order; whatever ends this ends the workers as well."""
    from joblib import Parallel, delayed  # a tenth of a second that `import interlace` need not spend

    key, crew = (os.getpid(), next(_number)), _Crew()
    _crews[key] = crew
    try:
        given = (delayed(_at_work)(key, work, *task) for task in tasks)
        yield from Parallel(n_jobs=jobs, prefer="threads", return_as="generator")(given)
    except FunctionError as error:  # joblib put a text in place of its cause
        raise error.at(error.where) from error.original or error.__cause__
    finally:
        del _crews[key]
        crew.dismiss()


def in_blocks(
    work: Callable[[Generators], list[T]],
    first: int,
    last: int,
    *,
    root: int,
    n_jobs: int | None,
    progress: bool | None,
    label: str,
    size: int = 1,
) -> list[T]:
    """Replicates `first` to `last`, a few at a time: in threads, or by the back end of joblib that is set.

    When somebody stops it (Ctrl-C), those that are done come back, if there are any.

    Parameters
    ----------
    work : callable
        Gets the generators of some replicates, and gives a result for each. It pickles where workers are
        processes.
    root : int
        Seed of all generators.
    n_jobs : int, optional
        Number of workers; -1 for one per processor, None for what joblib's `parallel_config` says.
    progress : bool, optional
        Show a bar; by default only where a person watches (standard error is a terminal).
    label : str
        Words before the bar.
    size : int
        Numbers that a replicate holds.
    """
    shown = None if progress is None else switch("progress", progress)
    jobs = None if n_jobs is None else thread_count(n_jobs)
    block = max(1, min(BLOCK, BLOCK_NUMBERS // max(size, 1)))
    starts = range(first - first % block, last, block)
    spans = [range(max(first, start), min(last, start + block)) for start in starts]
    tasks = ((work, root, span, os.getpid()) for span in spans)
    found: list[T] = []
    with blas_threads(inf, 1), warnings.catch_warnings():  # the workers are the threads
        warnings.simplefilter("ignore", InterlaceWarning)  # each replicate says what became of it
        try:
            with closing(_all(_elsewhere, tasks, jobs)) as results:
                each = (one for several in results for one in several)
                found.extend(watched(each, last - first, shown, label))
        except KeyboardInterrupt:
            if not found:
                raise
    info("%s: %d of %d done", label, len(found), last - first)
    return found


def _elsewhere(work: Callable[[Generators], list[T]], root: int, span: range, home: int) -> list[T]:
    """Work of one thread, also where a worker is in another process than `home`, with filters and libraries
    of its own: whichever thread of that process it is."""
    generators = [generator_of(root, i) for i in span]
    try:
        if os.getpid() == home:
            return work(generators)
        with blas_threads(inf, 1), warnings.catch_warnings():
            warnings.simplefilter("ignore", InterlaceWarning)
            return work(generators)
    except FunctionError as error:
        where = f" in replicate {span[error.place]} (counted from 0) of seed={root}"
        raise error.at(where) from error.original


def each(of: Callable[[S], T], several: Iterable[S]) -> list[T]:
    """`of` each of several; the error of a function of the caller's knows at which it was."""
    found: list[T] = []
    for one in several:
        try:
            found.append(of(one))
        except FunctionError as error:
            error.place = len(found)
            raise
    return found


def stopped(done: int, asked: int, what: str = "samples") -> str:
    """What is to be said where somebody stopped work before its end; else ""."""
    return f"stopped after {done} of {asked} {what}" if done < asked else ""


def generator_of(root: int, i: int) -> np.random.Generator:
    """The generator of replicate i: that of the i-th child of the seed."""
    return np.random.default_rng(np.random.SeedSequence(root, spawn_key=(i,)))


def root_of(seed: object) -> int:
    """A seed as a number: itself, one drawn from a Generator, or another each time.

    Raises
    ------
    DataError
        It is no seed.
    """
    if isinstance(seed, int | np.integer) and not isinstance(seed, bool) and seed >= 0:
        return int(seed)
    return int(generator(seed).integers(2**63))


def in_threads(
    work: Callable[[S], T],
    items: Iterable[S],
    n: int,
    *,
    n_jobs: int | None = 1,
    shown: bool | None = None,
    label: str = "",
) -> list[T]:
    """`work(item)` of each of n items in threads, in their order; `shown` as `progress` of `in_blocks`."""
    with blas_threads(inf, 1):  # the workers are the threads
        jobs = None if n_jobs is None else thread_count(n_jobs)
        with closing(_all(work, ((item,) for item in items), jobs)) as results:
            return list(watched(results, n, shown, label))


def one_job(n_jobs: int | None) -> int:
    """One worker, where several would wait for each other; what is no number of workers is refused."""
    if n_jobs is not None:
        thread_count(n_jobs)
    return 1


def jobs_of(rows: Rows, n_jobs: int | None) -> int | None:
    """As many workers as are asked for; one where rows are read, which several cannot do at once."""
    return n_jobs if isinstance(rows, FrameRows) else one_job(n_jobs)


def size_of(fit: Fit) -> int:
    """Numbers that a response of a fit takes: a row each, or a part of a chunk and the products of each
    effect."""
    if isinstance(fit.rows, FrameRows):
        return fit.rows.n
    effects = sum(b.size for b in fit.solution.b)
    return max(effects, min(fit.rows.n, ROWS)) // 8


def check_draws(n: object) -> int:
    """A number of replicates whose results have room in memory."""
    return count("n", n, at_most=available_bytes() / RESULT_BYTES)
