"""Formula text to terms."""

from interlace.formula.parser import parse
from interlace.formula.terms import Formula, RandomTerm

__all__ = ["Formula", "RandomTerm", "parse"]
