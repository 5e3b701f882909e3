"""The one door to the compiled core.

Arrays in, arrays out: nothing passed in is written to, the GIL is released while numbers are crunched, and
Ctrl-C is noticed within a fraction of a second. Grouping factors come in the order in which they are
eliminated, most random effects first.

The core's objects:

`Pattern`
    The structure of a design: levels and columns of its grouping factors, and which levels meet. Shared by
    all that is computed from the design; immutable.
`CrossProducts`
    Blocks of ``[Z X y]'W[Z X y]`` about an origin: numbers on a pattern. `accumulate` makes one from rows,
    `Accumulation` from chunks of rows, `accumulate_on` on a pattern that is there already, `combine` takes
    linear combinations, `with_response` swaps y (`ResponseSums` for many, chunk by chunk; `answered` for one
    of which the products are known), `select_fixed` takes some columns of X, `select_random` some of Z,
    `select_levels` some levels, `with_fixed` combinations of the columns of X, `with_random` of those of Z,
    `fold` makes columns of X of grouping factors, `explained` is what X alone explains of y'y. Immutable;
    pickles.
`Prior`, `Precision`
    What stands in place of I in ``Lambda'Z'Z Lambda + I`` for a grouping factor: the identity, nothing, or
    the sparse inverse Q of a known covariance K of its levels (`precision`), which knows its factor.
`all_occur`, `counted`, `first_met`, `looked_up`
    Which codes occur; integers that lie densely as codes; integers that a table has not met yet; codes of
    integers from a table.
`scan`
    The sum of a column as NumPy adds it, the sum of its squares, its least and its largest number.
`block_facts`, `together`, `full_levels`, `independent`, `farthest`
    What cross-products say of the columns of Z and X before anything is searched.
`Symbolic`
    What `analyze` finds out about the factor of a pattern and its priors before a number is computed: its
    structure, its size, its cost.
`Cholesky`
    The numeric factor of ``Lambda'Z'Z Lambda + I`` and of the fixed part at one set of relative covariance
    factors. It takes no products of another pattern than its analysis.
`JointInverse`
    The inverse of the joint system of random and fixed effects on the pattern of the data.
`Clusters`
    A partition of the rows, and sums over each cluster of what sandwich covariances are made of.
`AbsorbedSystem`
    Factors whose levels are fixed effects of their own (`absorbed` makes one): residuals of columns, effects
    of the levels, rank, connected components.
`ProfiledDeviance`
    The criterion as a function of parameters, with gradient, Hessian and a trust-region `minimise`.
`Iterative`, `EstimatedDeviance`
    The penalized least-squares problem without a factor, by conjugate gradients, and the criterion by it: log
    determinants and traces are estimates from probes.
`without_folds`
    The criterion without some rows, searched from the parameters of the whole, and what the model says of
    them, for many sets of rows.
`lower_factor`, `as_they_are`, `about_origin`, `pivoted`
    A lower triangular factor of the covariance of a few random effects; that of the effects of columns as
    they are from that of columns about their origin, and the other way; and the basis that suits it.
`Limits`
    What a search goes by.
`search_many`
    The search for many responses of the same rows, which says which of them it was enough for.
`values_at`, `lower_elsewhere`
    The criterion of many responses at points of each, and whether searches from these find a lower minimum.
`minimise`
    The same minimiser for a criterion written in Python.
`Stop`
    A word from one thread that ends the work of others with `StoppedError`: signals reach the first alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from numbers import Integral
from threading import Lock, get_ident
from typing import Any

import numpy as np
from threadpoolctl import LibController, ThreadpoolController

from interlace._core import (
    AbsorbedSystem,
    Accumulation,
    Cholesky,
    Clusters,
    CrossProducts,
    EstimatedDeviance,
    Iterative,
    JointInverse,
    Limits,
    NotFiniteError,
    NotPositiveDefiniteError,
    NotSettledError,
    Pattern,
    Precision,
    Prior,
    ProfiledDeviance,
    ResponseSums,
    Stop,
    StoppedError,
    Symbolic,
    about_origin,
    absorbed,
    accumulate,
    accumulate_on,
    all_occur,
    analyze,
    answered,
    as_they_are,
    block_facts,
    cells,
    combine,
    counted,
    explained,
    farthest,
    first_met,
    fold,
    full_levels,
    independent,
    load_blas,
    looked_up,
    lower_elsewhere,
    lower_factor,
    minimise,
    pivoted,
    precision,
    scan,
    search_many,
    select_fixed,
    select_levels,
    select_random,
    set_threads,
    together,
    values_at,
    white_zx,
    with_fixed,
    with_random,
    with_response,
    without_folds,
)
from interlace.errors import DataError, shown

__all__ = [
    "AbsorbedSystem",
    "Accumulation",
    "Cholesky",
    "Clusters",
    "CrossProducts",
    "EstimatedDeviance",
    "Iterative",
    "JointInverse",
    "Limits",
    "NotFiniteError",
    "NotPositiveDefiniteError",
    "NotSettledError",
    "Pattern",
    "Precision",
    "Prior",
    "ProfiledDeviance",
    "ResponseSums",
    "Stop",
    "StoppedError",
    "Symbolic",
    "about_origin",
    "absorbed",
    "accumulate",
    "accumulate_on",
    "all_occur",
    "analyze",
    "answered",
    "as_they_are",
    "blas_threads",
    "block_facts",
    "cells",
    "combine",
    "core_threads",
    "counted",
    "explained",
    "farthest",
    "first_met",
    "fold",
    "full_levels",
    "independent",
    "looked_up",
    "lower_elsewhere",
    "lower_factor",
    "minimise",
    "one_thread",
    "pivoted",
    "precision",
    "scan",
    "search_many",
    "select_fixed",
    "select_levels",
    "select_random",
    "thread_count",
    "together",
    "values_at",
    "white_zx",
    "with_fixed",
    "with_random",
    "with_response",
    "without_folds",
]


def _c_functions(name: str) -> dict[str, Any]:
    """The C functions of a module of `scipy.linalg`, without the package around it: that takes longer to
    import than most models take to be fitted."""
    package = None if "scipy.linalg" in sys.modules else find_spec("scipy.linalg")
    spec = package and PathFinder.find_spec(name, package.submodule_search_locations)
    if spec is None or spec.loader is None:
        return dict(import_module(name).__pyx_capi__)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules.pop(name, None)  # so that a later import binds it to its package
    return dict(module.__pyx_capi__)


load_blas(_c_functions("scipy.linalg.cython_blas"), _c_functions("scipy.linalg.cython_lapack"))

MOST_THREADS = 1024  # more than that nobody means

# Below the first no call of BLAS is long enough to be shared between threads; between the two, threads wait
# for each other longer than they work.
_TINY, _WORTH_SHARING = 1e5, 3e8


class _ThreadLimit:
    """The fewest threads that anybody inside asks for: their number is the process's.

    BLAS has threads, and so has the core, which calls BLAS with one thread in each of its own. A process that
    is forked has one thread, whatever its parent had: what the others asked for does not hold in it, and no
    fork happens while one of them is changing the limit.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._asked: list[tuple[int, int, int]] = []  # thread that asks, how many for BLAS and for the core
        self._before: list[tuple[LibController, int]] = []

    def enter(self, blas: int, core: int) -> None:
        with self._lock:
            if not self._asked:
                self._before = [(lib, lib.num_threads) for lib in _blas().lib_controllers]
            self._asked.append((get_ident(), blas, core))
            self._apply()

    def leave(self, blas: int, core: int) -> None:
        with self._lock:
            self._asked.remove((get_ident(), blas, core))
            self._apply()

    def before_fork(self) -> None:
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Only what the thread that forked has asked for is left."""
        mine = [asked for asked in self._asked if asked[0] == get_ident()]
        if len(mine) < len(self._asked):
            self._asked = mine
            self._apply()
        self._lock.release()

    def _apply(self) -> None:
        given = [threads for _, threads in self._before] or [MOST_THREADS]
        set_threads(min(*given, *(core for _, _, core in self._asked)) if self._asked else 1)
        for lib, threads in self._before:
            _set_threads(lib, min([threads, *(blas for _, blas, _ in self._asked)]))


def _set_threads(lib: LibController, threads: int) -> None:
    """From whatever thread: threadpoolctl 3.8 and later listens to one thread only, until it is released."""
    release = getattr(lib, "clear_controlling_thread", lambda force: None)
    release(force=True)
    lib.set_num_threads(threads)
    release(force=True)


_limit = _ThreadLimit()
if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(
        before=_limit.before_fork,
        after_in_parent=_limit.after_fork_in_parent,
        after_in_child=_limit.after_fork_in_child,
    )


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
        raise DataError(
            f"n_jobs must be a positive number of threads or -1 (all processors), not {shown(n_jobs)}"
        )
    return os.cpu_count() or 1 if n_jobs == -1 else min(int(n_jobs), MOST_THREADS)


def blas_threads(flops: float, at_most: int | None = None) -> AbstractContextManager[None]:
    """Inside, BLAS uses one thread unless work of this many flops is worth sharing.

    Never more threads than `at_most`, nor than the process was given (OMP_NUM_THREADS, OPENBLAS_NUM_THREADS,
    threadpoolctl); the core has no more either.
    """
    if flops <= _TINY or (flops >= _WORTH_SHARING and at_most is None):
        return _AS_IT_IS
    threads = 1 if flops < _WORTH_SHARING or at_most is None else at_most
    return _limited(threads, threads)


def core_threads(flops: float, at_most: int | None = None) -> AbstractContextManager[None]:
    """Inside, the core has threads of its own for factorisations of this many flops, and BLAS one in each.

    They are as many as BLAS was given (OMP_NUM_THREADS, OPENBLAS_NUM_THREADS, threadpoolctl), but never more
    than `at_most`. They sleep while they wait, so that other processes on the same cores do no harm. The core
    uses them for large dense blocks only.
    """
    return _AS_IT_IS if flops <= _TINY else _limited(1, MOST_THREADS if at_most is None else at_most)


def one_thread() -> AbstractContextManager[None]:
    """Inside, BLAS uses one thread: for many small products."""
    return _limited(1, 1)


_AS_IT_IS = nullcontext()


@contextmanager
def _limited(blas: int, core: int) -> Iterator[None]:
    _limit.enter(blas, core)
    try:
        yield
    finally:
        _limit.leave(blas, core)


def products_of_state(state: Any) -> CrossProducts:
    """Cross-products from what `__getstate__` gave; sizes are looked at before the core sees them.

    Raises
    ------
    ValueError
        They do not fit each other.
    """
    _, _, levels, k, diag, pairs, xx, zx, xy, zy, _ = state
    p, size = len(xy), [n * width for n, width in zip(levels, k, strict=True)]
    fits = len(xx) == p * p and min([*levels, *k], default=1) > 0
    for f, n in enumerate(size):
        fits &= len(diag[f]) == n * k[f] and len(zx[f]) == n * p and len(zy[f]) == n
    for i, j, ptr, col, values in pairs:
        inside = 0 <= i < len(size) and 0 <= j < len(size) and len(ptr) == levels[i] + 1
        fits &= bool(inside) and ptr[0] == 0 and ptr[-1] == len(col) and bool((np.diff(ptr) >= 0).all())
        fits = fits and (not len(col) or (col.min() >= 0 and col.max() < levels[j]))
        fits = fits and len(values) == len(col) * k[i] * k[j]
    if not fits:
        raise ValueError("sizes of cross-products do not fit each other")
    made: CrossProducts = CrossProducts.__new__(CrossProducts)
    made.__setstate__(state)
    return made
