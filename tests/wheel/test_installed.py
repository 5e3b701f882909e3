"""The package where it is installed: what every wheel is asked before it is published."""

from __future__ import annotations

import subprocess
import sys

import pytest

import interlace


def test_a_model_is_fitted_and_asked() -> None:
    m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
    assert m.reml_criterion == pytest.approx(1743.62827195849, abs=1e-8)
    assert m.coef_table().loc["Days", "df"] == pytest.approx(17, abs=1e-5)
    assert m.emmeans("1").frame["estimate"][0] == pytest.approx(298.5079, abs=1e-4)


def test_absorbed_factors_are_taken_out() -> None:
    model = interlace.lm("score ~ Machine | Worker", interlace.datasets.load("machines"), cluster="Worker")
    assert model.fixef.to_numpy() == pytest.approx([7.9667, 13.9167], abs=1e-4)


def test_the_command_runs() -> None:
    call = [sys.executable, "-c", "import sys; from interlace.cli import main; sys.exit(main())"]
    run = subprocess.run(
        [*call, "fit", "Reaction ~ Days + (1 | Subject)", "sleepstudy"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0 and "1786.5" in run.stdout, run.stderr
