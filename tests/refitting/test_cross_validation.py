"""Cross-validation beside refits of the rows that are left, and densities beside dense ones."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import interlace
from interlace import lmer
from interlace.datasets import load
from interlace.errors import DataError, ModelError
from made_data import crossed


def _data(n: int = 240) -> pd.DataFrame:
    data = pd.DataFrame(crossed(np.random.default_rng(4), n=n))
    return data.assign(w=1.0 + np.arange(n) % 4, o=np.sin(np.arange(n)), c=np.arange(n) % 9)


def _by_rows(formula: str, data: pd.DataFrame, held: np.ndarray, **options: Any) -> np.ndarray:
    """Predictions of a model fitted to the other rows, the slow way."""
    options = {
        name: value[~held] if isinstance(value, np.ndarray) else value for name, value in options.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", interlace.InterlaceWarning)
        m = lmer(formula, data[~held], **options)
    return np.asarray(m.predict(data[held], new_levels="population"))


MODELS = [
    ("y ~ x + (1 | a)", {}),
    ("y ~ x + (x | a) + (1 | b)", {}),
    ("y ~ x * z + (1 | a) + (0 + x | b)", {"weights": "w"}),
    ("y ~ 0 + f + offset(o) + (1 | a/b)", {"reml": False}),
    ("y ~ f + x + (x || a)", {"offset": "o"}),
    ("y ~ 1 + cs(1 + x | a)", {}),
]
FOLDS: list[dict[str, Any]] = [{"by": "a"}, {"by": "b", "k": 3, "seed": 1}, {"k": 4, "seed": 2}, {"by": "c"}]


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
@pytest.mark.parametrize("folds", FOLDS, ids=str)
@pytest.mark.parametrize(("formula", "options"), MODELS)
def test_subtraction_is_a_refit_of_the_rows(
    formula: str, options: dict[str, Any], folds: dict[str, Any]
) -> None:
    data = _data()
    found = lmer(formula, data, **options).cross_validate(**folds, scores="rmse").predictions
    size = data["y"].std()
    for label in found["fold"].unique()[:4]:
        held = (found["fold"] == label).to_numpy()
        theirs = _by_rows(formula, data, held, **options)
        np.testing.assert_allclose(found["predicted"][held], theirs, rtol=0, atol=1e-8 * size)


@pytest.mark.parametrize("transform", ["scale(x)", "poly(x, 3)", "bs(x, 5)", "ns(x, 3)", "I(x - mean(x))"])
def test_transforms_are_learnt_by_each_fold(transform: str) -> None:
    data = _data()
    data["x"] += 0.3 * data["c"]
    formula = f"y ~ {transform} + (scale(z) || a)"
    m = lmer(formula, data)
    found = m.cross_validate("c", scores="mae").predictions
    for label in (0, 8):
        held = (found["fold"] == label).to_numpy()
        theirs = _by_rows(formula, data, held)
        np.testing.assert_allclose(found["predicted"][held], theirs, rtol=0, atol=1e-7)
    leaky = m.cross_validate("c", scores="mae", transforms="data")
    assert "scale(z) learnt from all rows" in repr(leaky).replace("\n", " ")
    assert "learnt from all rows" not in repr(m.cross_validate("c", scores="mae")).replace("\n", " ")
    assert np.abs(leaky.predictions["predicted"] - found["predicted"]).max() > 1e-6


def _dense(m: Any, data: pd.DataFrame, held: np.ndarray, train: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the held-out responses given the others, by normal theory and a flat beta."""
    groups = [codes[:, None] == np.unique(codes) for codes in (data["a"].to_numpy(), data["b"].to_numpy())]
    return _given_others(m, data, held, train.varcorr()["variance"].to_numpy(), groups)


