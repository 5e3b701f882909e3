"""Models drawn at random, fitted here and in R, compared in what both print.

    make differential MODELS=200 SEED=3
    PYTHONPATH=tests python -m beside_r --models 200 --seed 3 --first 100

Needs Rscript with lme4, lmerTest, pbkrtest, clubSandwich and jsonlite; some seconds for each model. Exits 1
when something differs. Degrees of freedom that R gets wrong by dense matrices do not count.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from beside_r.asking import missing
from beside_r.running import disagreements

BATCH = 10


def main() -> int:
    parser = argparse.ArgumentParser(prog="beside_r", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first model")
    arguments = parser.parse_args()
    if reason := missing():
        print(f"nothing was compared: {reason}")
        return 0
    counts: Counter[str] = Counter()
    found = 0
    last = arguments.first + arguments.models
    for first in range(arguments.first, last, BATCH):
        for problem in disagreements(arguments.seed, range(first, min(first + BATCH, last)), counts):
            found += 1
            print(problem, flush=True)
    print(f"{arguments.models} models of seed {arguments.seed}: {found} disagree; {dict(counts)}")
    return found > 0


if __name__ == "__main__":
    sys.exit(main())
