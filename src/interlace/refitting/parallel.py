"""Many refits at once, with random numbers that do not depend on the number of workers."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TypeVar

import numpy as np

from interlace.estimation.capacity import available_bytes
from interlace.kernel import blas_threads, thread_count
from interlace.options import count, generator, switch
from interlace.progress import watched

T = TypeVar("T")
RESULT_BYTES = 100  # of one replicate: a small tuple of Python's numbers


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

    root = generator(seed)
    shown = None if progress is None else switch("progress", progress)
    tasks = (delayed(work)(root.spawn(1)[0]) for _ in range(check_draws(n)))
    with blas_threads(inf, 1):  # the workers are the threads
        results = Parallel(n_jobs=thread_count(n_jobs), prefer="threads", return_as="generator")(tasks)
        return list(watched(results, n, shown, label))


def check_draws(n: object) -> int:
    """A number of replicates whose results have room in memory."""
    return count("n", n, at_most=available_bytes() / RESULT_BYTES)