def _given_others(
    m: Any, data: pd.DataFrame, held: np.ndarray, variances: Any, Z: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    V = sum(v * (1.0 * z @ z.T) for v, z in zip(variances, Z, strict=False))
    V = V + np.diag(variances[-1] / data["w"].to_numpy())
    X, y = m.fit.X, data["y"].to_numpy()
    # a flat beta: V + lambda XX' for lambda to infinity, by the conditional formulas of universal kriging
    inv = np.linalg.inv(V[np.ix_(~held, ~held)])
    C = np.linalg.inv(X[~held].T @ inv @ X[~held])
    beta = C @ X[~held].T @ inv @ y[~held]
    weights = V[np.ix_(held, ~held)] @ inv
    left = X[held] - weights @ X[~held]
    mean = X[held] @ beta + weights @ (y[~held] - X[~held] @ beta)
    return mean, V[np.ix_(held, held)] - weights @ V[np.ix_(~held, held)] + left @ C @ left.T


@pytest.mark.parametrize("reml", [True, False])
def test_densities_and_scores_are_those_of_dense_normal_theory(reml: bool) -> None:
    data = _data(120)
    m = lmer("y ~ x + (1 | a) + (1 | b)", data, weights="w", reml=reml)
    cv = m.cross_validate("a")
    a, y = data["a"].to_numpy(), data["y"].to_numpy()
    for label in cv.table.index[:4]:
        held = a == label
        train = lmer("y ~ x + (1 | a) + (1 | b)", data[~held], weights="w", reml=reml)
        mean, S = _dense(m, data, held, train)
        row = cv.table.loc[label]
        sd = np.sqrt(np.diagonal(S))
        np.testing.assert_allclose(cv.predictions["predicted"][held], mean, rtol=1e-7)
        np.testing.assert_allclose(cv.predictions["sd"][held], sd, rtol=1e-6)
        assert row["elpd"] == pytest.approx(stats.multivariate_normal(mean, S).logpdf(y[held]), rel=1e-6)
        assert row["rmse"] == pytest.approx(np.sqrt(np.mean((y[held] - mean) ** 2)), rel=1e-7)
        assert row["mae"] == pytest.approx(np.mean(np.abs(y[held] - mean)), rel=1e-7)
        total = np.sum((y[held] - y[~held].mean()) ** 2)
        assert row["r2"] == pytest.approx(1 - np.sum((y[held] - mean) ** 2) / total, rel=1e-7)
        assert row["crps"] == pytest.approx(
            np.mean([_crps(*one) for one in zip(y[held], mean, sd, strict=True)]), rel=1e-5
        )


@pytest.mark.parametrize(
    ("formula", "terms"),
    [
        ("y ~ x + (1 | a)", [("a", "1")]),
        ("y ~ x + (1 | a) + (0 + x | a) + (1 | b)", [("a", "1"), ("a.1", "x"), ("b", "1")]),
        ("y ~ 0 + x + (1 | b) + (1 | ab)", [("ab", "1"), ("b", "1")]),
        ("y ~ 1 + (1 | a) + (1 | b) + (1 | c)", [("a", "1"), ("b", "1"), ("c", "1")]),
    ],
)
@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_each_group_of_a_fold_has_a_density_of_its_own(formula: str, terms: list[tuple[str, str]]) -> None:
    data = _data(150)
    data["ab"] = data["a"].astype(str) + ":" + data["b"].astype(str)
    data["big"] = np.where(np.arange(150) % 3 == 0, 0, np.arange(150) % 7)
    _check_densities(formula, terms, data, {"by": "big", "k": 3, "seed": 5})


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
@pytest.mark.parametrize("rows", [512, 513])
def test_a_group_of_many_rows_among_the_others_of_its_fold(rows: int) -> None:
    n = rows + 130
    data = _data(n)
    data["big"] = np.where(np.arange(n) < rows, 0, np.arange(n) % 7)
    terms = [("a", "1"), ("b", "1")]
    _check_densities("y ~ x + (1 | a) + (1 | b)", terms, data, {"by": "big", "k": 2, "seed": 5})


def _check_densities(
    formula: str, terms: list[tuple[str, str]], data: pd.DataFrame, folds: dict[str, Any]
) -> None:
    """The elpd of every fold is the sum over its groups of their log densities given all other folds."""
    m = lmer(formula, data, weights="w")
    cv = m.cross_validate(**folds, scores="elpd")
    one = data.assign(**{"1": 1.0})
    codes = [one[by.removesuffix(".1")].to_numpy() for by, _ in terms]
    Z = [
        (c[:, None] == np.unique(c)) * one[x].to_numpy()[:, None]
        for c, (_, x) in zip(codes, terms, strict=True)
    ]
    fold, unit = cv.predictions["fold"].to_numpy(), data[folds["by"]].to_numpy()
    for label in np.unique(fold):
        held = fold == label
        train = lmer(formula, data[~held], weights="w")
        found = train.varcorr().set_index(["group", "term1"])["variance"]
        variances = [found[group, {"1": "Intercept"}.get(x, x)] for group, x in terms] + [train.sigma**2]
        mean, S = _given_others(m, data, held, variances, Z)
        total = 0.0
        for u in np.unique(unit[held]):
            own = unit[held] == u
            there = data["y"].to_numpy()[held][own]
            total += stats.multivariate_normal(mean[own], S[np.ix_(own, own)]).logpdf(there)
        assert cv.table.loc[label, "elpd"] == pytest.approx(total, rel=1e-6)


def test_fifty_thousand_groups_take_work_for_each_and_not_for_each_pair() -> None:
    groups = 50_000
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(groups), 3)
    data = pd.DataFrame({"g": g, "x": rng.normal(size=3 * groups)})
    data["y"] = data["x"] + rng.normal(size=groups)[g] + rng.normal(size=3 * groups)
    started = time.process_time()
    cv = lmer("y ~ x + (1 | g)", data).cross_validate("g", k=5, seed=1)
    assert time.process_time() - started < 20  # a second or so; by pairs it takes minutes
    assert cv.table["rmse"].between(1.3, 1.5).all()


