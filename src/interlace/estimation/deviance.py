"""The profiled deviance (ML) and the REML criterion as functions of covariance parameters."""

from __future__ import annotations

from dataclasses import field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlace import kernel as core
from interlace.estimation.blocks import BlockFacts
from interlace.estimation.covariance import Covariance, Unstructured
from interlace.estimation.criterion import Compiled
from interlace.estimation.mapped import MappedDeviance
from interlace.estimation.parameters import Parameters, structures_of
from interlace.estimation.penalized import Solution, System
from interlace.estimation.valleys import Doubt, Term
from interlace.frozen import dataclass

Array = NDArray[np.floating]

# Of a variance over that of the residuals, where a search begins that moments send to zero.
SMALLEST = 1e-4


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
    begin : ndarray or None
        Parameters, in the natural basis, that suit the data better than those that follow from moments of
        the cross-products.
    """

    system: System
    reml: bool
    parameters: Parameters = field(repr=False)
    doubt: Doubt = field(repr=False)
    begin: Array | None = field(default=None, repr=False)

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
        constant = system.constant
        if constant is not None:
            facts = [
                one.beside_constants(A, place, constant)
                for one, place in zip(facts, A.layout.places, strict=True)
            ]
        parameters = Parameters.of(system.encoding, A, facts)
        terms = [Term(found.mean, found.spread, found.levels) for found in facts]
        effects = sum([term.levels * s.k for term, s in zip(terms, parameters.structures, strict=True)])
        left = A.products.n - system.fixed_effects - effects
        return cls(system, reml, parameters, Doubt.of(parameters, terms, left))

    def without(self, lost: tuple[Array, ...]) -> ProfiledDeviance:
        """The criterion where some combinations of the effects of each block, (k, c), are zero."""
        if not any([U.size for U in lost]):
            return self
        parameters = self.parameters.without(lost)
        doubt = Doubt.of(parameters, self.doubt.terms, self.doubt.left)
        return replace(self, parameters=parameters, doubt=doubt, begin=None)

    def separated(self) -> ProfiledDeviance:
        """The criterion without covariances that no level can tell, whose minimum is the same."""
        parameters = self.parameters.separated(self.system.A)
        if parameters.structures is self.parameters.structures:
            return self.with_parameters(parameters)
        doubt = Doubt.of(parameters, self.doubt.terms, self.doubt.left)
        return replace(self, parameters=parameters, doubt=doubt, begin=None)

    def beginning(self, variances: Array, scale: float) -> ProfiledDeviance:
        """The criterion whose search begins at variances and covariances in the natural basis, as entries of
        the parameters; where these are no covariance matrices or at zero, near by."""
        structures = self.parameters.structures
        if not all(isinstance(s, Unstructured) for s in structures) or not scale > 0:
            return self
        found, at = list[Array](), 0
        for s in structures:
            D = np.tensordot(variances[at : at + s.n_par], s.tangents, 1)
            at += s.n_par
            values, vectors = np.linalg.eigh(D / scale)
            root = vectors * np.sqrt(np.clip(values, SMALLEST, 1 / SMALLEST))
            T = np.asarray(np.linalg.qr(root.T, mode="r")).T
            found.append(s.par(T * np.where(np.diagonal(T) < 0, -1.0, 1.0)))
        return replace(self, begin=np.concatenate(found))

    def without_doubt(self) -> ProfiledDeviance:
        """The criterion that is searched once."""
        return replace(self, doubt=Doubt.none(self.parameters))

    @property
    def n_par(self) -> int:
        """Number of parameters."""
        return self.parameters._form.n_par

    @property
    def df(self) -> int:
        """What pwrss is divided by: n, or n - p by REML."""
        n: int = self.system.A.products.n
        return n - self.system.fixed_effects if self.reml else n

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

    def solution(self, par: Array, compiled: Compiled | None = None) -> Solution:
        """beta, u and the rest at these parameters; this criterion, `compiled`, gives its factor away."""
        parameters = self.parameters
        if isinstance(compiled, core.ProfiledDeviance) and parameters.unstructured:
            return Solution.finished(self.system, parameters, par, compiled)
        return Solution.at(
            self.system, parameters.factors(par), None if compiled is None else compiled.release()
        )

    def zero_components(self, par: Array) -> tuple[str, ...]:
        """Names ``group.column`` of the diagonal entries of Lambda that are zero."""
        if all(par.tolist()) or not np.any(par[self.parameters.even] == 0.0):
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
        if not self.parameters.plain:
            return self.mapped()
        compiled = self._compiled(self.parameters.places)
        if self.begin is not None and self.parameters.basis is self.parameters.natural:
            compiled.begin(self.begin)
        searched: Compiled = compiled
        return searched

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
            found: list[tuple[Any, ...] | None] = core.without_folds(*parts, par, ptr, places, units, **rows)
        return found

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
        basis = self.system.A.layout.assembled(self.parameters.basis)
        return basis, "reml" if self.reml else "ml"

    def search_many(
        self, responses: list[core.CrossProducts], without: list[NDArray[np.intp]], limits: core.Limits
    ) -> dict[str, Array]:
        """One search for each of many responses of the same rows; see `many.fit_many`."""
        places = self.parameters.places
        tried = [[int(i) for i in effects] for effects in without]
        with self.system.threads():
            found: dict[str, Array] = core.search_many(
                responses, self.system.symbolic, places, *self._map(), tried, limits
            )
        return found

    def values_at(self, responses: list[core.CrossProducts], points: Array) -> Array:
        """The criterion of each response at its points, (r, n, m); infinite where it cannot be computed."""
        parts = self.system.symbolic, self.parameters.places, *self._map()
        with self.system.threads():
            return np.asarray(core.values_at(responses, *parts, np.ascontiguousarray(points)))

    def lower_elsewhere(
        self, responses: list[core.CrossProducts], starts: Array, best: Array, limits: core.Limits
    ) -> NDArray[np.bool_]:
        """Does a search from one of the starts of a response, (r, n, m), end below its minimum at `best`,
        (r, m), or not at all? Starts that are NaN are none."""
        parts = self.system.symbolic, self.parameters.places, *self._map()
        starts, best = np.ascontiguousarray(starts), np.ascontiguousarray(best)
        with self.system.threads():
            return np.asarray(core.lower_elsewhere(responses, *parts, starts, best, limits)).astype(bool)
