"""Many refits at once, with random numbers that do not depend on the number of workers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from math import inf
from typing import TypeVar

import numpy as np

from interlace.errors import DataError
from interlace.kernel import blas_threads, thread_count

T = TypeVar("T")


def replicate(
    work: Callable[[np.random.Generator], T],
    n: int,
    *,
    seed: int | None,
    n_jobs: int = 1,
    progress: bool | None = None,
    label: str = "",
) -> list[T]:
    """`work(generator)` n times in threads; replicate i has a generator of its own, whatever `n_jobs`.

    Parameters
    ----------
    work : callable
        Gets a fresh Generator; it should spend its time outside the interpreter lock.
    seed : int, optional
        Root of all generators; without it, another each time.
    n_jobs : int
        Number of threads; -1 for one per processor.
    progress : bool, optional
        Show a bar; by default only where a person watches (standard error is a terminal).
    label : str
        Words before the bar.
    """
    from joblib import Parallel, delayed  # a tenth of a second that `import interlace` need not spend

    check_count("n", n)
    seeds = np.random.SeedSequence(seed).spawn(n)
    tasks = (delayed(_run)(work, s) for s in seeds)
    with blas_threads(inf, 1):  # the workers are the threads
        results = Parallel(n_jobs=thread_count(n_jobs), prefer="threads", return_as="generator")(tasks)
        return list(_watched(results, n, progress, label))


def check_count(name: str, n: object) -> None:
    """A positive whole number."""
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise DataError(f"{name} must be a positive whole number, not {n!r}")


def _run(work: Callable[[np.random.Generator], T], seed: np.random.SeedSequence) -> T:
    return work(np.random.default_rng(seed))


def _watched(results: Iterable[T], n: int, progress: bool | None, label: str) -> Iterable[T]:
    from tqdm import tqdm

    shown = sys.stderr.isatty() if progress is None else progress
    return tqdm(results, total=n, desc=label, disable=not shown)
