"""The one door to the compiled core.

Arrays in, arrays out: nothing passed in is written to, the GIL is released while numbers are crunched, and
Ctrl-C is noticed within a fraction of a second. Grouping factors come in the order in which they are
eliminated, most random effects first.

The core's objects:

`CrossProducts`
    Blocks of ``[Z X y]'W[Z X y]`` about an origin. `accumulate` makes one from rows, `combine` adds or
    subtracts two, `with_response` swaps y, `select_fixed` takes some columns of X, `explained` is what X
    alone explains of y'y. Immutable; pickles.
`Symbolic`
    What `analyze` finds out about the factor before a number is computed: its pattern, its size, its cost.
`Cholesky`
    The numeric factor of ``Lambda'Z'Z Lambda + I`` and of the fixed part at one set of relative covariance
    factors.
`ProfiledDeviance`
    The criterion as a function of parameters, with gradient, Hessian and a trust-region `minimise`.
`minimise`
    The same minimiser for a criterion written in Python.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from numbers import Integral
from threading import Lock

from threadpoolctl import LibController, ThreadpoolController

from interlace._core import (
    Cholesky,
    CrossProducts,
    NotPositiveDefiniteError,
    ProfiledDeviance,
    Symbolic,
    accumulate,
    analyze,
    combine,
    explained,
    minimise,
    select_fixed,
    with_response,
)
from interlace.errors import DataError

__all__ = [
    "Cholesky",
    "CrossProducts",
    "NotPositiveDefiniteError",
    "ProfiledDeviance",
    "Symbolic",
    "accumulate",
    "analyze",
    "blas_threads",
    "combine",
    "explained",
    "minimise",
    "select_fixed",
    "thread_count",
    "with_response",
]

# Below the first no call of BLAS is long enough to be shared between threads; between the two, threads wait
# for each other longer than they work.
_TINY, _WORTH_SHARING = 1e5, 3e8


class _ThreadLimit:
    """The fewest BLAS threads that anybody inside asks for: their number is the process's."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._asked: list[int] = []
        self._before: list[tuple[LibController, int]] = []

    def enter(self, threads: int) -> None:
        with self._lock:
            if not self._asked:
                self._before = [(lib, lib.num_threads) for lib in _blas().lib_controllers]
            self._asked.append(threads)
            self._apply()

    def leave(self, threads: int) -> None:
        with self._lock:
            self._asked.remove(threads)
            self._apply()

    def _apply(self) -> None:
        for lib, threads in self._before:
            lib.set_num_threads(min([threads, *self._asked]))


_limit = _ThreadLimit()


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


def thread_count(n_jobs: int | None) -> int | None:
    """The number of threads that `n_jobs` asks for: -1 is one per processor, None no limit of our own.

    Raises
    ------
    DataError
        If it is neither None, -1, nor a positive whole number.
    """
    if n_jobs is None:
        return None
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, Integral) or not (n_jobs == -1 or n_jobs > 0):
        raise DataError(f"n_jobs must be a positive number of threads or -1 (all processors), not {n_jobs!r}")
    return os.cpu_count() or 1 if n_jobs == -1 else int(n_jobs)


def blas_threads(flops: float, at_most: int | None = None) -> AbstractContextManager[None]:
    """Inside, BLAS uses one thread unless a factorisation of this many flops is worth sharing.

    Never more threads than `at_most`, nor than the process was given (OMP_NUM_THREADS, OPENBLAS_NUM_THREADS,
    threadpoolctl).
    """
    if flops <= _TINY or (flops >= _WORTH_SHARING and at_most is None):
        return _AS_IT_IS
    return _limited(1 if flops < _WORTH_SHARING or at_most is None else at_most)


_AS_IT_IS = nullcontext()


@contextmanager
def _limited(threads: int) -> Iterator[None]:
    _limit.enter(threads)
    try:
        yield
    finally:
        _limit.leave(threads)
