"""Formula text to terms."""

from interlace.formula.parser import parse, parse_random
from interlace.formula.terms import Formula, RandomTerm, Sum

__all__ = ["Formula", "RandomTerm", "Sum", "parse", "parse_random"]
