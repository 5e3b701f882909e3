"""Cross-validation beside refits of rows, where more than columns and groups is part of the model."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace import lmer
from interlace.datasets import load
from interlace.design.columns import Plain
from interlace.errors import DataError, ModelError
from known_data import covariance
from known_data import data as known_rows
from made_data import crossed


def held_out(m: Any, data: pd.DataFrame, folds: dict[str, Any], most: int = 4, **options: Any) -> None:
    """The predictions of each fold are those of a model fitted to the other rows, to 1e-8."""
    found = m.cross_validate(**folds, scores="rmse").predictions
    size = float(np.std(m.fit.design.y))
    labels = [label for label in dict.fromkeys(found["fold"]) if label is not None and label == label]
    for label in labels[:most]:
        held = (found["fold"] == label).to_numpy()
        own = {name: one[~held] if isinstance(one, np.ndarray) else one for name, one in options.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", interlace.InterlaceWarning)
            left = lmer(m.formula, data[~held], **own)
        new = {"offset": options["offset"][held]} if isinstance(options.get("offset"), np.ndarray) else {}
        theirs = left.predict(data[held], new_levels="population", **new)
        np.testing.assert_allclose(found["predicted"][held], theirs, rtol=0, atol=1e-8 * size)


@pytest.mark.parametrize(
    "folds", [{"by": "id"}, {"by": "herd", "k": 3, "seed": 1}, {"k": 4, "seed": 2}], ids=str
)
@pytest.mark.parametrize("formula", ["y ~ x + (1 | id)", "y ~ x + (1 | id) + (1 | herd)", "y ~ x + (x | id)"])
@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_a_known_covariance_of_levels(formula: str, folds: dict[str, Any]) -> None:
    """A level without rows is predicted from those that it is related to."""
    K = covariance()
    data = known_rows(K)
    m = lmer(formula, data, known={"id": K}, weights="w")
    held_out(m, data, folds, known={"id": K}, weights="w")
    if folds == {"by": "id"} and formula == "y ~ x + (1 | id)":
        found = m.cross_validate("id", scores="mae").predictions["predicted"]
        left = found - np.polyval(np.polyfit(data["x"], found, 1), data["x"])
        assert left.groupby(data["id"]).mean().abs().max() > 0.1  # not the population's


def one_grouping(levels: int) -> pd.DataFrame:
    """Levels of 9 to 15 rows, with three effects that differ between them."""
    rng = np.random.default_rng(9)
    g = np.repeat(np.arange(levels), rng.integers(9, 16, levels))
    x, z = rng.normal(size=(2, len(g)))
    b = rng.normal(size=(levels, 3)) @ np.array([[0.9, 0.3, 0.0], [0.0, 0.5, -0.2], [0.0, 0.0, 0.6]])
    y = 1 + x - z + b[g, 0] + b[g, 1] * x + b[g, 2] * z + rng.normal(size=len(g))
    return pd.DataFrame({"y": y, "x": x, "z": z, "g": g, "w": rng.uniform(0.5, 2, len(g))})


@pytest.mark.parametrize(("folds", "reml"), [({"by": "g"}, True), ({"k": 300, "seed": 1}, False)], ids=str)
@pytest.mark.parametrize(
    "formula",
    [
        "y ~ x * z + (1 | g)",
        "y ~ x + (x | g)",
        "y ~ x + (x || g)",
        "y ~ z + (0 + z | g)",
        "y ~ x + z + (x + z | g)",
    ],
)
def test_many_folds_of_one_grouping_factor(formula: str, reml: bool, folds: dict[str, Any]) -> None:
    """What their searches share is a sum over levels: a fold takes whole levels from it, or some rows."""
    data = one_grouping(240)
    options: dict[str, Any] = {"reml": reml, "weights": "w"}
    held_out(lmer(formula, data, **options), data, folds, most=5, **options)


def test_a_level_unlike_the_others_is_held_out_from_what_all_share() -> None:
    data = one_grouping(240)
    data.loc[data["g"] == 0, "y"] *= 60
    held_out(lmer("y ~ x + (x | g)", data), data, {"by": "g"}, most=2)


def many_levels() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 3000
    data = pd.DataFrame({"t": rng.integers(0, 100, n), "g": rng.integers(0, 40, n), "x": rng.normal(size=n)})
    y = data["x"] + rng.normal(size=100)[data["t"]] + rng.normal(size=40)[data["g"]] + rng.normal(size=n)
    return data.assign(y=y, t=[f"t{t:03d}" for t in data["t"]])


def test_factors_that_stay_codes() -> None:
    data = many_levels()
    m = lmer("y ~ x + t + (1 | g)", data)
    assert not isinstance(m.fit.design.fixed, Plain)
    held_out(m, data, {"by": "g"}, most=2)
    held_out(m, data, {"k": 5, "seed": 1}, most=2)


def test_a_level_of_codes_that_the_other_rows_lack() -> None:
    data = many_levels()
    m = lmer("y ~ x + t + (1 | g)", data)
    gone = np.flatnonzero(data["t"] == "t050")
    rest = np.flatnonzero(data["t"] != "t050")
    with pytest.raises(ModelError, match=r"fold 1 held out: .*coefficient of t\[T.t050\]"):
        m.cross_validate(k=[(rest, gone[:3])])
    found = m.cross_validate(k=[(rest[100:], rest[:100])], scores="mae").predictions["predicted"]
    theirs = lmer("y ~ x + t + (1 | g)", data.iloc[rest[100:]]).predict(data.iloc[rest[:100]])
    np.testing.assert_allclose(found.to_numpy()[rest[:100]], theirs, rtol=0, atol=1e-7)
    with pytest.raises(ModelError, match="fold 't000' held out"):
        m.cross_validate("t")


@pytest.mark.parametrize(
    "formula", ["y ~ x + (1 | a) + (1 | b)", "y ~ bs(x, 4) + (1 | a)", "y ~ f + (1 | a/f)"]
)
@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_weights_and_offsets_that_are_arrays(formula: str) -> None:
    data = pd.DataFrame(crossed(np.random.default_rng(7), n=200)).assign(c=np.arange(200) % 7)
    weights, offset = data["w"].to_numpy() + 0.2, data["o"].to_numpy()
    m = lmer(formula, data, weights=weights, offset=offset)
    held_out(m, data, {"by": "c"}, weights=weights, offset=offset)
    held_out(m, data, {"by": "a"}, weights=weights, offset=offset)


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_nested_groups_and_groups_across_both() -> None:
    pastes = load("pastes").reset_index(drop=True)
    nested = lmer("strength ~ 1 + (1 | batch/cask)", pastes)
    for by in ("batch", "batch:cask", "cask"):
        held_out(nested, pastes, {"by": by})
    penicillin = load("penicillin").reset_index(drop=True)
    both = lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", penicillin)
    for by in ("plate", "sample"):
        held_out(both, penicillin, {"by": by})


def test_splitters_of_scikit_learn_are_refits_of_rows() -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    data = pd.DataFrame(crossed(np.random.default_rng(4), n=240)).assign(c=np.arange(240) % 9)
    m = lmer("y ~ x + (1 | a)", data)
    splitters: list[tuple[Any, str | None]] = [
        (selection.GroupKFold(4), "c"),
        (selection.LeaveOneGroupOut(), "c"),
        (selection.LeavePGroupsOut(2), "c"),
        (selection.GroupShuffleSplit(3, test_size=0.3, random_state=1), "a"),
        (selection.KFold(5, shuffle=True, random_state=1), None),
        (selection.TimeSeriesSplit(4), None),
        (selection.PredefinedSplit(np.arange(240) % 3), None),
    ]
    for splitter, by in splitters:
        groups = None if by is None else data[by]
        cv = m.cross_validate(by, k=splitter, scores="rmse")
        pairs = list(splitter.split(data, data["y"], groups))
        assert len(cv.table) == len(pairs), splitter
        for (train, test), rmse in list(zip(pairs, cv.table["rmse"], strict=True))[:3]:
            left = lmer("y ~ x + (1 | a)", data.iloc[train])
            theirs = left.predict(data.iloc[test], new_levels="population") - data["y"].iloc[test]
            assert rmse == pytest.approx(float(np.sqrt(np.mean(theirs**2))), abs=1e-8), splitter
    with pytest.raises(DataError, match="the splitter cannot split the rows"):
        m.cross_validate(k=selection.GroupKFold(4))
    with pytest.raises(DataError, match="the splitter cannot split the rows"):
        m.cross_validate("c", k=selection.GroupKFold(40))


def test_scorers_of_scikit_learn_are_those_of_its_own_cross_validation() -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    data = pd.DataFrame(crossed(np.random.default_rng(4), n=240)).assign(c=np.arange(240) % 9)
    m = lmer("y ~ x + (1 | a)", data)
    names = ["neg_root_mean_squared_error", "explained_variance", "neg_median_absolute_error"]
    splitter = selection.GroupKFold(4)
    table = m.cross_validate("c", k=splitter, scores={f"s{j}": one for j, one in enumerate(names)}).table
    regressor = interlace.LMERegressor("y ~ x + (1 | a)")
    theirs = selection.cross_validate(
        regressor, data.drop(columns="y"), data["y"], groups=data["c"], cv=splitter, scoring=names
    )
    for j, name in enumerate(names):
        np.testing.assert_allclose(table[f"s{j}"], theirs[f"test_{name}"], rtol=1e-6, err_msg=name)
