"""How the system of the random effects is solved: the options of `lmer` about it, as one value."""

from __future__ import annotations

from interlace.errors import DataError, shown
from interlace.frozen import dataclass
from interlace.options import count, word

KINDS = ("auto", "exact", "iterative")
PROBES, FEWEST, MOST = 32, 2, 100_000
MOST_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Solver:
    """A choice between the engines.

    Attributes
    ----------
    kind : {"auto", "exact", "iterative"}
    probes : int
        Random vectors from which the iterative engine estimates traces.
    seed : int
        What they are drawn by.
    """

    kind: str = "auto"
    probes: int = PROBES
    seed: int = 1

    @classmethod
    def of(cls, kind: object, probes: object, seed: object) -> Solver:
        """From what a user says.

        Raises
        ------
        DataError
            An option that is none.
        """
        kind, probes = word("solver", kind, KINDS), count("probes", probes, at_most=MOST)
        if probes < FEWEST:
            raise DataError(
                f"probes must be {FEWEST} at least, as their spread tells the error: not {probes}"
            )
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MOST_SEED:
            raise DataError(f"seed must be a whole number from 0, not {shown(seed)}")
        return cls(kind, probes, seed)

    def changed(self, kind: object) -> Solver:
        """Another engine, with the same probes."""
        return Solver.of(kind, self.probes, self.seed)


DEFAULT = Solver()
