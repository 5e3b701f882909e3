"""The one door to the compiled core.

Arrays in, arrays out: nothing passed in is written to, the GIL is released while numbers are crunched, and
Ctrl-C is noticed within a fraction of a second. Grouping factors come in the order in which they are
eliminated, most random effects first.

The core's objects:

`CrossProducts`
    Blocks of ``[Z X y]'W[Z X y]`` about an origin. `accumulate` makes one from rows, `combine` adds or
    subtracts two, `with_response` swaps y, `select_fixed` takes some columns of X. Immutable; pickles.
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

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController

from interlace._core import (
    Cholesky,
    CrossProducts,
    NotPositiveDefiniteError,
    ProfiledDeviance,
    Symbolic,
    accumulate,
    analyze,
    combine,
    minimise,
    select_fixed,
    with_response,
)

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
    "minimise",
    "select_fixed",
    "with_response",
]

# Below the first no call of BLAS is long enough to be shared between threads; between the two, threads wait
# for each other longer than they work.
_TINY, _WORTH_SHARING = 1e5, 3e8


class _SingleThread:
    """One thread for BLAS while anybody is inside: the setting is the process's, not the caller's."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._limit: Any = None

    def enter(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._limit = _blas().limit(limits=1)
            self._inside += 1

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limit.restore_original_limits()


_single = _SingleThread()


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def blas_threads(flops: float) -> Iterator[None]:
    """Inside, BLAS uses one thread unless a factorisation of this many flops is worth sharing.

    Never more threads than the process was given (OMP_NUM_THREADS, OPENBLAS_NUM_THREADS, threadpoolctl).
    """
    if not _TINY < flops < _WORTH_SHARING:
        yield
        return
    _single.enter()
    try:
        yield
    finally:
        _single.leave()