def _crps(y: float, mean: float, sd: float) -> float:
    """By its definition, an integral."""
    below = integrate.quad(lambda t: stats.norm.cdf(t, mean, sd) ** 2, mean - 12 * sd, y, limit=200)[0]
    return float(
        below + integrate.quad(lambda t: stats.norm.sf(t, mean, sd) ** 2, y, mean + 12 * sd, limit=200)[0]
    )


def test_rows_are_single_observations_without_groups() -> None:
    data = _data(120)
    cv = lmer("y ~ x + (1 | a)", data).cross_validate(k=5, seed=3)
    p, y = cv.predictions, data["y"]
    logs = stats.norm.logpdf(y, p["predicted"], p["sd"])
    elpd = cv.summary().loc["elpd"]
    assert elpd["estimate"] == pytest.approx(logs.sum())
    assert elpd["se"] == pytest.approx(np.sqrt(120) * logs.std(ddof=1))
    absolute = np.abs(y - p["predicted"])
    assert cv.summary().loc["mae", "se"] == pytest.approx(absolute.std(ddof=1) / np.sqrt(120))
    assert sorted(p["fold"].value_counts()) == [24] * 5


def test_standard_errors_are_those_of_groups() -> None:
    """By the jackknife over groups of unequal size, which linearisation agrees with to first order."""
    data = _data()
    cv = lmer("y ~ x + (1 | a)", data).cross_validate("a")
    p, y, a = cv.predictions, data["y"].to_numpy(), data["a"].to_numpy()
    square = (y - p["predicted"].to_numpy()) ** 2
    levels = np.unique(a)
    without = np.array([np.sqrt(square[a != level].mean()) for level in levels])
    U = len(levels)
    jackknife = np.sqrt((U - 1) / U * np.sum((without - without.mean()) ** 2))
    assert cv.summary().loc["rmse", "se"] == pytest.approx(jackknife, rel=0.1)
    elpd = cv.table["elpd"]
    assert cv.summary().loc["elpd", "se"] == pytest.approx(np.sqrt(U) * elpd.std())
    assert cv.summary().loc["elpd", "estimate"] == pytest.approx(elpd.sum())


def test_known_levels_count_and_unseen_ones_are_the_population() -> None:
    m = lmer("Reaction ~ Days + (1 | Subject)", load("sleepstudy"))
    rows, groups = m.cross_validate(k=5, seed=1), m.cross_validate("Subject", k=5, seed=1)
    assert rows.summary().loc["rmse", "estimate"] < 0.8 * groups.summary().loc["rmse", "estimate"]
    one = groups.predictions["fold"] == 1
    data = load("sleepstudy")
    for _, part in groups.predictions[one].groupby(data["Subject"][one].astype(str)):
        assert np.ptp(np.diff(part["predicted"])) < 1e-9  # a line: the same for each new subject


def test_seeds_repeats_and_threads() -> None:
    m = lmer("Reaction ~ Days + (1 | Subject)", load("sleepstudy"))
    one = m.cross_validate("Subject", k=6, repeats=3, seed=5)
    again = m.cross_validate("Subject", k=6, repeats=3, seed=5, n_jobs=2)
    pd.testing.assert_frame_equal(one.predictions, again.predictions)
    assert list(one.predictions.columns)[:4] == ["fold_1", "predicted_1", "sd_1", "fold_2"]
    assert one.table["repeat"].tolist() == [1] * 6 + [2] * 6 + [3] * 6
    assert (one.predictions["fold_1"] != one.predictions["fold_2"]).any()
    other = m.cross_validate("Subject", k=6, repeats=3, seed=6)
    assert (other.predictions["fold_1"] != one.predictions["fold_1"]).any()
    singles = [m.cross_validate("Subject", k=6, seed=np.random.default_rng(s)) for s in (5,)]
    np.testing.assert_array_equal(singles[0].predictions["fold"], one.predictions["fold_1"])
    mean = np.mean([one.passes[i].densities[0][1].sum() for i in range(3)])
    assert np.isfinite(mean)
    total = one.table.groupby("repeat")["elpd"].sum().mean()
    assert one.summary().loc["elpd", "estimate"] == pytest.approx(total)


