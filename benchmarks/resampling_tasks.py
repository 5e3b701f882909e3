"""What the benchmark of resampling asks of a fitted model, of whom, and when two answers agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ENGINES = {"interlace": "interlace", "rows": "interlace, fits of the rows", "R": "lme4"}
FEWEST = 5  # of what a trial run divides


@dataclass(frozen=True, slots=True)
class Peer:
    """Another engine that answers.

    Attributes
    ----------
    tolerance : float
        Largest difference of answers: see the rules of `resampling_report`.
    size : int
        How much of the work it does, whose time is scaled; 0 for all.
    """

    tolerance: float = 0.0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """A question.

    Attributes
    ----------
    title : str
    rule : {"ends", "spread", "share", "estimates", "largest"}
        How answers are compared.
    peers : mapping of str to Peer
    size : int
        Draws, responses, folds or simulations; 0 where the problem says it.
    """

    title: str
    rule: str
    peers: Mapping[str, Peer] = field(default_factory=dict)
    size: int = 0

    def sizes(self, engine: str, shrink: int) -> tuple[int, int]:
        """What an engine does, and the whole; 0 for what the problem has."""
        whole = divided(self.size, shrink)
        part = divided(self.peers[engine].size, shrink) if engine in self.peers else 0
        return min(part or whole, whole) if whole else part, whole


def divided(n: int, shrink: int) -> int:
    return max(n // shrink, FEWEST) if n else 0


TASKS = {
    # lme4's ends are those of splines through some points.
    "profile": Task("profile intervals of all parameters", "ends", {"R": Peer(1e-3)}),
    "bootstrap-10000": Task("10,000 bootstrap draws", "spread", {"R": Peer(size=500)}, 10_000),
    "bootstrap-1000": Task("1,000 bootstrap draws", "spread", {"R": Peer(size=25)}, 1_000),
    "refit": Task("20,000 responses, by ML", "estimates", {"R": Peer(1e-3, size=200)}, 20_000),
    "tests": Task("20,000 responses, with p-values", "estimates", {"R": Peer(1e-3, size=100)}, 20_000),
    "predict": Task("prediction intervals of 1,000,000 rows", "largest", size=1_000_000),
    "folds": Task(
        "cross-validation, 500 folds", "largest", {"rows": Peer(1e-8), "R": Peer(1e-4, size=25)}, 500
    ),
    "power": Task("power at 5 sizes, 1,000 simulations each", "share", {"R": Peer(size=30)}, 1_000),
    "influence-fixed": Task("without each group, theta held", "largest"),
    "influence-onestep": Task("without each group, Newton steps", "largest"),
    "influence-refit": Task(
        "without each group, fitted again", "largest", {"rows": Peer(1e-6, size=200), "R": Peer(1e-3)}
    ),
    "influence-row": Task("without each row, theta held", "largest"),
    "leverage": Task("leverage of all rows", "largest", {"R": Peer(1e-4)}),
}
