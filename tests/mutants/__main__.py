"""Errors put into the code, one at a time: the tests must find each of them.

    make mutants MUTANTS=60 SEED=7
    PYTHONPATH=tests python -m mutants --number 20 --seed 3 core/absorbed core/within.cpp
    PYTHONPATH=tests python -m mutants --whole src/interlace/precision
    make cover COVER=--cov-context=test; PYTHONPATH=tests python -m mutants --covering src/interlace

A sample is drawn: a third of the mutants each from the package, the core, and the solver of absorbed
factors; with names, from the files that begin so. Each is put into a copy of the sources in `build/mutants`,
and the tests of its part of the package run on it. What they let through is listed, and with `--whole` tried
on all quick tests. With `--covering` those tests run that were seen to run the line: seconds for each mutant
of the package in place of minutes.
`--from 9` goes on with the ninth of a sample that was cut short.
Some survivors change no number: a bound, a tolerance, a shortcut. The others want a test. Exits with 1 where
something survives.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

from mutants.covering import covering
from mutants.mutations import Mutant, mutants

ROOT = Path(__file__).parent.parent.parent
BUILD = ROOT / "build" / "mutants"
SOLVER = ("core/absorbed", "core/reduced", "core/sampled", "core/within", "core/levels_rank")
ABSORBED = [
    "tests/estimation/test_absorbed.py",
    "tests/estimation/test_demean.py",
    "tests/linear/test_laws.py",
    "tests/linear/test_linear_model.py",
    "tests/model/test_absorbed_model.py",
]
NOT_THERE = 4  # pytest's exit code where a test that is named is not found
FIRST, MOST = 30, 300  # tests that run a line: those that are asked first, and all that are
# The tests that are asked first about a file: those of the longest name that it begins with.
TESTS = {
    "core": ["tests/estimation", "tests/structures", "tests/model"],
    "core/within": ["tests/estimation/test_within.py", "tests/estimation/test_valleys.py"],
    "core/absorbed": ABSORBED,
    "core/reduced": ABSORBED,
    "core/sampled": ABSORBED,
    "core/levels_rank": ABSORBED,
    "core/bindings_absorbed": ABSORBED,
    "core/select_random": ["tests/accumulating", "tests/refitting"],
    "core/clusters": ["tests/inference", "tests/linear"],
    "core/folds": ["tests/refitting"],
    "core/few_rows": ["tests/refitting", "tests/model"],
    "core/level_sums": ["tests/estimation/test_summed_hessian.py", "tests/refitting"],
    "core/shared_start": ["tests/refitting"],
    "core/again": ["tests/refitting"],
    "core/elsewhere": ["tests/refitting", "tests/estimation"],
    "core/many": ["tests/refitting", "tests/estimation/test_many.py"],
    "src/interlace": ["tests/model", "tests/cli", "tests/report"],
    "src/interlace/formula": ["tests/formula", "tests/design"],
    "src/interlace/design": ["tests/design", "tests/formula", "tests/model"],
    "src/interlace/design/learnt": ["tests/inference/means", "tests/design", "tests/formula"],
    "src/interlace/design/extras": ["tests/refitting/test_refit.py", "tests/design", "tests/model"],
    "src/interlace/estimation": ["tests/estimation", "tests/structures", "tests/linear", "tests/model"],
    "src/interlace/precision": ["tests/inference", "tests/linear"],
    "src/interlace/inference": ["tests/inference"],
    "src/interlace/variances": ["tests/inference", "tests/refitting", "tests/report"],
    "src/interlace/prediction": ["tests/model", "tests/refitting"],
    "src/interlace/refitting": ["tests/refitting", "tests/model"],
    "src/interlace/report": ["tests/report", "tests/refitting", "tests/cli"],
    "src/interlace/pictures": ["tests/report", "tests/model"],
    "src/interlace/tables": ["tests/tables", "tests/report"],
    "src/interlace/datasets": ["tests/datasets"],
    "src/interlace/comparison": ["tests/refitting"],
    "src/interlace/planning": ["tests/refitting"],
    "src/interlace/stepping": ["tests/refitting"],
    "src/interlace/accumulating": ["tests/accumulating"],
    "src/interlace/cli": ["tests/cli"],
}


def main() -> int:
    arguments = _arguments()
    os.chdir(ROOT)
    _copy()
    alive: list[Mutant] = []
    chosen = sample(arguments.files, arguments.number, random.Random(arguments.seed))
    asked = chosen[arguments.begin - 1 :]
    for i, mutant in enumerate(asked, start=arguments.begin):
        verdict = tried(mutant, arguments)
        alive += [mutant] if verdict == "survived" else []
        print(f"{i}/{len(chosen)} {verdict}: {mutant}", flush=True)
    print(f"\n{len(asked) - len(alive)} of {len(asked)} found (seed {arguments.seed})")
    for mutant in alive:
        print(f"survived: {mutant}\n    {mutant.file.read_text().splitlines()[mutant.line - 1].strip()}")
    return int(bool(alive))


def sample(prefixes: list[str], number: int, rng: random.Random) -> list[Mutant]:
    """Mutants of the files that begin with one of the names, or of the three parts in turn."""
    files = sorted([*Path("src/interlace").rglob("*.py"), *Path("core").glob("*.cpp")])
    if prefixes:
        parts = [[file for file in files if file.as_posix().startswith(tuple(prefixes))]]
    else:
        solver = [file for file in files if file.as_posix().startswith(SOLVER)]
        core = [file for file in files if file.suffix == ".cpp" and file not in solver]
        parts = [solver, core, [file for file in files if file.suffix == ".py"]]
    if not all(parts):
        sys.exit(f"no file of src/interlace or core begins with {' or '.join(prefixes)}")
    found: list[Mutant] = []
    for i, part in enumerate(parts):
        every = [mutant for file in part for mutant in mutants(file)]
        share = number // len(parts) + (i < number % len(parts))
        found += rng.sample(every, min(share, len(every)))
    return found


def tried(mutant: Mutant, arguments: argparse.Namespace) -> str:
    """ "found", "not compiled" or "survived"."""
    copy = BUILD / mutant.file
    good = copy.read_text()
    copy.write_text(mutant.text())
    try:
        if mutant.file.suffix == ".cpp" and not _built():
            return "not compiled"
        asked = _asked(mutant, arguments.covering) + [["tests"]] * arguments.whole
        if not all(_pass(tests, arguments) for tests in asked):
            return "found"
        return "survived"
    finally:
        copy.write_text(good)
        if mutant.file.suffix == ".cpp":
            _built()


def _asked(mutant: Mutant, by_coverage: bool) -> list[list[str]]:
    """The tests that are asked, those of the first list first."""
    if not by_coverage or mutant.file.suffix != ".py":
        return [TESTS[max((name for name in TESTS if mutant.file.as_posix().startswith(name)), key=len)]]
    every = covering(ROOT / "build" / "cover" / "data", mutant)
    return [part for part in (every[:FIRST], every[FIRST:MOST]) if part]


def _pass(tests: list[str], arguments: argparse.Namespace) -> bool:
    """Whether all tests pass in time."""
    options = ["-q", "-x", "-n", str(arguments.jobs), "-p", "no:cacheprovider", "--no-header", "--tb=no"]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(BUILD / "src"), str(ROOT / "tests")]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "pytest", *options, *tests]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as run:
        try:
            done = run.wait(arguments.seconds)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, 9)
            return False
    if done == NOT_THERE and "::" in tests[0]:  # the name of a test that is another one in each process
        return _pass(sorted({test.partition("::")[0] for test in tests}), arguments)
    return done == 0


def _copy() -> None:
    """The sources in `build/mutants`, with a core that compiles fast."""
    for folder in ("src", "core"):
        shutil.rmtree(BUILD / folder, ignore_errors=True)
        ignored = shutil.ignore_patterns("__pycache__", "*.so")
        shutil.copytree(ROOT / folder, BUILD / folder, ignore=ignored)
    shutil.copy(ROOT / "CMakeLists.txt", BUILD)
    options = [
        f"-DPython_EXECUTABLE={sys.executable}",
        "-DCMAKE_BUILD_TYPE=Release",
        "-DINTERLACE_WARNINGS_ARE_ERRORS=OFF",
    ]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = ["cmake", "-S", BUILD, "-B", BUILD / "cmake", "-G", "Ninja", *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"PATH": path})
    if not _built():
        sys.exit("the core does not compile as it is")


def _built() -> bool:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["ninja", "-C", BUILD / "cmake"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PATH": path},
    )
    for library in (BUILD / "cmake").glob("_core*.so"):
        shutil.copy(library, BUILD / "src" / "interlace")
    return done.returncode == 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mutants", description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="*", help="beginnings of names of files, such as core/absorbed")
    parser.add_argument("--number", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--from", type=int, default=1, dest="begin", metavar="I", help="go on with the I-th of the sample"
    )
    parser.add_argument("--jobs", type=int, default=2, help="test processes")
    parser.add_argument(
        "--seconds", type=float, default=600, help="after which a run of tests counts as failed"
    )
    parser.add_argument(
        "--covering", action="store_true", help="ask the tests that run the line, by build/cover/data"
    )
    parser.add_argument("--whole", action="store_true", help="try survivors on all quick tests")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
