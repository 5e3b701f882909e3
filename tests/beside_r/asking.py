"""Questions for R, and its answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from drawn.model import Model

SCRIPT = Path(__file__).parent / "models.R"
PACKAGES = ("lme4", "lmerTest", "pbkrtest", "clubSandwich", "jsonlite")
SECONDS = 300


def missing() -> str:
    """Why R cannot be asked; empty if it can."""
    program = shutil.which("Rscript")
    if program is None:
        return "there is no Rscript on this machine"
    code = f"stopifnot(all(sapply(c({', '.join(map(repr, PACKAGES))}), requireNamespace, quietly = TRUE)))"
    known = subprocess.run([program, "-e", code], capture_output=True, check=False)
    return "" if known.returncode == 0 else f"R lacks one of the packages {', '.join(PACKAGES)}"


def fingerprint(rows: int) -> np.ndarray:
    """Numbers by which a column of X is recognised: its product with these."""
    return np.random.default_rng(99).normal(size=rows)


def question(model: Model, theta: np.ndarray) -> dict[str, Any]:
    """What R needs to know of a model."""
    rows = len(next(iter(model.columns.values())).values)
    return {
        "data": [column.plain(name) for name, column in model.columns.items()],
        "formula": model.formula,
        "reml": model.reml,
        "weights": model.weights,
        "offset": model.offset,
        "contrasts": model.contrasts,
        "theta": theta.tolist(),
        "print": fingerprint(rows).tolist(),
    }


def ask(questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """R's answers; one by one where a batch takes too long or ends R, without the model that does it."""
    try:
        return _ask(questions)
    except subprocess.SubprocessError:
        if len(questions) == 1:
            return [{"broken": "R hangs or dies"}]
        return [answer for one in questions for answer in ask([one])]


def _ask(questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "questions.json", Path(folder) / "answers.json"
        asked.write_text(json.dumps(questions))
        command = ["Rscript", "--vanilla", str(SCRIPT), str(asked), str(answered)]
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
        subprocess.run(
            command,
            env=os.environ | one_thread,
            check=True,
            capture_output=True,
            timeout=SECONDS * len(questions),
        )
        return json.loads(answered.read_text())
