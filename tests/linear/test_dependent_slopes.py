"""Slopes of absorbed factors that depend on others, beside a dense matrix of all coefficients."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.design import held_slopes
from interlace.errors import ModelError


def panel(seed: int = 0, n: int = 700) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"state": rng.integers(0, 12, n), "year": rng.integers(1990, 1999, n)})
    rows["x"] = rng.normal(size=n) + 0.1 * rows.state
    rows["z"] = rng.normal(size=n) + 0.05 * (rows.year - 1990)
    rows["t"], rows["square"] = rows.year - 1994.0, (rows.year - 1994.0) ** 2
    rows["w"] = rng.uniform(0.5, 2.0, n)
    rows["worker"] = rng.integers(0, 60, n)
    rows["y"] = rows.x - 0.5 * rows.z + 0.2 * rows.state * rows.t + rng.normal(size=n)
    return rows


def dense(rows: pd.DataFrame, columns: list[str], terms: list[tuple[str, tuple[str, ...]]]) -> np.ndarray:
    """X and a column for each level, times ones or a slope."""
    parts = [rows[columns].to_numpy(float)]
    for name, slopes in terms:
        D = pd.get_dummies(rows[name]).to_numpy(float)
        parts += [D, *(D * rows[[slope]].to_numpy(float) for slope in slopes)]
    return np.column_stack(parts)


TRENDS: list[tuple[str, list[tuple[str, tuple[str, ...]]]]] = [
    ("state[t] + year", [("state", ("t",)), ("year", ())]),
    ("year + state + state[[t]]", [("state", ("t",)), ("year", ())]),
    ("state[t, square] + year", [("state", ("t", "square")), ("year", ())]),
    ("state[x] + year[x]", [("state", ("x",)), ("year", ("x",))]),
    ("state[z] + year[t] + worker", [("state", ("z",)), ("year", ("t",)), ("worker", ())]),
]


@pytest.mark.parametrize(("absorbed", "terms"), TRENDS)
@pytest.mark.parametrize("weights", [None, "w"])
def test_least_squares_beside_a_dense_matrix(absorbed: str, terms: Any, weights: str | None) -> None:
    rows = panel()
    used = ["z"] if "[x]" in absorbed else ["x"] if "[z]" in absorbed else ["x", "z"]
    m = interlace.lm(f"y ~ {' + '.join(used)} | {absorbed}", rows, weights=weights)
    X, root = dense(rows, used, terms), np.ones(len(rows)) if weights is None else np.sqrt(rows["w"])
    rank = np.linalg.matrix_rank(X)
    beta, *_ = np.linalg.lstsq(root.to_numpy()[:, None] * X if weights else X, root * rows["y"], rcond=None)
    residuals = rows["y"] - X @ beta
    np.testing.assert_allclose(m.fixef, beta[: len(used)], rtol=1e-8)
    assert m.fit.rank == rank and m.fit.df_resid == len(rows) - rank
    sigma2 = float((root**2 * residuals**2).sum()) / (len(rows) - rank)
    assert m.fit.scale == pytest.approx(sigma2, rel=1e-9)
    np.testing.assert_allclose(m.residuals(), residuals, atol=1e-8)
    # what is told of the levels says the same of the rows, in the basis that is left
    np.testing.assert_allclose(m.predict(rows), rows["y"] - residuals, atol=1e-7)


@pytest.mark.parametrize("reml", [True, False])
def test_mixed_model_is_that_with_dummies(reml: bool) -> None:
    rows = panel(1)
    one = interlace.lmer("y ~ x + (1 | worker) | state[t] + year", rows, reml=reml)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", interlace.InterlaceWarning)
        other = interlace.lmer("y ~ x + factor(state) * t + factor(year) + (1 | worker)", rows, reml=reml)
    assert one.fixef["x"] == pytest.approx(other.fixef["x"], rel=1e-8)
    assert one.coef_table()["se"]["x"] == pytest.approx(other.coef_table()["se"]["x"], rel=1e-8)
    assert one.coef_table()["df"]["x"] == pytest.approx(other.coef_table()["df"]["x"], rel=1e-5)
    np.testing.assert_allclose(one.theta, other.theta, rtol=1e-5)


def test_the_last_slope_is_held_and_order_of_rows_does_not_matter() -> None:
    rows = panel(2)
    one = interlace.lm("y ~ x | state[t] + year", rows).absorbed()
    other = interlace.lm("y ~ x | state[t] + year", rows.sample(frac=1.0, random_state=3)).absorbed()
    trends = one[one["coefficient"] == "t"]
    assert trends["level"][trends["estimate"] == 0.0].tolist() == [11]
    both = one.merge(other, on=["factor", "coefficient", "level"], suffixes=("", "_other"))
    assert len(both) == len(one)
    np.testing.assert_allclose(both["estimate"], both["estimate_other"], atol=1e-7)


def test_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_slopes, "MOST", 1)
    with pytest.raises(
        ModelError, match=r"slopes of state\[t, square\] depend on the other absorbed factors, and at"
    ):
        interlace.lm("y ~ x | state[t, square] + year", panel())
