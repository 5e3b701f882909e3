"""Factors that means are averaged over one by one, without being part of the grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from interlace.design.reference import members_of
from interlace.errors import DataError
from interlace.estimation.any_fit import AnyFit
from interlace.frozen import dataclass
from interlace.inference.specs import Specs, unknown_variable
from interlace.inference.variables import Variable
from interlace.inference.weighting import EQUAL, Cells, Weighting
from interlace.options import labels
from interlace.text import listed


@dataclass(frozen=True, slots=True)
class Nuisance:
    """Factors that are in no interaction, each averaged by itself.

    Attributes
    ----------
    variables : tuple of Variable
    note : str
        What is said of factors that were named and do interact.
    """

    variables: tuple[Variable, ...] = ()
    note: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(v.name for v in self.variables)

    def rest(self, variables: Mapping[str, Variable]) -> dict[str, Variable]:
        """The variables of the grid without them."""
        return {name: v for name, v in variables.items() if name not in self.names}

    def weighed(self, fit: AnyFit, weighting: Weighting, weights: Any) -> Weighting:
        """With weights of their levels: by the rows where the word for the others is not "equal"."""
        if not self.variables:
            return weighting
        equal = not isinstance(weights, str) or weights.casefold() == EQUAL
        own = {}
        for v in self.variables:
            size = len(v.levels)
            own[v.name] = np.full(size, 1 / size) if equal else Cells.of(fit, [v]).margin(v.name, size)
        return replace(weighting, each=weighting.each | own)

    @property
    def words(self) -> str:
        """For the note of what was averaged over; "" if there are none."""
        many = len(self.variables)
        return f"{many} nuisance factor{'s' if many > 1 else ''}" if many else ""


def nuisance_of(fit: AnyFit, variables: Mapping[str, Variable], given: Any, specs: Specs) -> Nuisance:
    """The nuisance factors that are named.

    Raises
    ------
    DataError
        A name is no factor of the fixed part, or means at its levels are asked for.
    """
    if given is None:
        return Nuisance()
    named = (given,) if isinstance(given, str) else labels("nuisance", given)
    for name in dict.fromkeys(named):
        if name not in variables:
            raise unknown_variable(name, list(variables))
        if not variables[name].categorical:
            raise DataError(
                f"nuisance names '{name}', which is no factor: covariates are at their mean anyway"
            )
        if name in specs.every:
            raise DataError(
                f"nuisance names '{name}', and means at its levels are asked for: it cannot be both"
            )
    members = members_of(fit.encoding)
    uses = [
        {column for member in term.members for column in members[member].columns}
        for term in fit.encoding.term_columns
    ]
    tied = [name for name in dict.fromkeys(named) if any(name in used and len(used) > 1 for used in uses)]
    note = f"in interactions, and no nuisance factors for that: {listed(tied)}" if tied else ""
    return Nuisance(tuple(variables[name] for name in dict.fromkeys(named) if name not in tied), note)
