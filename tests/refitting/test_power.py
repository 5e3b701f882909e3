"""Power beside its exact value where there is one, and designs beside tables that are extended by hand."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import interlace
from interlace import lmer
from interlace.datasets import load
from interlace.errors import DataError, ModelError
from interlace.refitting.along import read_along
from interlace.refitting.cases import fit_rows
from interlace.refitting.extend import Size, extended
from interlace.refitting.power import wilson
from made_data import crossed


@pytest.fixture(scope="module")
def sleep() -> Any:
    return lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy"))


def pairs(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    d = pd.DataFrame({"b": np.repeat(np.arange(n), 2), "t": [0.0, 1.0] * n})
    return d.assign(y=2 * np.repeat(rng.normal(size=n), 2) + rng.normal(size=2 * n))


def test_power_of_a_paired_design_is_that_of_noncentral_t() -> None:
    """Two treatments in n blocks: the test is the paired t test on n - 1 degrees of freedom."""
    m = lmer("y ~ t + (1 | b)", pairs(8))
    found = interlace.power(m, effect={"t": 1.2}, n_groups=[6, 20], n=250, seed=2).table
    for n, power in zip(found["groups"], found["power"], strict=True):
        shift = 1.2 / (m.sigma * np.sqrt(2 / n))
        edge = stats.t.ppf(0.975, n - 1)
        exact = stats.nct.sf(edge, n - 1, shift) + stats.nct.cdf(-edge, n - 1, shift)
        assert abs(power - exact) < 4 * np.sqrt(exact * (1 - exact) / 250)
    assert list(found["rows"]) == [12, 40]


def test_without_an_effect_it_is_the_size_of_the_test() -> None:
    m = lmer("y ~ t + (1 | b)", pairs(10))
    found = interlace.power(m, effect={"t": 0.0}, n=250, seed=2, alpha=0.1).table
    assert abs(found["power"].iloc[0] - 0.1) < 4 * np.sqrt(0.09 / 250)
    assert found["lower"].iloc[0] < 0.1 < found["upper"].iloc[0] + 0.03 and "groups" not in found


def test_wilson_intervals() -> None:
    for hits, n in ((0, 20), (3, 20), (10, 20), (20, 20)):
        theirs = stats.binomtest(hits, n).proportion_ci(method="wilson")
        np.testing.assert_allclose(
            wilson(np.array([hits]), np.array([n]), 0.95), [[theirs.low], [theirs.high]], atol=1e-12
        )


@pytest.mark.parametrize("n", [5, 18, 40])
def test_levels_are_copied_in_turn(n: int, sleep: Any) -> None:
    s = load("sleepstudy")
    names = s["Subject"].unique()
    table = pd.concat([s[s["Subject"] == names[j % 18]].assign(Subject=f"s{j:03d}") for j in range(n)])
    rows, codes, _ = extended(sleep.fit, Size(("Subject", n), None))
    np.testing.assert_array_equal(sleep.fit.design.y[rows], table["Reaction"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", interlace.InterlaceWarning)
        found, expected = fit_rows(sleep.fit, rows, codes), lmer(sleep.formula, table)
    np.testing.assert_allclose(found.solution.beta, expected.fixef, rtol=1e-8)
    assert found.sigma == pytest.approx(expected.sigma, rel=1e-6)
    assert len(found.encoding.random[0].levels) == n


def test_rows_are_copied_within_groups(sleep: Any) -> None:
    rows, codes, _ = extended(sleep.fit, Size(None, ("Subject", 13)))
    assert np.bincount(codes["Subject"]).tolist() == [13] * 18
    np.testing.assert_array_equal(rows[:13], [*range(10), 0, 1, 2])
    rows, _, _ = extended(sleep.fit, Size(None, ("Subject", 4)))
    np.testing.assert_array_equal(rows[:8], [0, 1, 2, 3, 10, 11, 12, 13])
    rows, codes, _ = extended(sleep.fit, Size(("Subject", 20), ("Subject + Days", 2)))
    assert len(rows) == 400 and np.bincount(codes["Subject"]).tolist() == [20] * 20
    assert np.bincount(rows)[:10].tolist() == [4] * 10  # the first subject came twice


def test_levels_within_copied_levels_are_copies() -> None:
    m = lmer("strength ~ 1 + (1 | batch) + (1 | batch:cask)", load("pastes"))
    rows, codes, _ = extended(m.fit, Size(("batch", 14), None))
    assert len(rows) == 84 and len(np.unique(codes["batch:cask"])) == 42
    rows, codes, _ = extended(m.fit, Size(("batch:cask", 30), None))
    assert len(np.unique(codes["batch"])) == 10
    both = lmer("y ~ x + (1 | a) + (1 | b)", crossed(np.random.default_rng(2), n=120))
    before = len(np.unique(both.fit.design.random[1].codes))
    _, codes, _ = extended(both.fit, Size(("a", 40), None))
    assert len(np.unique(codes["a"])) == 40 and len(np.unique(codes["b"])) == before


def by_hand(s: pd.DataFrame, values: list[float]) -> pd.DataFrame:
    """R's simr: slices through the data for each old value, in turn, with the new values."""
    old = sorted(s["Days"].unique())
    slices = [(v, v if v in old else old[j % len(old)]) for j, v in enumerate(values)]
    return pd.concat([s[s["Days"] == source].assign(Days=v) for v, source in slices])