def test_predictions_come_in_the_library_of_the_data() -> None:
    import polars as pl

    data = load("sleepstudy")
    pandas = lmer("Reaction ~ Days + (1 | Subject)", data.set_axis(range(7, 187))).cross_validate("Subject")
    assert pandas.predictions.index.tolist() == list(range(7, 187))
    table = pl.DataFrame(
        {n: data[n].to_numpy() for n in ("Reaction", "Days")}
        | {"Subject": data["Subject"].astype(str).tolist()}
    )
    found = lmer("Reaction ~ Days + (1 | Subject)", table).cross_validate("Subject").predictions
    assert isinstance(found, pl.DataFrame)
    assert found["fold"].to_list() == table["Subject"].to_list()
    np.testing.assert_allclose(found["predicted"].to_numpy(), pandas.predictions["predicted"], rtol=1e-9)


def test_groups_by_another_column_or_by_labels() -> None:
    data = _data()
    m = lmer("y ~ x + (1 | a)", data)
    by_name, by_values = m.cross_validate("c"), m.cross_validate(data["c"].to_numpy())
    np.testing.assert_allclose(by_name.predictions["predicted"], by_values.predictions["predicted"])
    assert by_name.table.index.tolist() == list(range(9))


def test_rows_with_missing_values_are_left_out() -> None:
    data = _data()
    data.loc[[3, 50], "x"] = np.nan
    whole = lmer("y ~ x + (1 | a)", data).cross_validate("c")
    less = lmer("y ~ x + (1 | a)", data.drop(index=[3, 50])).cross_validate("c")
    pd.testing.assert_frame_equal(whole.predictions, less.predictions)


def test_a_fold_with_nearly_all_of_the_squares_is_added_up_and_not_subtracted() -> None:
    data = _data()
    data["c"] = (np.arange(240) % 40 == 0).astype(int)
    data.loc[data["c"] == 1, ["y", "x"]] *= 1e7
    m = lmer("y ~ x + (1 | a)", data)
    found = m.cross_validate("c", scores="mae").predictions
    held = (data["c"] == 1).to_numpy()
    theirs = _by_rows("y ~ x + (1 | a)", data, held)
    np.testing.assert_allclose(found["predicted"][held], theirs, rtol=1e-8)


def test_own_scores() -> None:
    m = lmer("Reaction ~ Days + (1 | Subject)", load("sleepstudy"))

    def worst(y: np.ndarray, predicted: np.ndarray) -> float:
        return float(np.abs(y - predicted).max())

    cv = m.cross_validate("Subject", scores=["rmse", worst])
    table = cv.table
    assert cv.summary().loc["worst", "estimate"] == pytest.approx(table["worst"].mean())
    assert cv.summary().loc["worst", "se"] == pytest.approx(table["worst"].std() / np.sqrt(18))
    assert list(m.cross_validate("Subject", scores={"far": worst}).table.columns) == [
        "n",
        "far",
        "sigma",
        "converged",
    ]


def test_pairs_of_places() -> None:
    m = lmer("Reaction ~ Days + (1 | Subject)", load("sleepstudy"))
    n = np.arange(180)
    forward = [(n[n % 10 < d], n[n % 10 == d]) for d in (5, 7, 9)]
    found = m.cross_validate(k=forward).predictions
    assert found["predicted"].notna().sum() == 54
    assert found["fold"].isna().sum() == 126
    data = load("sleepstudy")
    train = lmer("Reaction ~ Days + (1 | Subject)", data[n % 10 < 5])
    np.testing.assert_allclose(
        found["predicted"][n % 10 == 5], train.predict(data[n % 10 == 5]), rtol=0, atol=1e-6
    )
    overlapping = m.cross_validate(k=[(n[n > 30], n[:20]), (n[n > 30], n[10:30])])
    assert len(overlapping.passes) == 2


