"""Which tests run a line, as `make cover` has written it down."""

from __future__ import annotations

import random
import sys
from functools import cache
from pathlib import Path
from typing import Any

from mutants.mutations import Mutant


@cache
def _read(data: Path) -> Any:
    from coverage import CoverageData

    if not data.exists():
        sys.exit(f"{data} is not there: make cover COVER=--cov-context=test writes it")
    found = CoverageData(str(data))
    found.read()
    return found


def covering(data: Path, mutant: Mutant) -> list[str]:
    """The tests that run the statement of a mutant, in any order that stays."""
    found = _read(data)
    ending = mutant.file.relative_to("src").as_posix()
    names = [name for name in found.measured_files() if Path(name).as_posix().endswith(f"/{ending}")]
    lines = {line: tests for name in names for line, tests in found.contexts_by_lineno(name).items()}
    # a statement of many lines is written down by its first
    started = [line for line in lines if line <= mutant.line]
    tests = {test.partition("|")[0] for test in lines[max(started)] if test} if started else set()
    return random.Random(0).sample(sorted(tests), len(tests))
