"""Other responses for a model whose rows are read in chunks: the numbers of the table in memory."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import DataError, ModelError, RankDeficiencyWarning
from interlace.estimation import gathering

from .passes import away, cut, passed

FORMULA = "y ~ x + a + (1 + x | g)"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 700
    found = pd.DataFrame({"g": rng.integers(0, 20, n), "h": rng.integers(0, 7, n), "x": rng.normal(size=n)})
    found["a"] = rng.choice(["no", "yes"], n)
    found["many"] = np.resize([f"m{i}" for i in range(60)], n)
    found["w"], found["o"] = rng.uniform(0.5, 2, n), rng.normal(50, 3, n)
    effects = rng.normal(size=(20, 2))[found["g"]]
    found["y"] = 100 + found["x"] + effects[:, 0] + effects[:, 1] * found["x"] + rng.normal(size=n)
    found.loc[[3, 400], "x"] = np.nan
    return found


@pytest.fixture(scope="module")
def folder(data: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("again")
    for i, part in enumerate(cut(data, 200)):
        part.to_parquet(folder / f"{i}.parquet", index=False)
    return folder


def both(formula: str, data: pd.DataFrame, folder: Path, **options: Any) -> tuple[Any, Any]:
    read = interlace.lmer(formula, interlace.chunks(folder, rows=256), **options)
    return interlace.lmer(formula, data, **options), read


@pytest.mark.parametrize(
    ("formula", "options"),
    [
        (FORMULA, {"weights": "w"}),
        ("y ~ x + (1 | g) + (1 | h)", {"offset": "o", "reml": False}),
        ("y ~ 0 + many + x + (1 | g)", {}),
    ],
)
def test_the_parametric_bootstrap_draws_the_same_responses(
    formula: str, options: dict[str, Any], data: pd.DataFrame, folder: Path
) -> None:
    whole, m = both(formula, data, folder, **options)
    draws, read = whole.bootstrap(4, seed=5), m.bootstrap(4, seed=5)
    assert away(read.draws, draws.draws) < 1e-8
    assert away(read.confint(), draws.confint()) < 1e-8


def test_statistics_of_each_refit(data: pd.DataFrame, folder: Path) -> None:
    whole, m = both(FORMULA, data, folder)

    def slope(one: Any) -> Any:
        return {"x": one.fixef["x"], "largest": float(np.abs(one.residuals()).max())}

    assert (
        away(m.bootstrap(3, statistic=slope, seed=1).draws, whole.bootstrap(3, statistic=slope, seed=1).draws)
        < 1e-8
    )


def test_the_bootstrap_of_a_likelihood_ratio(data: pd.DataFrame, folder: Path) -> None:
    whole, m = both(FORMULA, data, folder)
    small, part = both("y ~ x + a + (1 | g)", data, folder)
    one = interlace.bootstrap_compare(whole, small, n=4, seed=2)
    for smaller in (part, interlace.lmer("y ~ x + a + (1 | g)", interlace.chunks(folder, rows=300))):
        other = interlace.bootstrap_compare(m, smaller, n=4, seed=2)
        assert away(np.sort(other.reference), np.sort(one.reference)) < 1e-7


@pytest.mark.parametrize("options", [{}, {"weights": "w"}, {"offset": "o"}])
def test_a_response_beside_the_rows(options: dict[str, Any], data: pd.DataFrame, folder: Path) -> None:
    whole, m = both(FORMULA, data, folder, **options)
    y = data["y"].to_numpy()[::-1] + 7.0
    used = data["x"].notna().to_numpy()
    for given in (y, y[used]):
        found, expected = m.refit(given), whole.refit(given)
        for what in ("fixef", "se", "theta", "loglik", "fitted"):
            assert away(getattr(found, what), getattr(expected, what)) < 1e-8
        assert away(found.residuals("studentized"), expected.residuals("studentized")) < 1e-7
        assert away(found.refit(reml=False).theta, expected.refit(reml=False).theta) < 1e-7
        assert away(found.anova(type=3), expected.anova(type=3)) < 1e-7
    again = pickle.loads(pickle.dumps(m.refit(y)))
    assert away(again.fitted, whole.refit(y).fitted) < 1e-8
    Y = np.column_stack([y, data["o"]])
    found, expected = m.refit(Y), whole.refit(Y)
    assert away(found.select_dtypes("number"), expected.select_dtypes("number")) < 1e-7
    with pytest.raises(DataError, match="the response has 3 values, not 698"):
        m.refit([1.0, 2.0, 3.0])


def test_a_response_of_least_squares(data: pd.DataFrame, folder: Path) -> None:
    options: dict[str, Any] = {"weights": "w", "offset": "o"}
    whole = interlace.lm("y ~ x + a", data, **options)
    m = interlace.lm("y ~ x + a", interlace.chunks(folder, rows=256), **options)
    y = data["y"].to_numpy()[::-1]
    assert away(m.refit(y).coef_table(), whole.refit(y).coef_table()) < 1e-9
    assert away(m.refit(y).residuals(), whole.refit(y).residuals()) < 1e-9


def test_a_response_that_x_explains_nearly(data: pd.DataFrame, folder: Path) -> None:
    whole, m = both(FORMULA, data, folder)
    y = (1e5 * data["x"].fillna(0) + data["y"]).to_numpy()
    found, expected = m.refit(y), whole.refit(y)
    assert found.fit.A.origin.beta.any()
    for what in ("fixef", "se", "theta", "loglik"):
        assert away(getattr(found, what), getattr(expected, what)) < 1e-7


def test_kinds_that_need_all_rows_say_so(data: pd.DataFrame, folder: Path) -> None:
    _, m = both(FORMULA, data, folder)
    for kind in ("residual", "reb0", "wild", "case"):
        with pytest.raises(ModelError, match=r"needs all rows in memory at once.*fit their table"):
            m.bootstrap(3, kind=kind, seed=1)


@pytest.mark.parametrize(
    ("formula", "options"),
    [
        (FORMULA, {"weights": "w"}),
        ("y ~ 0 + a + many + x + (1 | g)", {}),  # without `a` the other factor is coded anew
        ("y ~ x + I(2 * x) + a + (1 | g)", {}),
        ("y ~ scale(x) * a + (1 | g) + (1 | h)", {"offset": "o"}),
    ],
)
def test_single_terms_are_dropped(
    formula: str, options: dict[str, Any], data: pd.DataFrame, folder: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RankDeficiencyWarning)
        whole, m = both(formula, data, folder, **options)
    assert away(m.drop1(), whole.drop1()) < 1e-8
    assert away(m.drop1(test="lrt"), whole.drop1(test="lrt")) < 1e-6


def test_terms_are_dropped_without_rows(data: pd.DataFrame) -> None:
    m = passed(interlace.Accumulator(FORMULA, data), cut(data, 200)).fit()
    whole = interlace.lmer(FORMULA, data)
    assert away(m.drop1(), whole.drop1()) < 1e-8
    assert away(m.drop1(test="lrt"), whole.drop1(test="lrt")) < 1e-6


@pytest.mark.parametrize(
    ("large", "smaller", "options"),
    [
        (
            "(1 + x + o | g) + (1 | i)",
            ["(1 + o | g) + (1 | i)", "(1 + x | g) + (1 | i)", "(1 + x + o | g)"],
            {},
        ),
        ("(1 + x | h) + (1 | g)", ["(1 | h) + (1 | g)", "(1 + x | h)"], {"weights": "w", "reml": False}),
        ("(x || g) + (1 | h)", ["(0 + x | g) + (1 | h)", "(1 | g) + (1 | h)", "(x || g)"], {}),
        ("(1 + a * x | g)", ["(1 + a + x | g)"], {}),
        ("cs(1 + x | g) + (1 | h)", ["diag(1 + x | g) + (1 | h)", "(1 | h)", "cs(1 + x | g)"], {}),
    ],
)
def test_random_terms_are_tested_without_rows(
    large: str, smaller: list[str], options: dict[str, Any], data: pd.DataFrame, folder: Path
) -> None:
    """Smaller models have some of the products of the larger one; their factors may change places."""
    data = data.assign(i=np.arange(len(data)) % 23)
    fixed, options = "y ~ x + a + ", dict(options)
    expected = [interlace.lmer(fixed + terms, data, **options) for terms in [large, *smaller]]
    reml = options.pop("reml", True)
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(gathering, "_ROOM", 0)  # no row waits
        changed.setattr(gathering, "_numbers", lambda encoding: 0)
        m = passed(interlace.Accumulator(fixed + large, data, **options), cut(data, 200)).fit(reml=reml)
    found = m.ranova()
    assert away(found["loglik"], [one.loglik for one in expected]) < 1e-9
    assert list(found["npar"]) == [one.fit.n_parameters for one in expected]


def test_a_random_term_that_gets_another_column_needs_rows(data: pd.DataFrame) -> None:
    m = passed(interlace.Accumulator("y ~ x + (0 + x | g)", data), cut(data, 200)).fit()
    with pytest.raises(DataError, match=r"accumulator\.fit\(rows="):
        m.ranova()
    whole = interlace.lmer("y ~ x + (0 + x | g)", data)
    assert away(m.ranova(drop="terms"), whole.ranova(drop="terms")) < 1e-9


def test_backward_elimination(data: pd.DataFrame, folder: Path) -> None:
    whole, m = both("y ~ x + a + (1 + x | g) + (1 | h)", data, folder)
    found, expected = interlace.step(m), interlace.step(whole)
    assert found.model.formula == expected.model.formula != whole.formula
    assert away(found.fixed, expected.fixed) < 1e-6 and away(found.random, expected.random) < 1e-6


@pytest.mark.parametrize(
    ("formula", "options"),
    [(FORMULA, {"weights": "w"}), ("y ~ x * a + (1 | g) + (1 | h)", {"offset": "o"})],
)
def test_kenward_and_roger(formula: str, options: dict[str, Any], data: pd.DataFrame, folder: Path) -> None:
    whole, m = both(formula, data, folder, **options)
    fitted = passed(interlace.Accumulator(formula, data, **options), cut(data, 200)).fit()
    for one in (m, fitted):
        assert away(one.coef_table(ddf="kenward-roger"), whole.coef_table(ddf="kenward-roger")) < 1e-8
    assert away(m.anova(ddf="kenward-roger"), whole.anova(ddf="kenward-roger")) < 1e-8


def test_a_term_is_dropped_where_y_is_about_a_fit_of_x(data: pd.DataFrame) -> None:
    """The products are about the fit of all columns, and not those of the smaller model."""
    large = data.assign(y=1e4 * data["x"] + 1e4 * (data["a"] == "yes") + data["y"])
    m = interlace.lmer("y ~ x + a + (1 | g)", large, reml=False)
    assert m.fit.A.origin.beta.any()
    smaller = interlace.lmer("y ~ x + (1 | g)", large, reml=False)
    assert m.drop1(test="lrt").loc["a", "lrt"] == pytest.approx(2 * (m.loglik - smaller.loglik), rel=1e-9)


def test_what_a_model_without_its_rows_answers(data: pd.DataFrame, tmp_path: Path) -> None:
    whole = interlace.lmer(FORMULA, data, weights="w")
    whole.save(tmp_path / "m.interlace", rows=False)
    for m in (whole.without_rows(), interlace.load(tmp_path / "m.interlace")):
        assert away(m.emmeans("a").frame["estimate"], whole.emmeans("a").frame["estimate"]) < 1e-12
        assert away(m.drop1(), whole.drop1()) < 1e-10
        assert away(m.coef_table(ddf="kenward-roger"), whole.coef_table(ddf="kenward-roger")) < 1e-8
