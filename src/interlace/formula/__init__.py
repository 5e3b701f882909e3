"""Formula text to terms."""

from interlace.formula.formula import AbsorbedTerm, Formula, RandomTerm, Sum
from interlace.formula.parser import parse, parse_random

__all__ = ["AbsorbedTerm", "Formula", "RandomTerm", "Sum", "parse", "parse_random"]
