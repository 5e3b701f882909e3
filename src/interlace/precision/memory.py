"""What a method of degrees of freedom found for a model, kept so that it is computed once."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import Any

from interlace.estimation.fit import Fit
from interlace.options import MODEL
from interlace.precision.df import Ddf, DdfLike, DdfMethod, Satterthwaite, VcovLike, ddf_method
from interlace.precision.robust import with_cluster
from interlace.precision.satterthwaite import SatterthwaiteDdf
from interlace.precision.unidentified import PartlyKnown
from interlace.precision.varpar import VarianceParameters

MOST = 8  # bound methods that are kept; the one not used for longest leaves


class Memory:
    """The bound methods of one fit, by method and options.

    Methods are told apart by value: only those that compare and hash by value are kept, so that one whose
    options can change (a robust covariance with an array of clusters) is bound anew each time. Threads that
    ask at once wait for the first. A pickle or a copy starts empty.
    """

    def __init__(self, fit: Fit) -> None:
        self._fit = fit
        self._lock, self._process = threading.RLock(), os.getpid()
        self._bound: OrderedDict[DdfMethod, Ddf] = OrderedDict()

    def ddf(self, ddf: DdfLike, vcov: VcovLike = MODEL, cluster: Any = None) -> Ddf:
        """The answers of the method that is meant by `ddf`, `vcov` and `cluster`."""
        return self.bind(ddf_method(ddf, with_cluster(vcov, cluster)))

    def bind(self, method: DdfMethod) -> Ddf:
        """What is kept, or the method's answers, which are then kept."""
        if not _by_value(method):
            return method.bind(self._fit)
        with self._free_lock():
            if method not in self._bound:
                self._bound[method] = method.bind(self._fit)
                while len(self._bound) > MOST:
                    self._bound.popitem(last=False)
            self._bound.move_to_end(method)
            return self._bound[method]

    def variance_parameters(self) -> VarianceParameters:
        """Those that Satterthwaite's method rests on."""
        bound = self.bind(Satterthwaite())
        if isinstance(bound, PartlyKnown):
            bound = bound.bound
        assert isinstance(bound, SatterthwaiteDdf)
        return bound.parameters

    def _free_lock(self) -> Any:
        """A forked process gets a new one: the thread that held it may not be in this process."""
        if self._process != os.getpid():
            self._lock, self._process = threading.RLock(), os.getpid()
        return self._lock

    def __reduce__(self) -> tuple[Any, ...]:
        return Memory, (self._fit,)


def _by_value(method: DdfMethod) -> bool:
    if type(method).__eq__ is object.__eq__:
        return False
    try:
        hash(method)
    except (TypeError, ValueError):  # of an array, of a view of memory that may change
        return False
    return True
