"""The benchmark of resampling: every question has an answer, and a time counts only where answers agree."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace

SHRINK = 100
TASKS_OF = {
    "sleepstudy": ("profile", "bootstrap-10000", "power"),
    "penicillin": ("profile",),
    "reading_4k": ("profile",),
    "reading_5k": ("bootstrap-1000",),
    "many_responses": ("refit", "tests"),
    "slope_100k": ("predict",),
    "groups_10k": ("folds",),
    "exam": ("influence-refit",),
    "groups_100k": ("influence-fixed", "influence-onestep", "influence-refit", "influence-row"),
    "insteval": ("influence-fixed", "influence-onestep"),
    "intercept_100k": ("leverage",),
    "intercept_1m": ("leverage",),
}


def cell(scripts: Any, task: str, engine: str, share: float = 1.0, **answer: Any) -> Any:
    numbers = {name: tuple(np.atleast_1d(values).astype(float).tolist()) for name, values in answer.items()}
    return scripts.cells.Cell("p", task, engine, warm=2.0, cold=3.0, share=share, answer=numbers)


def agrees(scripts: Any, *cells: Any) -> bool:
    judged = scripts.resampling_report.judge(cells)
    assert all(one.agreement for one in judged)
    assert len({one.status for one in judged}) == 1
    return judged[0].status == "ok"


def test_the_questions_of_each_problem(scripts: Any) -> None:
    asked = {problem.name: problem.methods for problem in scripts.resampling_problems.PROBLEMS}
    assert asked == TASKS_OF
    assert {task for tasks in asked.values() for task in tasks} == set(scripts.resampling_tasks.TASKS)


@pytest.mark.parametrize("name", TASKS_OF)
def test_every_question_has_an_answer(name: str, scripts: Any) -> None:
    worker, tasks = scripts.resampling_worker, scripts.resampling_tasks.TASKS
    problem = scripts.resampling_problems.BY_NAME[name]
    data = pd.DataFrame(problem.make(np.random.default_rng(1), SHRINK))
    fit = interlace.lmer(problem.formula, data).fit
    for task in problem.methods:
        cells = []
        for engine in ("interlace", "rows"):
            if not scripts.resampling.BENCH.has(problem, task, engine):
                continue
            size, whole = tasks[task].sizes(engine, SHRINK)
            asked = worker.Asked(problem, data, fit, size, whole, task.partition("-")[2])
            call, answer = worker.prepare(asked, task, engine)
            found = answer(call())
            assert found and all(np.isfinite(values).all() and values for values in found.values())
            cells.append(cell(scripts, task, engine, asked.share(engine), **found))
        assert agrees(scripts, *cells)
        assert tasks[task].rule in scripts.resampling_report.RULES


def test_numbers_of_the_worker_are_those_of_the_library(scripts: Any) -> None:
    worker = scripts.resampling_worker
    problem = scripts.resampling_problems.BY_NAME["many_responses"]
    data = pd.DataFrame(problem.make(np.random.default_rng(1), 1))
    m = interlace.lmer(problem.formula, data)
    call, answer = worker.prepare(worker.Asked(problem, data, m.fit, 12, 20_000, ""), "tests", "interlace")
    found = answer(call())
    again = m.refit(data["r3"]).coef_table()
    for name in ("estimate", "se", "df"):
        np.testing.assert_allclose(found[name][8:12], again[name], rtol=1e-5)
    assert len(found["df"]) == 12 * 4
    assert worker.some(list(range(4500)))[:2] == [0, 4] and len(worker.some(list(range(999)))) == 999


def test_ends_of_profiles(scripts: Any) -> None:
    ours = cell(scripts, "profile", "interlace", lower=[0.0, 1.0], upper=[1.0, 11.0])
    for off, agree in ((0.9e-2, True), (1.1e-2, False)):  # of a width of 10
        other = cell(scripts, "profile", "R", lower=[0.0, 1.0 - off], upper=[1.0, 11.0 - off])
        assert agrees(scripts, ours, other) is agree
    assert not agrees(scripts, ours, cell(scripts, "profile", "R", lower=[0.0], upper=[1.0]))
    assert not agrees(scripts, ours, cell(scripts, "profile", "R", lower=[np.nan, 1.0], upper=[1.0, 11.0]))


def test_spread_of_draws_and_shares_of_simulations(scripts: Any) -> None:
    ours = cell(scripts, "bootstrap-10000", "interlace", se=[1.0, 2.0], n=10_000)
    error = math.sqrt(1 / 20_000 + 1 / 1_000)
    for off, agree in ((3.9, True), (4.1, False)):
        sd = 2.0 / (1 + off * error)
        assert (
            agrees(scripts, ours, cell(scripts, "bootstrap-10000", "R", 0.05, se=[1.0, sd], n=500)) is agree
        )
    power = cell(scripts, "power", "interlace", power=[0.5, 0.8], n=1000)
    error = math.sqrt(0.25 * (1 / 1000 + 1 / 1000))
    for off, agree in ((3.9, True), (4.2, False)):
        other = cell(scripts, "power", "R", power=[0.5 + off * error, 0.8], n=1000)
        assert agrees(scripts, power, other) is agree
    assert agrees(scripts, power, cell(scripts, "power", "R", power=[0.5, 0.8], n=1000))


def test_numbers_of_a_part_of_the_work(scripts: Any) -> None:
    given = {"estimate": [0.0, 2.0, 3.0], "se": [1.0, 2.0, 3.0], "df": [10.0, 20.0, 30.0]}
    ours = cell(scripts, "tests", "interlace", **given)
    first = {name: values[:2] for name, values in given.items()}
    for off, agree in ((0.9e-3, True), (1.1e-3, False)):
        for other in (
            {"df": [10.0, 20.0 * (1 + off)]},
            {"estimate": [off, 2.0]},
            {"estimate": [0.0, 2.0 + 2 * off]},
        ):
            assert agrees(scripts, ours, cell(scripts, "tests", "R", 0.01, **first | other)) is agree
    assert not agrees(scripts, ours, cell(scripts, "tests", "R", **first))
    assert not agrees(scripts, ours, cell(scripts, "tests", "R", 0.01, **first | {"estimate": [np.nan, 2.0]}))
    folds = cell(scripts, "folds", "interlace", predicted=[1.0, -100.0, 0.0])
    for off, agree in ((0.9e-6, True), (1.1e-6, False)):
        rows = cell(scripts, "folds", "rows", predicted=[1.0 + off, -100.0, 0.0])
        assert agrees(scripts, folds, rows) is agree
        several = scripts.resampling_report.judge(
            [folds, rows, cell(scripts, "folds", "R", 0.05, predicted=1.0)]
        )
        assert [one.status for one in several] == (["ok"] * 3 if agree else ["differs", "differs", "ok"])


def test_cells_in_words(scripts: Any) -> None:
    alone = scripts.resampling_report.judge([cell(scripts, "predict", "interlace", lower=1.0, upper=2.0)])
    assert alone[0].agreement == "no other answer" and alone[0].time == "2 s"
    part = cell(scripts, "refit", "R", 0.05, se=1.0)
    assert part.time == "≈ 40 s"
    late = replace(part, status="> 60 s")
    assert scripts.resampling_report.judge([late])[0].time == "> 60 s"
    problem = replace(scripts.resampling_problems.BY_NAME["exam"], name="p")
    page = scripts.cells.details([part, late], problem, {"refit": "responses"}, lambda cell: "lme4")
    assert "| responses | lme4 | ≈ 40 s | 3 s (5 %) |" in page and "| > 60 s |" in page


def test_sizes(scripts: Any) -> None:
    task = scripts.resampling_tasks.TASKS["bootstrap-10000"]
    assert task.sizes("interlace", 1) == (10_000, 10_000) and task.sizes("R", 1) == (500, 10_000)
    assert task.sizes("R", 1000) == (5, 10)
    refit = scripts.resampling_tasks.TASKS["influence-refit"]
    assert refit.sizes("interlace", 1) == (0, 0) and refit.sizes("rows", 1) == (200, 0)
    asked = scripts.resampling.sizes(scripts.resampling_problems.PROBLEMS[0], "bootstrap-10000", "R", 1)
    assert asked == ["500", "10000"]


def test_tables_of_inference_are_compared_in_order_of_size(scripts: Any) -> None:
    report = scripts.inference_report

    def judged(df: list[float], engine: str = "R") -> Any:
        return report.judge([
            cell(scripts, "satterthwaite", "interlace", df=[10.0, 20.0], se=[1.0, 2.0]),
            cell(scripts, "satterthwaite", engine, df=df, se=[2.0, 1.0]),
        ])  # fmt: skip

    assert [one.status for one in judged([20.0, 10.009])] == ["ok", "ok"]
    assert [one.status for one in judged([20.0, 10.011])] == ["differs", "differs"]
    assert [one.status for one in judged([20.0, np.nan])] == ["differs", "differs"]


def test_a_cell_from_its_command_to_the_page(
    scripts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts.cells, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    asked = ["--problems", "penicillin", "--engines", "interlace", "--quick", "--output", str(page)]
    assert scripts.resampling.BENCH.main(asked) == 0
    assert "| penicillin, crossed | profile intervals of all parameters |" in page.read_text()
    assert "no other answer" in page.read_text()
    kept = tmp_path / "build" / "bench-resampling" / "cells" / "penicillin.profile.interlace.json"
    written = kept.stat().st_mtime_ns
    assert scripts.resampling.BENCH.main([*asked, "--resume"]) == 0
    assert kept.stat().st_mtime_ns == written


@pytest.mark.slow
def test_all_cells_beside_r(scripts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("Rscript") is None or not scripts.process.has_r_packages("lme4", "lmerTest"):
        pytest.skip("no R with lme4 and lmerTest")
    monkeypatch.setattr(scripts.cells, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    asked = ["--shrink", str(SHRINK), "--quick", "--output", str(page)]
    names = ",".join(TASKS_OF)
    assert scripts.resampling.BENCH.main([*asked, "--problems", names]) == 0
    assert "fails" not in page.read_text() and "a trial run" in page.read_text()