@pytest.mark.parametrize(
    ("along", "values", "expected"),
    [
        ({"Days": 4}, None, [0, 1, 2, 3]),
        ({"Days": 13}, None, range(13)),
        ("Days", [0, 3, 9, 20], [0, 3, 9, 20]),
        ({"Days": 3}, [0, 2, 4, 8], [0, 2, 4]),
        ("Days", [-1, 0, 1, 2], [-1, 0, 1, 2]),
    ],
)
def test_values_of_a_covariate(along: Any, values: Any, expected: Any) -> None:
    """The design is that of a table made by hand, in a model whose columns are functions of the covariate."""
    s = load("sleepstudy").drop(index=[3, 4, 29, 55])  # some subjects missed some days
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", interlace.InterlaceWarning)
        for formula in (
            "Reaction ~ Days + (Days | Subject)",
            "Reaction ~ scale(Days) + I(Days**2) + (1 | Subject) + (1 | Days)",
        ):
            m = lmer(formula, s)
            (one,) = read_along(m.fit, along, values)
            found = fit_rows(m.fit, *extended(m.fit, Size(None, None, one)))
            table = by_hand(s, list(expected))
            design = m.fit.encoding.design(table)
            key, theirs = found.design.X, design.X
            assert len(key) == len(table)
            np.testing.assert_allclose(key[np.lexsort(key.T)], theirs[np.lexsort(theirs.T)], rtol=1e-12)
            expected_fit = lmer(formula.replace("scale(Days)", "Days"), table)
            assert found.sigma == pytest.approx(expected_fit.sigma, rel=1e-5)
            assert [len(b.levels) for b in found.encoding.random] == [
                len(b.levels) for b in expected_fit.fit.encoding.random
            ]


@pytest.mark.parametrize(("values", "kind"), [([0, 1, 12], "i"), ([0.5, 1.5, 2.25], "f")])
def test_whole_numbers_stay_whole_and_others_are_not_cut(values: list[float], kind: str) -> None:
    m = lmer("Reaction ~ I(Days**2) + (1 | Subject)", load("sleepstudy").astype({"Days": int}))
    (one,) = read_along(m.fit, "Days", values)
    days: Any = extended(m.fit, Size(None, None, one))[2]["Days"]
    assert days.dtype.kind == kind and np.unique(days).tolist() == values


def test_more_days_find_a_smaller_slope(sleep: Any) -> None:
    options: dict[str, Any] = {"effect": {"Days": 4.0}, "n": 60, "seed": 1}
    found = interlace.power(sleep, along={"Days": [4, 10, 14]}, **options).table
    assert list(found["values"]) == [4, 10, 14] and list(found["rows"]) == [72, 180, 252]
    assert found["power"].iloc[0] < found["power"].iloc[1]
    assert (
        found["power"].iloc[1]
        == interlace.power(sleep, along="Days", values=range(10), **options).table["power"].iloc[0]
    )
    assert "values of Days: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ..., 13" in found.note
    grid = interlace.power(
        sleep, along={"Days": [3, 5]}, n_groups=[6, 8], n_per_group=[6, 10], effect={"Days": 4.0}, n=3, seed=1
    )
    assert list(grid.table["rows"]) == [36, 60, 36, 60, 48, 80, 48, 80]
    assert len(grid.plot().lines) == 4


def test_levels_of_a_factor_and_groups_within_values() -> None:
    cake = lmer(
        "angle ~ temp + (1 | recipe:replicate)", load("cake").assign(temp=lambda d: d["temp"].astype(str))
    )
    (two,) = read_along(cake.fit, "temp", ["185.0", "225.0"])
    with pytest.raises(ModelError, match="2 values of 'temp' is too small"):  # a level without rows
        interlace.power(cake, along="temp", values=["185.0", "225.0"], n=2, seed=1)
    assert (
        extended(cake.fit, Size(None, None, two)).columns["temp"].levels.tolist()
        == cake.fit.design.frame.columns["temp"].levels.tolist()
    )  # type: ignore[union-attr]
    between = lmer("y ~ t + (1 | b)", pairs(6).assign(t=lambda d: d["b"] * 1.0))
    (more,) = read_along(between.fit, {"t": 9}, None)
    rows, codes, columns = extended(between.fit, Size(None, None, more))
    assert len(np.unique(codes["b"])) == 9 and columns["t"].max() == 8 and len(rows) == 18  # type: ignore[union-attr]


