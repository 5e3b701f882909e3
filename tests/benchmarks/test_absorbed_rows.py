"""The benchmark of absorbed factors: every problem has an answer, and a time counts where it is right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

SHRINK = 1000
NAMES = ("simple_1_1m", "simple_2_1m", "simple_3_10m", "difficult_2_1m", "difficult_3_10m", "move_2_sorted")


def table_of(scripts: Any, name: str, shrink: int = SHRINK) -> tuple[Any, pd.DataFrame]:
    problem = scripts.absorbed_problems.BY_NAME[name]
    return problem, scripts.problems.made(problem, shrink)


def answer_of(scripts: Any, method: str, problem: Any, data: pd.DataFrame) -> dict[str, list[float]]:
    _, call, answer = scripts.absorbed_worker.WORK["interlace", method](problem, data)
    found: dict[str, list[float]] = answer(call())
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_problem_has_an_answer(name: str, scripts: Any) -> None:
    problem, data = table_of(scripts, name)
    coefficients = answer_of(scripts, "lm", problem, data)
    assert coefficients["defect"][0] < 1e-12
    # the dummy variables themselves
    levels = pd.get_dummies(data[list(problem.absorbed)].astype("category"), dtype=float).to_numpy()
    columns = np.column_stack([data[["x1", "x2"]], levels])
    expected = np.linalg.lstsq(columns, data["y"], rcond=None)[0][:2]
    np.testing.assert_allclose(coefficients["numbers"], expected, rtol=1e-8)
    demeaned = answer_of(scripts, "demean", problem, data)
    assert demeaned["defect"][0] < 1e-12
    assert len(demeaned["numbers"]) >= 3 * scripts.absorbed_worker.SHOWN


def test_mixed_models_have_an_answer(scripts: Any) -> None:
    problem, data = table_of(scripts, "mixed_10", 100)
    assert problem.formula == "y ~ x1 + (1 | person) | firm"
    assert abs(answer_of(scripts, "lmer", problem, data)["numbers"][0] - 1) < 0.3


def test_difficult_firms_are_neighbours(scripts: Any) -> None:
    _, data = table_of(scripts, "difficult_2_1m", 100)
    firms = data["firm"].nunique()
    assert firms == 1000 // 23
    steps = np.diff(data["firm"].to_numpy().reshape(-1, 10)) % firms
    assert (steps == 1).all()


@pytest.mark.parametrize("mobility", [0.02, 0.3])
def test_workers_move_as_often_as_is_said(mobility: float, scripts: Any) -> None:
    _, data = table_of(scripts, f"move_{round(100 * mobility)}", 20)
    moves = np.diff(data["firm"].to_numpy().reshape(-1, 10)) != 0
    assert moves.mean() == pytest.approx(mobility, abs=5 * np.sqrt(mobility / moves.size) + mobility / 250)


def test_sorted_workers_earn_as_their_firms_pay(scripts: Any) -> None:
    found = {}
    for name in ("move_2", "move_2_sorted"):
        problem = scripts.absorbed_problems.BY_NAME[name]
        data = scripts.problems.made(problem, 20)
        firm = data.groupby("person")["firm"].first()
        found[name] = np.corrcoef(firm, data.groupby("person")["y"].mean())[0, 1]
    assert found["move_2_sorted"] > found["move_2"] + 0.1


def test_who_answers_what(scripts: Any) -> None:
    problems, has = scripts.absorbed_problems.BY_NAME, scripts.absorbed.BENCH.has
    assert has(problems["simple_3_10k"], "lm", "statsmodels")
    assert not has(problems["simple_3_100k"], "lm", "statsmodels")
    assert has(problems["simple_3_100k"], "lm", "linearmodels")
    assert not has(problems["simple_3_1m"], "lm", "linearmodels")
    assert not has(problems["simple_3_1m"], "demean", "pyfixest")


def cells_of(scripts: Any, method: str, ours: list[float], other: list[float], defect: float) -> list[Any]:
    peer = "pyfixest" if method == "lm" else "within"
    cell = scripts.cells.Cell("p", method, "interlace", warm=1.0)
    left = replace(cell, answer={"numbers": tuple(ours), "defect": (defect,)})
    return [left, replace(cell, engine=peer, warm=2.0, answer={"numbers": tuple(other)})]


@pytest.mark.parametrize(
    ("method", "other", "words"),
    [
        ("lm", [1.0, 2.0], ["ok", "ok"]),
        ("lm", [1.0, 2.0 + 1.9e-6], ["ok", "ok"]),
        ("lm", [1.0, 2.0 + 2.1e-6], ["differs", "wrong by 1e-06"]),
        ("lm", [1.0], ["differs", "wrong by inf"]),
        ("demean", [1.0 + 1.9e-6, 2.0], ["ok", "ok"]),
        ("demean", [1.0 + 2.1e-6, 2.0], ["differs", "wrong by 1e-06"]),
    ],
)
def test_an_answer_counts_where_it_is_right(
    method: str, other: list[float], words: list[str], scripts: Any
) -> None:
    cells = scripts.absorbed_report.judge(cells_of(scripts, method, [1.0, 2.0], other, 1e-12))
    assert [cell.status for cell in cells] == words


@pytest.mark.parametrize(("defect", "status"), [(9e-10, "ok"), (1.1e-9, "differs")])
def test_the_reference_must_solve_the_normal_equations(defect: float, status: str, scripts: Any) -> None:
    cells = scripts.absorbed_report.judge(cells_of(scripts, "lm", [1.0], [1.0], defect))
    assert cells[0].status == status


def test_a_wrong_engine_does_not_spoil_the_others(scripts: Any) -> None:
    ours, right = cells_of(scripts, "lm", [1.0], [1.0], 0.0)
    wrong = replace(right, engine="fereg", answer={"numbers": (1.1,)})
    late = replace(right, engine="linearmodels", status="> 60 s", answer={})
    cells = scripts.absorbed_report.judge([ours, right, wrong, late])
    assert [cell.time.partition(" by")[0] for cell in cells] == ["1 s", "2 s", "wrong", "> 60 s"]
    assert "fereg 9e-02" in cells[0].agreement
    assert [c.status for c in scripts.absorbed_report.judge([late, right])] == ["> 60 s", "ok"]


def test_residuals_that_are_not_orthogonal_are_seen(scripts: Any) -> None:
    problem, data = table_of(scripts, "simple_2_1m")
    _, call, _ = scripts.absorbed_worker.WORK["interlace", "lm"](problem, data)
    residuals = call().residuals().to_numpy()
    defect = scripts.absorbed_worker.defect
    assert defect(residuals, data, problem.absorbed, ["x1"]) < 1e-13
    moved = residuals + 1e-6 * (data["firm"].to_numpy() == 0)
    assert defect(moved, data, problem.absorbed) > 1e-8
    assert defect(residuals + 1e-6 * data["x1"].to_numpy(), data, problem.absorbed[:1], ["x1"]) > 1e-7


def test_the_page_has_every_cell_once(scripts: Any) -> None:
    cells = scripts.absorbed_report.judge(cells_of(scripts, "lm", [1.0], [1.0], 0.0))
    problem = replace(scripts.absorbed_problems.BY_NAME["simple_1_100k"], name="p")
    options = scripts.absorbed.BENCH._options(["--problems", "simple_1_100k"])
    options.problems = [problem]
    page = scripts.absorbed_report.document(cells, options)
    assert page.count("| simple, person, 100,000 rows | 1 s | 2 s | 0.5 |") == 1
    assert page.count("| regression | interlace |") == 1
    assert "demeaned columns" not in page.partition("## Every answer")[2]
