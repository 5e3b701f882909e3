"""Hostile formulas and tables: a right answer or one of the library's errors, and nothing else.

    make fuzz CASES=20000 SEED=7
    PYTHONPATH=tests python -m fuzz --cases 1000 --seed 7 --first 4000
    PYTHONPATH=tests python -m fuzz --seed 7 --only 1234

Exits 1 when something is found, and prints for each kind of finding the smallest call that shows it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict

from fuzz.case import Case, make
from fuzz.run import Finding, run
from fuzz.show import call
from fuzz.worker import Worker

SMALLER_TRIES = 60


def main() -> int:
    arguments = _arguments()
    if arguments.only is not None:
        found = run(make(arguments.seed, arguments.only))
        for finding in found:
            print(f"{finding.question}: {finding.what}")
        return bool(found)
    worker = Worker(arguments.seconds, arguments.memory)
    kinds = _search(worker, arguments)
    for kind, findings in sorted(kinds.items(), key=lambda item: -len(item[1])):
        least = smallest(worker, min(findings, key=lambda f: _size(f.case)))
        print(f"\n{len(findings)} x {kind}\n{call(least)}", flush=True)
    worker.stop()
    print(f"\n{arguments.cases} cases of seed {arguments.seed}: {len(kinds)} kinds of finding")
    return bool(kinds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000, help="how many cases")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--only", type=int, help="one case, in this process")
    parser.add_argument("--seconds", type=float, default=20.0, help="longest time for a case")
    parser.add_argument("--memory", type=float, default=4.0, help="GiB for the process that runs the cases")
    return parser.parse_args()


def _search(worker: Worker, arguments: argparse.Namespace) -> dict[str, list[Finding]]:
    kinds: dict[str, list[Finding]] = defaultdict(list)
    began = time.monotonic()
    for done in range(1, arguments.cases + 1):
        for finding in worker.run(make(arguments.seed, arguments.first + done - 1)):
            if finding.kind not in kinds:
                print(f"case {finding.case.number}: {finding.kind}", file=sys.stderr, flush=True)
            kinds[finding.kind].append(finding)
        if done % 500 == 0:
            elapsed = time.monotonic() - began
            print(f"{done} cases, {len(kinds)} kinds, {elapsed:.0f} s", file=sys.stderr, flush=True)
    return kinds


def _size(case: Case) -> int:
    return len(case.formula) + 20 * (len(case.spoilt) + len(case.options)) + case.rows


def smallest(worker: Worker, finding: Finding) -> Finding:
    """The same kind of finding in a case from which nothing more can be left out."""
    tries = 3 if "no answer" in finding.kind else SMALLER_TRIES
    best, again = finding, True
    while again and tries > 0:
        again = False
        for case in best.case.smaller():
            tries -= 1
            same = [f for f in worker.run(case) if f.kind == finding.kind]
            if same or tries <= 0:
                best, again = (same[0], True) if same else (best, False)
                break
    return best


if __name__ == "__main__":
    sys.exit(main())
