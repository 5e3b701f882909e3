"""What absorbed factors leave of the columns of X: its triangle, and which of them are kept."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from interlace import lm
from interlace.estimation import beside_levels
from interlace.estimation.beside_levels import PLAIN, Left, absorbed_of


def table(correlation: float, n: int = 2000) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    f = rng.integers(50, size=n)
    x = rng.normal(size=n)
    z = correlation * x + np.sqrt(1 - correlation**2) * rng.normal(size=n)
    y = x - z + rng.normal(size=n)
    return pd.DataFrame({"y": 1e3 + y, "x": 50 + x, "z": z, "f": f, "w": rng.uniform(0.5, 2, size=n)})


def left_of(correlation: float, weights: str | None) -> tuple[Left, np.ndarray]:
    fit = lm("y ~ x + z | f", table(correlation), weights=weights).fit
    absorbed = absorbed_of(fit.encoding, fit.rows)
    assert absorbed is not None and fit.design.y is not None
    return Left.of(absorbed, fit.rows, fit.design.y), fit.weights


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("correlation", [0.0, 0.9, 0.9989, 0.9992, 0.9999999])
def test_triangles_are_those_of_rows(
    correlation: float, weights: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, w = left_of(correlation, weights)
    asked: list[int] = []
    real = beside_levels.triangle
    monkeypatch.setattr(beside_levels, "triangle", lambda *given: asked.append(1) or real(*given))
    R = beside_levels._triangle(left.values, w if weights else None)
    # products of columns are believed as far as they tell all digits
    rows = left.values * np.sqrt(w)[:, None]
    smallest = np.linalg.eigvalsh(np.corrcoef(rows.T))[0]
    assert bool(asked) == (smallest < PLAIN)
    expected = np.linalg.qr(rows, mode="r")
    expected *= np.sign(np.diagonal(expected))[:, None]
    signs = np.sign(np.diagonal(R))[:, None]
    np.testing.assert_allclose(np.triu(R) * signs, expected, rtol=1e-10, atol=1e-11)


def test_nothing_is_left_of_a_column() -> None:
    data = table(0.5)
    data["c"] = data["f"] % 7.0
    with pytest.warns(UserWarning, match="dropped 1 column"):
        model = lm("y ~ x + c + z | f", data)
    plain = lm("y ~ x + z | f", data)
    np.testing.assert_allclose(model.fixef, plain.fixef, rtol=1e-12)
    np.testing.assert_allclose(model.vcov(), plain.vcov(), rtol=1e-11)


def test_levels_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from interlace.design import absorbing

    real, asked = absorbing.learn_grouping, []
    monkeypatch.setattr(absorbing, "learn_grouping", lambda *given: asked.append(given[0]) or real(*given))
    lm("y ~ x | f", table(0.5))
    assert asked == ["f"]
