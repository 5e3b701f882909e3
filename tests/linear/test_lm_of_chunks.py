"""`lm` of rows in chunks: what the table in memory gives, and what needs it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import DataError, ModelError, RankDeficiencyWarning
from interlace.model.least import LinearModel


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 900
    found = pd.DataFrame(
        {"x": rng.normal(3, 1, n), "a": rng.choice(list("abc"), n), "g": rng.integers(0, 9, n)}
    )
    found["w"], found["o"] = rng.uniform(0.5, 2, n), rng.normal(size=n)
    found["y"] = found["x"] + found["o"] + rng.normal(size=n)
    found.loc[rng.choice(n, 20), "x"] = np.nan
    return found


@pytest.fixture(scope="module")
def files(data: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("lm")
    for i, part in enumerate(np.array_split(np.arange(len(data)), 3)):
        data.iloc[part].to_parquet(folder / f"{i}.parquet")
    return interlace.chunks(folder, rows=256)


ANSWERS = {
    "fixef": lambda m: m.fixef,
    "se": lambda m: m.se,
    "vcov": lambda m: m.vcov(),
    "coef_table": lambda m: m.coef_table(),
    "confint": lambda m: m.confint(),
    "tidy": lambda m: m.tidy()["p.value"],
    "glance": lambda m: m.glance(),
    "loglik": lambda m: m.loglik,
    "aic": lambda m: [m.aic, m.bic, m.sigma, m.df_resid],
    "r2": lambda m: list(m.r2().values()),
    "anova 1": lambda m: m.anova(type=1)["F"],
    "anova 3": lambda m: m.anova(type=3)["F"],
    "contrast_test": lambda m: [m.contrast_test("x = 1").p],
    "emmeans": lambda m: m.emmeans("a").frame["estimate"],
    "to_dict": lambda m: m.to_dict()["vcov"]["values"],
    "fitted": lambda m: m.fitted,
    "residuals": lambda m: m.residuals(),
    "studentized": lambda m: m.residuals("studentized"),
    "leverage": lambda m: m.leverage(),
    "predict": lambda m: m.predict(),
    "simulate": lambda m: m.simulate(1, seed=1)["sim_1"].to_numpy(),
    "summary": lambda m: [float(w) for w in str(m.summary()).split() if w.replace(".", "").isdigit()],
}


@pytest.mark.parametrize(
    ("formula", "options"), [("y ~ x * a", {}), ("y ~ 0 + a + x", {"weights": "w", "offset": "o"})]
)
def test_the_answers_of_the_table(
    formula: str, options: dict[str, Any], data: pd.DataFrame, files: Any
) -> None:
    whole, chunks = interlace.lm(formula, data, **options), interlace.lm(formula, files, **options)
    for name, ask in ANSWERS.items():
        a, b = np.asarray(ask(chunks), dtype=float), np.asarray(ask(whole), dtype=float)
        assert a.shape == b.shape, name
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12 * np.abs(b).max(), err_msg=name)


@pytest.mark.parametrize(
    "ask",
    [
        lambda m: m.coef_table(vcov="HC1"),
        lambda m: m.vcov(cluster="g"),
        lambda m: m.augment(),
    ],
)
def test_what_needs_all_rows_says_how_they_are_had(ask: Any, files: Any) -> None:
    with pytest.raises(ModelError, match=r"all rows in memory at once.*read_table"):
        ask(interlace.lm("y ~ x * a", files))


def test_columns_that_depend_on_others_and_rows_that_are_too_few(data: pd.DataFrame, tmp_path: Path) -> None:
    data.assign(x2=2 * data["x"]).to_parquet(tmp_path / "0.parquet")
    with pytest.warns(RankDeficiencyWarning, match="dropped 1 column.*x2"):
        m = interlace.lm("y ~ x + x2", tmp_path)
    assert isinstance(m, LinearModel) and list(m.fixef.index) == ["Intercept", "x"]
    data[:2].to_parquet(tmp_path / "0.parquet")
    with pytest.raises(ModelError, match="2 rows cannot tell 2 coefficients"):
        interlace.lm("y ~ x", tmp_path)
    data.assign(y=2 * data["x"]).to_parquet(tmp_path / "0.parquet")
    with pytest.raises(ModelError, match="fits the response exactly"):
        interlace.lm("y ~ x", tmp_path)
    with pytest.raises(DataError, match="constant"):
        data.assign(y=1.0).to_parquet(tmp_path / "0.parquet")
        interlace.lm("y ~ x", tmp_path)
