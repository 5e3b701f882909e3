"""The profiled deviance (ML) and the REML criterion as functions of covariance parameters."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlace import kernel as core
from interlace.estimation.blocks import BlockFacts
from interlace.estimation.covariance import Covariance
from interlace.estimation.criterion import Compiled
from interlace.estimation.mapped import MappedDeviance
from interlace.estimation.parameters import Parameters, structures_of
from interlace.estimation.penalized import Solution, System
from interlace.estimation.valleys import Doubt, Term

Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class ProfiledDeviance:
    """``ldL2 + n (1 + log(2 pi pwrss / n))`` (ML) or, with ldRX2 added and n - p for n, the REML criterion.

    Prior weights w mean Var = sigma^2 / w, and -sum log w enters. Values equal lme4's ``deviance`` and
    ``REMLcrit``.

    Attributes
    ----------
    system : System
    reml : bool
    parameters : Parameters
        Which there are, and what they mean: they are not theta.
    doubt : Doubt
        Whether the design allows of a second minimum, and where to look for it.
    """

    system: System
    reml: bool
    parameters: Parameters = field(repr=False)
    doubt: Doubt = field(repr=False)

    @classmethod
    def of(cls, system: System, *, reml: bool) -> ProfiledDeviance:
        """The criterion of a model.

        Raises
        ------
        ModelError
            The columns of a random term depend on each other.
        """
        A = system.A
        facts = [
            BlockFacts.of(A, place, system.scale(place.group), linked=system.linked(place.group))
            for place in A.layout.places
        ]
        parameters = Parameters.of(system.encoding, A, facts)
        terms = [Term(found.mean, found.spread, found.levels) for found in facts]
        effects = sum(term.levels * s.k for term, s in zip(terms, parameters.structures, strict=True))
        left = A.n - A.products.p - effects
        return cls(system, reml, parameters, Doubt.of(parameters, terms, left))

    def without(self, lost: tuple[Array, ...]) -> ProfiledDeviance:
        """The criterion where some combinations of the effects of each block, (k, c), are zero."""
        if not any(U.size for U in lost):
            return self
        parameters = self.parameters.without(lost)
        doubt = Doubt.of(parameters, self.doubt.terms, self.doubt.left)
        return replace(self, parameters=parameters, doubt=doubt)

    def separated(self) -> ProfiledDeviance:
        """The criterion without covariances that no level can tell, whose minimum is the same."""
        parameters = self.parameters.separated(self.system.A)
        if parameters.structures is self.parameters.structures:
            return self.with_parameters(parameters)
        doubt = Doubt.of(parameters, self.doubt.terms, self.doubt.left)
        return replace(self, parameters=parameters, doubt=doubt)

    def without_doubt(self) -> ProfiledDeviance:
        """The criterion that is searched once."""
        return replace(self, doubt=Doubt.none(self.parameters))

    @property
    def n_par(self) -> int:
        """Number of parameters."""
        return self.parameters.n_par

    @property
    def df(self) -> int:
        """What pwrss is divided by: n, or n - p by REML."""
        A = self.system.A
        return A.n - A.products.p if self.reml else A.n

    @property
    def start(self) -> Array:
        """See `Parameters.start`."""
        return self.parameters.start

    @property
    def structures(self) -> tuple[Covariance, ...]:
        """Those that the formula asks for, whatever the data tell: what theta is made of."""
        return structures_of(self.system.encoding)

    def value(self, par: Array) -> float:
        """The criterion."""
        with self.system.threads():
            return self.kernel().value(np.asarray(par, dtype=np.float64))

    def gradient(self, par: Array) -> Array:
        """Its exact gradient, (n_par,)."""
        with self.system.threads():
            return self.kernel().gradient(np.asarray(par, dtype=np.float64))

    def hessian(self, par: Array) -> Array:
        """Its Hessian, (n_par, n_par), by central differences of the exact gradient."""
        with self.system.threads():
            return self.kernel().hessian(np.asarray(par, dtype=np.float64))

    def solution(self, par: Array) -> Solution:
        """beta, u and the rest at these parameters."""
        return Solution.at(self.system, self.parameters.factors(par))

    def zero_components(self, par: Array) -> tuple[str, ...]:
        """Names ``group.column`` of the diagonal entries of Lambda that are zero."""
        if par.all() or not np.any(par[self.parameters.even] == 0.0):
            return ()
        out = []
        for block, T in zip(self.system.encoding.random, self.parameters.factors(par), strict=True):
            out += [f"{block.group}.{block.columns[j]}" for j in np.flatnonzero(np.diagonal(T) == 0.0)]
        return tuple(out)

    def with_parameters(self, parameters: Parameters) -> ProfiledDeviance:
        """The same function of the same parameters in another basis."""
        return self if parameters is self.parameters else replace(self, parameters=parameters)

    def kernel(self) -> Compiled:
        """The compiled criterion with a workspace of its own: one for each thread."""
        return self._compiled(self.parameters.places) if self.parameters.plain else self.mapped()

    @property
    def is_simple(self) -> bool:
        """Whether one search in this basis is all there is to do: refits by the thousand need no more."""
        parameters = self.parameters
        return (
            parameters.plain
            and not parameters.scouted
            and not self.doubt.effects
            and parameters.separated(self.system.A).structures is parameters.structures
        )

    def without_folds(
        self,
        par: Array,
        ptr: NDArray[np.integer],
        places: NDArray[np.integer],
        units: NDArray[np.integer],
        rows: dict[str, Any],
    ) -> list[tuple[Any, ...] | None]:
        """What the model says of some rows when it is fitted without them, for many sets of rows.

        Parameters
        ----------
        par : ndarray
            Where the searches begin.
        ptr, places : ndarray of int
            Set i has the rows ``places[ptr[i]:ptr[i + 1]]``.
        units : ndarray of int
            Which of them belong together, numbered from 0 in each set.
        rows : dict
            All rows, as `CrossProducts.rows` has them.

        Returns
        -------
        list of tuple or None
            pwrss of the other rows; y - X beta - Z b of these; ``w_i x_i'J x_i``; and per unit of several
            rows half the difference of ``ldL2 + ldRX2 + pwrss / sigma^2`` without and with it. None where one
            search is not enough, or the digits are not.
        """
        with self.system.threads():
            parts = self._parts(self.parameters.places)
            return core.without_folds(*parts, par, ptr, places, units, **rows)

    def mapped(self) -> MappedDeviance:
        """The same by the derivatives of the factors, whatever their structures."""
        places = self.parameters.places
        diagonal = [
            at for at, mapped in zip(places, self._mapped(), strict=True) if not mapped or at[1] == at[2]
        ]
        return MappedDeviance(self._compiled(places), self._compiled(diagonal), self.parameters)

    def _mapped(self) -> list[bool]:
        """Per entry of the factors: is it a function of the parameters of its block?"""
        return [not s.plain for s in self.parameters.structures for _ in s.entries]

    def _compiled(self, places: list[tuple[int, int, int]]) -> core.ProfiledDeviance:
        return core.ProfiledDeviance(*self._parts(places))

    def _parts(self, places: list[tuple[int, int, int]]) -> tuple[Any, ...]:
        return self.system.A.products, self.system.symbolic, places, *self._map()

    def _map(self) -> tuple[list[Array], str]:
        """What stands before the factors, per grouping factor of the kernel, and the kind of criterion."""
        basis: list[Array] = [np.zeros((k, k)) for k in self.system.A.layout.k]
        for place, B in zip(self.system.A.layout.places, self.parameters.basis, strict=True):
            basis[place.group][place.columns, place.columns] = B
        return basis, "reml" if self.reml else "ml"

    def search_many(
        self, responses: list[core.CrossProducts], without: list[NDArray[np.intp]], limits: dict[str, float]
    ) -> dict[str, Array]:
        """One search for each of many responses of the same rows; see `many.fit_many`."""
        places = self.parameters.places
        tried = [[int(i) for i in effects] for effects in without]
        with self.system.threads():
            return core.search_many(responses, self.system.symbolic, places, *self._map(), tried, limits)

    def values_at(self, responses: list[core.CrossProducts], points: Array) -> Array:
        """The criterion of each response at its points, (r, n, m); infinite where it cannot be computed."""
        parts = self.system.symbolic, self.parameters.places, *self._map()
        with self.system.threads():
            return np.asarray(core.values_at(responses, *parts, np.ascontiguousarray(points)))

    def lower_elsewhere(
        self, responses: list[core.CrossProducts], starts: Array, best: Array, limits: dict[str, float]
    ) -> NDArray[np.bool_]:
        """Does a search from one of the starts of a response, (r, n, m), end below its minimum at `best`,
        (r, m), or not at all? Starts that are NaN are none."""
        parts = self.system.symbolic, self.parameters.places, *self._map()
        starts, best = np.ascontiguousarray(starts), np.ascontiguousarray(best)
        with self.system.threads():
            return np.asarray(core.lower_elsewhere(responses, *parts, starts, best, limits)).astype(bool)
