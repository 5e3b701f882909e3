"""Leverage: HLMdiag's numbers at its own theta, the definitions written out, and laws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from comparison import our_group
from dense_oracle import dense_z
from interlace.design.encoding import Encoding
from interlace.errors import DataError, RankDeficiencyWarning
from interlace.estimation.fit import at_theta
from interlace.formula.parser import parse
from interlace.model import LinearMixedModel
from reference_cases import Case, hlmdiag_cases
from reference_data import array

COLUMNS = ["overall", "fixef", "ranef", "ranef_uc"]


@pytest.fixture(scope="module", params=hlmdiag_cases(), ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(scope="module")
def model(case: Case) -> LinearMixedModel:
    reference = case.reference()
    encoding, design = Encoding.learn(parse(case.formula), case.frame())
    return LinearMixedModel(at_theta(encoding, design, array(reference["theta"]), reml=case.reml))


def theirs(block: dict[str, Any], name: str) -> Any:
    return block.get("leverage." + name.replace("_", "."))


def assert_same(ours: pd.Series, reference: Any) -> None:
    """HLMdiag's column, or what is kept of a long one."""
    if isinstance(reference, list):
        np.testing.assert_allclose(ours, array(reference), rtol=1e-9, atol=1e-12)
        return
    head = array(reference["head"])
    np.testing.assert_allclose(ours[: len(head)], head, rtol=1e-9, atol=1e-12)
    kept = [ours.sum(), np.square(ours).sum(), ours.min(), ours.max()]
    np.testing.assert_allclose(kept, [reference[k] for k in ("sum", "sumsq", "min", "max")], rtol=1e-9)


def test_rows_are_those_of_hlmdiag(case: Case, model: LinearMixedModel) -> None:
    ours, block = model.leverage(), case.reference()["influence_approx"]["level1"]
    assert list(ours.columns) == COLUMNS
    for name in COLUMNS:
        if theirs(block, name) is not None:  # HLMdiag has none for crossed random effects
            assert_same(ours[name], theirs(block, name))


def test_levels_are_those_of_hlmdiag(case: Case, model: LinearMixedModel) -> None:
    for group, block in case.reference()["influence_approx"].items():
        if group == "level1" or theirs(block, "overall") is None:
            continue
        ours = model.leverage(our_group(group, list(model.ngroups)))
        for name in COLUMNS:
            value, reference = ours[name], theirs(block, name)
            if ":" in group and isinstance(
                reference, dict
            ):  # the order of R's levels is that of the inner factor
                reference = reference | {"head": []}
            assert_same(value.reset_index(drop=True), reference)


def written_out(model: LinearMixedModel) -> pd.DataFrame:
    """The definitions as dense matrices."""
    fit = model.fit
    design, X = fit.design, fit.design.X[:, list(fit.kept)]
    w = np.ones(len(X)) if design.weights is None else design.weights
    between = np.zeros((len(X), len(X)))
    for i, (block, T) in enumerate(zip(fit.encoding.random, fit.solution.factors, strict=True)):
        Z = dense_z(design, i, len(block.levels))
        between += Z @ np.kron(np.eye(len(block.levels)), T @ T.T) @ Z.T
    V = np.diag(1 / w) + between
    H1 = X @ np.linalg.solve(X.T @ np.linalg.solve(V, X), np.linalg.solve(V, X).T)
    H2 = between @ np.linalg.solve(V, np.eye(len(X)) - H1)
    diagonals = [np.diagonal(H1 + H2), np.diagonal(H1), np.diagonal(H2), np.diagonal(between)]
    return pd.DataFrame(dict(zip(COLUMNS, diagonals, strict=True)))


def crossed(seed: int = 0, n: int = 160) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x": rng.normal(500, 3, n),
            "f": rng.choice(list("abc"), n),
            "g": rng.integers(0, 12, n),
            "h": rng.integers(0, 9, n),
            "w": rng.uniform(0.2, 5, n),
        }
    )
    effects = rng.normal(size=(12, 2))[frame["g"]]
    frame["y"] = frame["x"] * 0.3 + effects[:, 0] + rng.normal(size=9)[frame["h"]] + rng.normal(size=n)
    return frame


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ x + (1 | g)",
        "y ~ x * f + (x | g) + (1 | h)",
        "y ~ f + (f | g) + (x || h)",
        "y ~ 0 + x + (0 + x | g) + (1 | g:h)",
        "y ~ 1 + (1 | g) + (1 | h) + (1 | f)",
    ],
)
@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_any_model_is_what_the_definitions_say(formula: str, weights: str | None) -> None:
    model = interlace.lmer(formula, crossed(), weights=weights)
    found = model.leverage()
    np.testing.assert_allclose(found, written_out(model), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found["fixef"].sum(), len(model.fixef), rtol=1e-9)


def test_fitted_values_move_as_it_says() -> None:
    data = crossed(3)
    model = interlace.lmer("y ~ x + (1 | g) + (1 | h)", data, weights="w")
    fit, row = model.fit, 17
    moved = at_theta(
        *Encoding.learn(
            parse("y ~ x + (1 | g) + (1 | h)"),
            data.assign(y=data["y"] + 2.0 * (data.index == row)),
            weights="w",
        ),
        model.theta,
    )
    change = (
        LinearMixedModel(moved).fitted[row]
        - LinearMixedModel(at_theta(fit.encoding, fit.design, model.theta)).fitted[row]
    )
    np.testing.assert_allclose(change / 2.0, model.leverage()["overall"][row], rtol=1e-8)


def test_columns_that_depend_on_others_change_nothing() -> None:
    data = crossed(1)
    plain = interlace.lmer("y ~ x + (x | g)", data)
    with pytest.warns(RankDeficiencyWarning):
        more = interlace.lmer("y ~ x + I(2 * x) + (x | g)", data)
    np.testing.assert_allclose(more.leverage(), plain.leverage(), rtol=1e-6, atol=1e-9)


def test_a_singular_fit_has_leverage() -> None:
    data = crossed(2).assign(y=lambda d: d["x"] + np.random.default_rng(1).normal(size=len(d)))
    model = interlace.lmer("y ~ x + (x | g)", data)
    assert model.is_singular
    np.testing.assert_allclose(model.leverage(), written_out(model), rtol=1e-6, atol=1e-9)


def test_rows_left_out_are_left_out_and_the_index_stays() -> None:
    data = crossed(4)
    data.loc[[3, 60], "x"] = np.nan
    data.index = data.index + 1000
    found = interlace.lmer("y ~ x + (1 | g)", data).leverage()
    assert list(found.index) == [i for i in data.index if i not in (1003, 1060)]


def test_it_comes_back_in_the_library_of_the_data() -> None:
    pl = pytest.importorskip("polars")
    data = crossed(5)
    found = interlace.lmer("y ~ x + (1 | g)", pl.DataFrame(data)).leverage()
    assert isinstance(found, pl.DataFrame)
    same = interlace.lmer("y ~ x + (1 | g)", data).leverage()
    np.testing.assert_allclose(found.to_numpy(), same)


def test_a_level_has_the_mean_of_its_rows() -> None:
    data = crossed(6)
    model = interlace.lmer("y ~ x + (1 | g) + (1 | h)", data)
    by_rows = model.leverage().groupby(data["h"]).mean()
    pd.testing.assert_frame_equal(model.leverage("h"), by_rows, check_exact=False)
    for wrong in ("f", 3, "level1"):
        with pytest.raises(DataError, match="grouping factor of the model"):
            model.leverage(wrong)