def test_grids_tests_and_threads(sleep: Any) -> None:
    options: dict[str, Any] = {"effect": {"Days": 5.0}, "n": 12, "seed": 3}
    one = interlace.power(sleep, n_groups=[6, 12], n_per_group=[5, 10], **options)
    assert list(one.table["groups"]) == [6, 6, 12, 12] and list(one.table["per_group"]) == [5, 10, 5, 10]
    two = interlace.power(sleep, n_groups=[6, 12], n_per_group=[5, 10], n_jobs=2, **options)
    pd.testing.assert_frame_equal(one.table, two.table)
    by_hand = interlace.power(sleep, test=lambda r: r.coef_table().loc["Days", "p"], **options)
    for test in ("Days", ["Days"], {"Days": 1.0}, "Days = 0"):
        assert interlace.power(sleep, test=test, **options).table["power"].equals(by_hand.table["power"])
    wald = interlace.power(sleep, ddf="asymptotic", n_groups=6, **options).table["power"].iloc[0]
    assert wald >= interlace.power(sleep, n_groups=6, **options).table["power"].iloc[0]
    cake = lmer("angle ~ recipe + temp + (1 | recipe:replicate)", load("cake"))
    joint = interlace.power(cake, test="recipe", n=8, seed=1)
    assert joint.test == "recipe" and "Hoenig" in joint.table.note
    expected = interlace.power(cake, test=lambda r: r.anova().loc["recipe", "p"], n=8, seed=1)
    assert joint.table["power"].equals(expected.table["power"])


def test_the_curve(sleep: Any) -> None:
    found = interlace.power(sleep, effect={"Days": 5.0}, n_groups=[12, 6], n=10, seed=3)
    ax = found.plot()
    x, y = ax.lines[0].get_data()
    assert list(x) == [6, 12] and list(y) == found.table.sort_values("groups")["power"].tolist()
    grid = interlace.power(sleep, effect={"Days": 5.0}, n_groups=[6, 12], n_per_group=[5, 10], n=4, seed=3)
    assert len(grid.plot().lines) == 2


def test_failures_count_as_not_significant(sleep: Any) -> None:
    calls = iter(range(100))
    found = interlace.power(
        sleep, test=lambda r: np.nan if next(calls) % 2 else 0.001, effect={"Days": 5.0}, n=20, seed=1
    ).table
    assert found["power"].iloc[0] == 0.5 and found["failed"].iloc[0] == 10
    assert "10 simulations count as not significant: the test has no p-value" in found.note


def test_what_is_refused(sleep: Any) -> None:
    for options, words in (
        ({"effect": {"Day": 1}}, "Did you mean|did you mean 'Days'"),
        ({"effect": [1]}, "effect must be a mapping"),
        ({"effect": {"Days": np.inf}}, "finite"),
        ({"n_groups": {"Subjects": 3}}, "no grouping factor"),
        ({"n_groups": 0}, "n_groups must be"),
        ({"n_groups": []}, "is empty"),
        ({"n_per_group": {"Weeks": 3}}, "neither a grouping factor nor a column"),
        ({"along": {"Dais": 3}}, "no covariate of the model: did you mean 'Days'"),
        ({"along": "Reaction", "values": [1, 2]}, "no covariate"),
        ({"along": {"Subject": 30}}, "give n_groups"),
        ({"along": {"Days": 3, "x": 2}}, "must name one covariate"),
        ({"along": {"Days": []}}, "along is empty"),
        ({"along": {"Days": 0}}, "along must be"),
        ({"along": "Days"}, "needs numbers of values"),
        ({"along": "Days", "values": 3}, "must be several values"),
        ({"along": "Days", "values": [1, 1]}, "each once"),
        ({"along": "Days", "values": [1, np.nan]}, "finite"),
        ({"along": {"Days": 5}, "values": [1, 2]}, "asks for 5 values"),
        ({"values": [1, 2]}, "name it by along="),
        ({"n": 0}, "n must be"),
        ({"alpha": 5}, "alpha must be between"),
        ({"seed": "x"}, "seed must be"),
        ({"test": lambda r: 3.0, "n": 2}, "between 0 and 1"),
        ({"test": lambda r: "no", "n": 2}, "must give a p-value"),
    ):
        with pytest.raises(DataError, match=words):
            interlace.power(sleep, **options)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="power is of a model"):
        interlace.power(3)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="several grouping factors"):
        interlace.power(lmer("strength ~ 1 + (1 | batch/cask)", load("pastes")), n_groups=3)
    with pytest.raises(ModelError, match="1 rows in each level of 'Subject' is too small"):
        interlace.power(sleep, n_per_group=1, n=2)
    uneven = lmer("Reaction ~ Days + (1 | Subject)", load("sleepstudy").query("Days != 4"))
    with pytest.raises(DataError, match="not at equal distances"):
        interlace.power(uneven, along={"Days": 12}, n=2)
    assert interlace.power(uneven, along={"Days": 6}, n=2, seed=1).table["rows"].iloc[0] == 108
    with pytest.raises(DataError, match="no level of 'recipe' and has no coefficient"):
        cake = lmer("angle ~ recipe + (1 | replicate)", load("cake"))
        interlace.power(cake, along="recipe", values=["A", "D"], n=2)
    with pytest.raises(DataError, match="another one would have no coefficient"):
        interlace.power(cake, along={"recipe": 4}, n=2)