def test_scikit_learn_splitters_and_scorers() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    selection = pytest.importorskip("sklearn.model_selection")
    m = lmer("Reaction ~ Days + (1 | Subject)", load("sleepstudy"))
    scores = [
        "mae",
        "neg_mean_absolute_error",
        metrics.make_scorer(metrics.max_error),
        metrics.mean_absolute_error,
    ]
    cv = m.cross_validate("Subject", k=selection.GroupKFold(6), scores=dict(zip("abcd", scores, strict=True)))
    table = cv.table
    np.testing.assert_allclose(-table["b"], table["d"])
    assert (table["c"] >= table["d"]).all()
    subjects = load("sleepstudy")["Subject"].astype(str).to_numpy()
    assert pd.Series(cv.predictions["fold"]).groupby(subjects).nunique().max() == 1
    shuffled = m.cross_validate(k=selection.ShuffleSplit(3, test_size=0.2, random_state=1), scores="rmse")
    assert len(shuffled.table) == 3
    repeated = m.cross_validate(
        k=selection.RepeatedKFold(n_splits=4, n_repeats=2, random_state=1), scores="rmse"
    )
    assert len(repeated.passes) == 2


ERRORS: list[tuple[dict[str, Any], str]] = [
    ({}, "say what is held out"),
    ({"by": "Subjects"}, "Subject"),
    ({"by": "Subject", "k": 19}, "k=19 folds need as many of the groups of 'Subject', and there are 18"),
    ({"k": 181}, "there are 180"),
    ({"k": 1}, "k must be 2 or more"),
    ({"k": 2.5}, "k must be a positive whole number"),
    ({"k": True}, "k must be a number of folds"),
    ({"k": "ten"}, "k must be a number of folds"),
    ({"by": "Subject", "repeats": 2}, "repeats goes with k"),
    ({"by": "Subject", "repeats": 0}, "repeats must be a positive whole number"),
    ({"by": np.zeros(180)}, "the labels given have one level"),
    ({"by": np.zeros(7)}, "by has 7 values"),
    ({"by": ["Subject", "Days"]}, "by takes one grouping"),
    ({"by": "Subject", "scores": "rsme"}, "did you mean 'rmse'"),
    ({"by": "Subject", "scores": []}, "one or more"),
    ({"by": "Subject", "scores": ["mae", "mae"]}, "each once"),
    ({"by": "Subject", "scores": 3}, "scores must be words"),
    ({"by": "Subject", "scores": [lambda y, p: "no"]}, "must give a number"),
    ({"by": "Subject", "seed": -1, "k": 3}, "seed must be"),
    ({"by": "Subject", "n_jobs": 0}, "n_jobs"),
    ({"by": "Subject", "transforms": "none"}, "transforms"),
    ({"k": []}, "no folds"),
    ({"k": [([0, 1], [1, 2])]}, "both to fit and to predict"),
    ({"k": [([0, 1], [500])]}, "from 0 to 179"),
    ({"k": [([0, 1], [])]}, "whole numbers"),
    ({"k": [([0, 1, 2], [3])]}, "fold 1 held out"),
    ({"k": [3]}, "no pair"),
]


@pytest.mark.parametrize(("options", "words"), ERRORS, ids=[words for _, words in ERRORS])
def test_errors(options: dict[str, Any], words: str) -> None:
    m = lmer("Reaction ~ Days + (1 | Subject)", load("sleepstudy"))
    with pytest.raises((DataError, ModelError), match=words.replace("(", "\\(")):
        m.cross_validate(**options).summary().to_dict()
        m.cross_validate(**options).table.to_dict()


def test_a_level_that_only_the_held_out_rows_have() -> None:
    data = _data()
    data["t"] = np.where(data["c"] == 3, "rare", np.where(data["x"] > 0, "u", "v"))
    with pytest.raises(ModelError, match=r"fold 3 held out: .*coefficient of t\[T.v\]"):
        lmer("y ~ t + (1 | a)", data).cross_validate("c")
    # a level that is not needed there does no harm
    data["t"] = np.where(data["c"] == 3, "u", data["t"])
    data["v"] = (data["c"] == 3) * 1.0
    with pytest.raises(ModelError, match=r"fold 3 held out: .*coefficient of v"):
        lmer("y ~ x + v + (1 | a)", data).cross_validate("c")


