"""Factors whose levels belong to one level of another: means over them are taken within that level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from interlace.design.reference import members_of
from interlace.errors import DataError
from interlace.estimation.any_fit import AnyFit
from interlace.frozen import dataclass
from interlace.inference.specs import unknown_variable
from interlace.inference.variables import Variable
from interlace.inference.weighting import Cells, Weighting


@dataclass(frozen=True, slots=True)
class Nesting:
    """Which factors are nested, and in which.

    Attributes
    ----------
    parents : dict of str to tuple of str
        For each nested factor those it is nested in; parents stand before their children.
    there : dict of str to ndarray of int, (u, 1 + parents)
        The combinations of a nested factor and its parents that the data have.
    """

    parents: dict[str, tuple[str, ...]]
    there: dict[str, np.ndarray]

    @property
    def words(self) -> str:
        """For a note; "" if nothing is nested."""
        said = [
            f"{name} in {above[0] if len(above) == 1 else ' * '.join(above)}"
            for name, above in self.parents.items()
        ]
        return f"nested: {', '.join(said)}" if said else ""

    def with_parents(self, names: Sequence[str], groups: Sequence[str]) -> tuple[str, ...]:
        """Names, and what these are nested in unless it makes groups."""
        found = list(names)
        for name in found:
            found += [one for one in self.parents.get(name, ()) if one not in found and one not in groups]
        return tuple(found)

    def exist(self, at: Mapping[str, np.ndarray]) -> np.ndarray:
        """Which of some combinations of levels there are, (m,)."""
        m = len(next(iter(at.values()))) if at else 1
        found = np.ones(m, dtype=bool)
        for name, above in self.parents.items():
            if name in at and all(one in at for one in above):
                keys = np.column_stack([at[name], *(at[one] for one in above)])
                known = {tuple(key) for key in self.there[name].tolist()}
                found &= np.array([tuple(key) in known for key in keys.tolist()], dtype=bool)
        return found

    def equal(self, averaged: Sequence[Variable], wanted: Sequence[Variable]) -> Weighting | None:
        """Equal weights of the levels within their parents; None where nothing nested is averaged over."""
        sizes = {v.name: len(v.levels) for v in (*wanted, *averaged)}
        over = [v.name for v in averaged]
        nested = [name for name in self.parents if name in over]
        if not nested:
            return None
        used = list(dict.fromkeys(one for name in nested for one in (*self.parents[name], name)))
        roots = [name for name in used if name not in nested]
        codes = np.array(list(np.ndindex(*(sizes[name] for name in roots)))).reshape(-1, len(roots))
        weight = np.ones(len(codes))
        names = list(roots)
        for name in nested:
            codes, weight = self._extended(codes, weight, names, name)
            names.append(name)
        given = tuple(name for name in roots if name not in over)
        joint = tuple(name for name in used if name in over)
        each = {v.name: np.full(len(v.levels), 1 / len(v.levels)) for v in averaged if v.name not in joint}
        return Weighting(each, joint, Cells(tuple(names), codes, weight), given)

    def _extended(
        self, codes: np.ndarray, weight: np.ndarray, names: Sequence[str], name: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Combinations with the levels of one more factor that each of them has."""
        levels: dict[tuple[int, ...], list[int]] = {}
        for own, *above in self.there[name].tolist():
            levels.setdefault(tuple(above), []).append(own)
        places = [names.index(one) for one in self.parents[name]]
        rows, weights = [], []
        for row, w in zip(codes.tolist(), weight.tolist(), strict=True):
            own = levels.get(tuple(row[j] for j in places), [])
            rows += [[*row, one] for one in own]
            weights += [w / max(len(own), 1)] * len(own)
        return np.array(rows, dtype=np.int64).reshape(-1, len(names) + 1), np.array(weights)


def nesting_of(fit: AnyFit, variables: Mapping[str, Variable], given: Any) -> Nesting:
    """What is nested: as named, or as the terms and the data have it.

    A factor is nested in another if each of its levels is in rows of one level of the other alone, or if it
    has no term of its own while the others of its smallest term have one (``A + A:B``).

    Raises
    ------
    DataError
        `given` names what is no factor.
    """
    factors = [v for v in variables.values() if v.categorical and len(v.levels) > 1]
    if len(factors) < 2 and given is None:
        return Nesting({}, {})
    cells = Cells.of(fit, factors) if factors else None
    parents = _by_terms(fit, [v.name for v in factors]) if given is None else _named(given, variables)
    if given is None and cells is not None:
        for name, above in _by_rows(cells, [v.name for v in factors]).items():
            parents[name] = tuple(dict.fromkeys([*parents.get(name, ()), *above]))
    ordered: dict[str, tuple[str, ...]] = {}
    while len(ordered) < len(parents):
        ready = [
            n
            for n, above in parents.items()
            if n not in ordered and not set(above) & (set(parents) - set(ordered))
        ]
        if not ready:
            raise DataError("nesting goes in a circle: a factor is nested in one that is nested in it")
        ordered |= {name: parents[name] for name in ready}
    there = {}
    for name, above in ordered.items():
        assert cells is not None
        columns = [cells.names.index(one) for one in (name, *above)]
        there[name] = np.unique(cells.codes[:, columns], axis=0)
    return Nesting(ordered, there)


def _by_terms(fit: AnyFit, factors: Sequence[str]) -> dict[str, tuple[str, ...]]:
    members = members_of(fit.encoding)
    terms = [
        tuple(dict.fromkeys(c for m in term.members for c in members[m].columns))
        for term in fit.encoding.term_columns
    ]
    found = {}
    for name in factors:
        mine = sorted((term for term in terms if name in term), key=len)
        above = tuple(one for one in mine[0] if one != name) if mine else ()
        known = any(set(term) == set(above) for term in terms)
        if above and known and all(one in factors for one in above):
            found[name] = above
    return found


def _by_rows(cells: Cells, factors: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    codes = list(cells.codes.T)
    levels = [len(np.unique(column)) for column in codes]
    both = {(i, j): _distinct_pairs(codes[i], codes[j]) for i in range(len(factors)) for j in range(i)}
    for i, name in enumerate(factors):
        for j, other in enumerate(factors):
            if i == j or (other in found and name in found[other]):
                continue
            if both[max(i, j), min(i, j)] == levels[i] and levels[j] > 1:
                found[name] = (*found.get(name, ()), other)
    return found


def _distinct_pairs(one: np.ndarray, other: np.ndarray) -> int:
    return len(np.unique(one * (other.max(initial=0) + 1) + other))


def _named(given: Any, variables: Mapping[str, Variable]) -> dict[str, tuple[str, ...]]:
    if not given:
        return {}
    if not isinstance(given, Mapping):
        raise DataError("nesting must be a mapping of factors to what they are nested in, such as {'C': 'A'}")
    found = {}
    for name, above in given.items():
        parents = (above,) if isinstance(above, str) else tuple(above)
        for one in (name, *parents):
            if one not in variables:
                raise unknown_variable(one, list(variables))
            if not variables[one].categorical:
                raise DataError(f"nesting names '{one}', which is no factor")
        found[name] = parents
    return found
