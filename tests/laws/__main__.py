"""Laws of models drawn at random.

    make laws MODELS=200 SEED=3
    PYTHONPATH=tests python -m laws --models 200 --seed 3 --first 100

Exits 1 when a law is broken.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from laws.keeping import broken


def main() -> int:
    parser = argparse.ArgumentParser(prog="laws", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first model")
    arguments = parser.parse_args()
    held: Counter[str] = Counter()
    found = 0
    for number in range(arguments.first, arguments.first + arguments.models):
        for problem in broken(arguments.seed, number, held):
            found += 1
            print(problem, flush=True)
    print(f"{arguments.models} models of seed {arguments.seed}: {found} broken; held: {dict(held)}")
    return found > 0


if __name__ == "__main__":
    sys.exit(main())