def test_a_coefficient_that_is_lost_but_not_needed() -> None:
    data = _data()
    data["v"] = np.where(data["c"] == 3, data["x"], 2 * data["x"])  # without fold 3 it is 2 x
    pairs = [(np.flatnonzero(data["c"] != 3)[10:], np.flatnonzero(data["c"] != 3)[:10])]
    found = lmer("y ~ x + v + (1 | a)", data).cross_validate(k=pairs).predictions["predicted"]
    theirs = _by_rows("y ~ x + (1 | a)", data[data["c"] != 3], np.arange((data["c"] != 3).sum()) < 10)
    np.testing.assert_allclose(found.dropna(), theirs, rtol=0, atol=1e-7)


def test_one_level_of_a_random_term_left() -> None:
    data = _data()
    data["two"] = (data["c"] > 4).astype(int)
    m = lmer("y ~ x + (1 | two) + (1 | a)", data)
    with pytest.raises(ModelError, match="'two' has 1"):
        m.cross_validate("two")


def test_models_are_compared_on_the_same_folds() -> None:
    data = _data()
    small, large = lmer("y ~ 1 + (1 | a)", data), lmer("y ~ x + (1 | a)", data)
    table = interlace.compare_cv({"small": small, "large": large}, "a", scores=["elpd", "mae"])
    one, two = small.cross_validate("a"), large.cross_validate("a")
    apart = (two.table["elpd"] - one.table["elpd"]).to_numpy()
    elpd = table.loc["elpd"].set_index("model")
    assert elpd.loc["large", "difference"] == pytest.approx(apart.sum())
    assert elpd.loc["large", "se_difference"] == pytest.approx(np.sqrt(len(apart)) * apart.std(ddof=1))
    assert np.isnan(elpd.loc["small", "difference"])
    assert elpd.loc["small", "estimate"] == pytest.approx(one.summary().loc["elpd", "estimate"])
    errors = [np.abs(data["y"] - cv.predictions["predicted"]) for cv in (one, two)]
    sums = (errors[1] - errors[0]).groupby(data["a"]).agg(["sum", "size"])
    left = sums["sum"] - (errors[1] - errors[0]).mean() * sums["size"]
    se = np.sqrt(len(sums) / (len(sums) - 1) * np.sum(left**2)) / len(data)
    assert table.loc["mae"].set_index("model").loc["large", "se_difference"] == pytest.approx(se)
    same = interlace.compare_cv([small, large], "a", k=3, seed=1, scores="rmse")
    again = interlace.compare_cv([large, small], "a", k=3, seed=1, scores="rmse", names=["l", "s"])
    assert same["difference"].iloc[1] == pytest.approx(-again["difference"].iloc[1])


def test_models_of_different_rows_are_not_compared() -> None:
    data = _data()
    data.loc[3, "z"] = np.nan
    one, two = lmer("y ~ x + (1 | a)", data), lmer("y ~ z + (1 | a)", data)
    with pytest.raises(DataError, match="different rows"):
        interlace.compare_cv([one, two], "a")
    with pytest.raises(DataError, match="different responses"):
        interlace.compare_cv([one, lmer("z2 ~ x + (1 | a)", data.assign(z2=data["y"] + 1))], "a")
    with pytest.raises(DataError, match="two models or more"):
        interlace.compare_cv([one], "a")
    with pytest.raises(DataError, match="takes a list of models"):
        interlace.compare_cv(one, "a")
    with pytest.raises(DataError, match="leave names out"):
        interlace.compare_cv({"a": one, "b": one}, "a", names=["a", "b"])
    with pytest.raises(DataError, match="as many different names"):
        interlace.compare_cv([one, one], "a", names=["a"])
    with pytest.raises(TypeError, match="write k="):
        one.cross_validate("a", cv=3)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 7])
def test_a_column_that_is_constant_in_the_other_rows(value: float) -> None:
    """Beside the intercept it tells nothing there, and rows that have the same value do not need it."""
    data = _data()
    data["v"] = np.where(data["c"] == 3, value + data["x"], value)
    left = np.flatnonzero(data["c"] != 3)
    m = lmer("y ~ x + v + (1 | a)", data)
    for train, test in ((left[130:], left[:130]), (left[5:], left[:5])):
        found = m.cross_validate(k=[(train, test)]).predictions["predicted"]
        theirs = lmer("y ~ x + (1 | a)", data.iloc[train]).predict(data.iloc[test], new_levels="population")
        np.testing.assert_allclose(found.to_numpy()[test], theirs, rtol=0, atol=1e-7)
    with pytest.raises(ModelError, match="coefficient of v, which these rows need"):
        m.cross_validate(k=[(left, np.flatnonzero(data["c"] == 3))])
