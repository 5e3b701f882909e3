"""What a covariance structure asks of the columns of a random term."""

from __future__ import annotations

from interlace.design.basis import Basis, TermBasis
from interlace.design.members import FactorPart
from interlace.errors import DataError
from interlace.formula.formula import RandomTerm

CORRELATED = ("cs", "homcs", "ar1", "hetar1")


def structure_of(term: RandomTerm) -> str:
    """The structure of the covariance of one block of a term; those of ``||`` have none."""
    return "unstructured" if term.covariance == "independent" else term.covariance


def check_structure(term: RandomTerm, basis: Basis) -> None:
    """Refuse columns that a structure has no meaning for.

    Raises
    ------
    DataError
        Compound symmetry or AR(1) of a single column, or AR(1) of columns that are not the levels of one
        factor.
    """
    if term.covariance not in CORRELATED:
        return
    if term.covariance in ("ar1", "hetar1"):
        _check_ordered(term, basis)
    if len(basis.names) == 1:
        raise DataError(
            f"{term} has one random effect, '{basis.names[0]}', and a correlation needs two: write "
            f"({term.columns} | {term.group})"
        )


def _check_ordered(term: RandomTerm, basis: Basis) -> None:
    name = basis.terms[0][0]
    part = basis.parts.get(name) if isinstance(basis, TermBasis) else None
    if not isinstance(part, FactorPart):
        raise DataError(
            f"ar1() has an effect for each level of a factor, and '{name}' holds numbers: write "
            f"ar1(0 + factor({name}) | {term.group}); its levels are one step apart, whatever their numbers"
        )
    if part.skipped:
        raise DataError(
            f"the level '{part.skipped[0]}' of '{name}' lies between others and has no rows, so that it is "
            "not known whether its neighbours are one step apart or two: write "
            f"ar1(0 + factor({name}) | {term.group}) for one step, which is what R does"
        )
