"""Writes files of the format of today: run once when the format changes, and commit them.

PYTHONPATH=src python tests/storage/write_format.py
"""

from __future__ import annotations

from pathlib import Path

import interlace
from interlace.storage.archive import FORMAT

HERE = Path(__file__).parent
FORMULAS = {
    "sleep": ("Reaction ~ scale(Days) + (Days | Subject)", "sleepstudy"),
    "oats": ("yield ~ nitro * Variety + (1 | Block/Variety)", "oats"),
}


def main() -> None:
    """Write them."""
    for name, (formula, data) in FORMULAS.items():
        m = interlace.lmer(formula, interlace.datasets.load(data))
        m.save(HERE / f"{name}_{FORMAT}.interlace")
        m.save(HERE / f"{name}_{FORMAT}_small.interlace", rows=False)
    machines = interlace.datasets.load("machines")
    linear = interlace.lm("score ~ Machine | Worker", machines, cluster="Worker")
    linear.save(HERE / f"machines_{FORMAT}.interlace")


if __name__ == "__main__":
    main()
