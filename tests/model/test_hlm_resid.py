"""Residuals of every level beside HLMdiag's at its own theta, and beside their definitions written out."""

from __future__ import annotations

import re
import warnings
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from comparison import our_group, rows_at_levels
from dense_oracle import dense_z
from interlace import lmer
from interlace.datasets import load
from interlace.design.encoding import Encoding
from interlace.errors import DataError
from interlace.estimation.fit import at_theta
from interlace.formula.parser import parse
from interlace.model import LinearMixedModel
from interlace.prediction import innovations
from made_data import crossed
from reference_cases import Case, hlmdiag_cases
from reference_data import array

CASES = hlmdiag_cases()
HEADS = {".resid": "resid", ".fitted": "fitted", ".mar.resid": "mar_resid", ".mar.fitted": "mar_fitted"}
LS = {
    ".ls.resid": "ls_resid",
    ".ls.fitted": "ls_fitted",
    ".std.ls.resid": "std_ls_resid",
    ".semi.ls.resid": "semi_ls_resid",
}
NAMES = HEADS | LS | {".std.resid": "std_resid", ".chol.mar.resid": "chol_mar_resid"}
STANDARDIZE = {"FALSE": False, "TRUE": True, "semi": "semi"}
TYPES = {
    "resid_marginal": {
        "raw": "marginal",
        "pearson": "marginal-pearson",
        "studentized": "marginal-studentized",
        "cholesky": "marginal-cholesky",
    },
    "resid_conditional": {
        "raw": "response",
        "pearson": "standardized",
        "cholesky": "standardized",
        "studentized": "studentized",
    },
    "pull_resid": {
        "ls_std_FALSE": "ls_resid",
        "ls_std_TRUE": "std_ls_resid",
        "eb_std_FALSE": "resid",
        "eb_std_TRUE": "std_resid",
        "marginal_std_FALSE": "mar_resid",
        "marginal_std_TRUE": "chol_mar_resid",
    },
}


@cache
def model(name: str) -> LinearMixedModel:
    """At HLMdiag's theta."""
    (c,) = (c for c in CASES if c.name == name)
    encoding, design = Encoding.learn(parse(c.formula), c.frame())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", interlace.InterlaceWarning)
        return LinearMixedModel(at_theta(encoding, design, array(c.reference()["theta"]), reml=c.reml))


def quiet(m: LinearMixedModel, *args: Any, **options: Any) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", interlace.InterlaceWarning)
        return m.hlm_resid(*args, **options)


def assert_same(ours: Any, theirs: Any, what: str) -> None:
    """HLMdiag's column, or what is kept of a long one, to 1e-6 of the largest."""
    ours = np.asarray(ours, dtype=float)
    head = array(theirs if isinstance(theirs, list) else theirs["head"])
    scale = np.nanmax(np.abs(ours))
    np.testing.assert_allclose(ours[: len(head)], head, rtol=1e-6, atol=1e-9 * scale, err_msg=what)
    if isinstance(theirs, dict):
        kept = [np.square(ours).sum(), ours.min(), ours.max()]
        wanted = array([theirs[k] for k in ("sumsq", "min", "max")])
        known = np.isfinite(wanted) & np.isfinite(kept)
        np.testing.assert_allclose(np.array(kept)[known], wanted[known], rtol=1e-6, err_msg=what)


@pytest.mark.parametrize("c", CASES, ids=str)
@pytest.mark.parametrize("how", STANDARDIZE)
def test_rows_are_those_of_hlmdiag(c: Case, how: str) -> None:
    theirs = c.reference()["hlm_resid"][f"level1_std_{how}"]
    if "error" in theirs:
        assert c.name == "penicillin_crossed"  # crossed factors, which HLMdiag refuses
        return
    ours = quiet(model(c.name), standardize=STANDARDIZE[how])
    wanted = [NAMES[name] for name in theirs if name in NAMES]
    assert list(ours.columns) == wanted
    for name in theirs:
        if name in LS and c.name == "sleepstudy_noint":
            continue  # HLMdiag takes the first predictor for the intercept
        if name in NAMES:
            assert_same(ours[NAMES[name]], theirs[name], name)


@pytest.mark.parametrize("c", CASES, ids=str)
@pytest.mark.parametrize("kind", TYPES)
def test_kinds_are_those_of_hlmdiag(c: Case, kind: str) -> None:
    m, seen = model(c.name), 0
    for name, theirs in c.reference().get(kind, {}).items():
        word = TYPES[kind].get(name)
        if word is None or "error" in theirs or (c.name == "sleepstudy_noint" and word in LS.values()):
            continue
        if kind == "pull_resid":
            ours = quiet(m, standardize=name.endswith("TRUE"), include_ls="ls" in name).get(word)
        else:
            ours = m.residuals(word)
        assert_same(ours, theirs, name)
        seen += 1
    assert seen >= 3 or c.name == "egsingle_nested"


@pytest.mark.parametrize("c", CASES, ids=str)
def test_levels_are_those_of_hlmdiag(c: Case) -> None:
    m, seen = model(c.name), 0
    for block, theirs in c.reference()["hlm_resid"].items():
        if block.startswith("level1") or "error" in theirs:
            continue
        group, _, how = (
            block.rpartition("_std_") if "_std_" in block else (block.removesuffix("_noLS"), "", "")
        )
        ours = quiet(m, our_group(group, list(m.ngroups)), standardize=how == "TRUE")
        inner, labels = ":" in group, theirs.get(group, [])
        if not inner:
            labels = labels if isinstance(labels, list) else labels["head"]
            first = rows_at_levels(ours, group, [str(x) for x in labels])
        for name, values in theirs.items():
            if "ranef." not in name and "ls." not in name:
                continue
            if name.startswith(".std.ls") and np.isnan(array(values)).all():
                continue  # one level without a coefficient, and HLMdiag has no standard deviation
            mark, effect = re.fullmatch(r"\.((?:std\.)?(?:ranef|ls))\.(.*)", name).groups()  # type: ignore[union-attr]
            column = f"{mark.replace('.', '_')}_{OURS[effect]}"
            if inner:  # R's levels have another order
                assert_same(ours[column], values | {"head": []}, name)
            else:
                assert_same(first[column], values if isinstance(values, list) else values["head"], name)
            seen += 1
    assert seen or c.name == "penicillin_crossed"


OURS = {"intercept": "Intercept", "days": "Days", "stand_lrt": "standLRT", "week": "week"}


def test_without_an_intercept_each_level_has_its_own_regression() -> None:
    s = load("sleepstudy")
    m = lmer("Reaction ~ 0 + Days + (Days | Subject)", s)
    found = m.hlm_resid()["ls_resid"].to_numpy().reshape(18, 10)
    for rows, (_, one) in zip(found, s.groupby("Subject", observed=True), strict=True):
        line = np.polyfit(one["Days"], one["Reaction"], 1)
        np.testing.assert_allclose(rows, one["Reaction"] - np.polyval(line, one["Days"]), atol=1e-9)


def _data() -> pd.DataFrame:
    data = pd.DataFrame(crossed(np.random.default_rng(4), n=240))
    return data.assign(w=1.0 + np.arange(240) % 4, o=np.sin(np.arange(240.0)))


MODELS = [
    ("y ~ x + (x | a) + (1 | b)", {}),
    ("y ~ x * z + (1 | a) + (0 + x | b)", {"weights": "w", "offset": "o"}),
    ("y ~ 0 + f + (1 | a)", {"reml": False, "weights": "w"}),
]


def _dense(m: LinearMixedModel) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """V, X, C and the marginal residuals."""
    fit = m.fit
    design, X = fit.design, fit.X
    w = np.ones(len(X)) if design.weights is None else design.weights
    V = np.diag(1 / w)
    for i, (block, T) in enumerate(zip(fit.encoding.random, fit.solution.factors, strict=True)):
        Z = dense_z(design, i, len(block.levels)) @ np.kron(np.eye(len(block.levels)), T)
        V = V + Z @ Z.T
    V = m.sigma**2 * V
    r = design.y - X @ fit.solution.beta - (0 if design.offset is None else design.offset)
    return V, X, np.linalg.inv(X.T @ np.linalg.solve(V, X)), r


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
# How large components are solved: SMALL, DENSE, MOST rows at once, and what a flop within levels costs.
@pytest.mark.parametrize("limits", [(64, 12_000, 2_000, 10.0), (0, 12_000, 50, 1e-9), (0, 12_000, 50, 1e9),
                                    (0, -1, 50, 1e9)])  # fmt: skip
@pytest.mark.parametrize(("formula", "options"), MODELS)
def test_kinds_are_what_they_are_called(
    formula: str,
    options: dict[str, Any],
    limits: tuple[int, int, int, float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in zip(("SMALL", "DENSE", "MOST", "WITHIN"), limits, strict=True):
        monkeypatch.setattr(innovations, name, value)
    monkeypatch.setattr(innovations, "FEWEST", limits[2] // 2)
    m = lmer(formula, _data(), **options)
    V, X, C, r = _dense(m)
    w = np.ones(len(r)) if m.fit.design.weights is None else m.fit.design.weights
    e, R = m.residuals().to_numpy(), np.diag(m.sigma**2 / w)
    P = np.linalg.inv(V) - np.linalg.solve(V, X) @ C @ np.linalg.solve(V, X).T
    expected = {
        "marginal": r,
        "marginal-pearson": r / np.sqrt(np.diagonal(V)),
        "marginal-studentized": r / np.sqrt(np.diagonal(V - X @ C @ X.T)),
        "marginal-cholesky": np.linalg.solve(np.linalg.cholesky(V), r),
        "studentized": e / np.sqrt(np.diagonal(R @ P @ R)),
    }
    for kind, values in expected.items():
        np.testing.assert_allclose(m.residuals(kind), values, rtol=1e-8, atol=1e-9, err_msg=kind)


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
@pytest.mark.parametrize(("formula", "options"), MODELS)
def test_externally_studentized_by_the_sigma_of_the_other_rows(formula: str, options: dict[str, Any]) -> None:
    data = _data()
    m = lmer(formula, data, **options)
    inner, outer = m.residuals("studentized"), m.residuals("externally studentized")
    V, X, _, r = _dense(m)
    for i in (0, 100, 239):
        rest = np.delete(np.arange(len(r)), i)
        W = V[np.ix_(rest, rest)] / m.sigma**2
        y = r[rest]
        beta = np.linalg.lstsq(X[rest].T @ np.linalg.solve(W, X[rest]), X[rest].T @ np.linalg.solve(W, y))[0]
        left = y - X[rest] @ beta
        df = len(rest) - X.shape[1] if m.reml else len(rest)
        sigma = np.sqrt(left @ np.linalg.solve(W, left) / df)
        np.testing.assert_allclose(outer[i], inner[i] * m.sigma / sigma, rtol=1e-8)


def test_rows_of_two_components_do_not_know_each_other() -> None:
    """A shuffled table: innovations follow the order of the rows within a component."""
    s = load("sleepstudy").sample(frac=1.0, random_state=3)
    m = lmer("Reaction ~ Days + (Days | Subject)", s)
    V, _, _, r = _dense(m)
    found = m.hlm_resid(standardize=True)
    np.testing.assert_allclose(found["chol_mar_resid"], np.linalg.solve(np.linalg.cholesky(V), r), rtol=1e-9)
    assert list(found.index) == list(s.index)


def test_known_covariance_of_levels() -> None:
    rng = np.random.default_rng(2)
    labels = [f"l{i}" for i in range(8)]
    root = np.tril(rng.normal(size=(8, 8))) / 3 + np.eye(8)
    K = root @ root.T
    g = rng.permutation(np.repeat(np.arange(8), 6))
    y = (root @ rng.normal(size=8))[g] + rng.normal(size=48)
    data = pd.DataFrame({"y": y, "g": [labels[i] for i in g]})
    m = lmer("y ~ 1 + (1 | g)", data, known={"g": pd.DataFrame(K, labels, labels)})
    Z = np.eye(8)[g] * m.theta[0]
    V = m.sigma**2 * (np.eye(48) + Z @ K @ Z.T)
    r = y - m.fixef["Intercept"]
    expected = np.linalg.solve(np.linalg.cholesky(V), r)
    np.testing.assert_allclose(m.residuals("marginal-cholesky"), expected, rtol=1e-7)


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
@pytest.mark.parametrize(("formula", "options"), MODELS[:2])
def test_least_confounded_combinations(formula: str, options: dict[str, Any]) -> None:
    m = lmer(formula, _data(), **options)
    found = m.rotate_ranef("a", "Intercept")
    V, X, C, r = _dense(m)
    i = [block.group for block in m.fit.encoding.random].index("a")
    T, levels = m.fit.solution.factors[i], len(m.fit.encoding.random[i].levels)
    k = len(T)
    G = m.sigma**2 * np.kron(np.eye(levels), T @ T.T)
    L = np.eye(levels * k)[:, ::k]
    P = np.linalg.inv(V) - np.linalg.solve(V, X) @ C @ np.linalg.solve(V, X).T
    w = np.ones(len(r)) if m.fit.design.weights is None else m.fit.design.weights
    N = P @ dense_z(m.fit.design, i, levels) @ G @ L
    A, B = N.T @ np.diag(m.sigma**2 / w) @ N, L.T @ G @ dense_z(m.fit.design, i, levels).T @ N
    value, vector = np.linalg.eigh(B)
    kept = value > 1e-10 * value[-1]
    white = vector[:, kept] / np.sqrt(value[kept])
    share, turn = np.linalg.eigh(white.T @ A @ white)
    np.testing.assert_allclose(found["confounding"], share, rtol=1e-6)
    np.testing.assert_allclose(
        np.abs(found["rotated"]), np.abs((white @ turn).T @ m.ranef()["a"]["Intercept"]), rtol=1e-5, atol=1e-7
    )
    assert len(m.rotate_ranef("a", "Intercept", s=3)) == 3


def test_least_squares_that_leave_nothing_are_said() -> None:
    s = load("sleepstudy").iloc[:-8]  # two rows of the last subject: a line through both
    m = lmer("Reaction ~ Days + (1 | Subject)", s)
    with pytest.warns(interlace.InterlaceWarning, match="no more rows than coefficients"):
        table = m.hlm_resid(standardize=True)
    assert table["std_ls_resid"].isna().sum() == 2 and table["std_ls_resid"].isna().iloc[-2:].all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        m.hlm_resid(include_ls=False)
        m.hlm_resid("Subject")


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_nested_levels_are_centred_within_their_outer_level() -> None:
    rng = np.random.default_rng(5)
    data = pd.DataFrame(
        {
            "y": rng.normal(size=96),
            "a": np.repeat(list("pqrs"), 24),
            "b": np.tile(np.repeat(list("uvw"), 8), 4),
        }
    )
    m = lmer("y ~ 1 + (1 | a/b)", data)
    level = next(name for name in m.ngroups if ":" in name)
    means = data.groupby(["a", "b"])["y"].mean()
    expected = means - means.groupby("a").transform("mean")
    np.testing.assert_allclose(m.hlm_resid(level)["ls_Intercept"], expected.to_numpy(), atol=1e-12)
    scaled = m.hlm_resid(level, standardize=True)["std_ls_Intercept"]
    np.testing.assert_allclose(scaled, expected / np.sqrt((expected**2).sum() / (12 - 4)), rtol=1e-9)


def test_compared_with_least_squares() -> None:
    m = lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy"))
    table = m.compare_eb_ls("Subject")
    assert list(table.columns) == ["rows", "eb_Intercept", "eb_Days", "ls_Intercept", "ls_Days"]
    np.testing.assert_array_equal(table["eb_Days"], m.ranef()["Subject"]["Days"])
    assert (table["rows"] == 10).all() and "shrunk toward 0" in table.note


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_what_has_no_variance_has_no_standardized_value() -> None:
    data = pd.DataFrame({"y": np.tile([1.0, 2.0, 4.0], 6), "g": np.repeat(np.arange(6), 3)})
    m = lmer("y ~ 1 + (1 | g)", data)
    table = m.hlm_resid("g", standardize=True)
    assert table["std_ranef_Intercept"].isna().all() and "without variance" in table.note
    with pytest.raises(DataError, match="has no variance"):
        m.rotate_ranef("g")


def test_tables_and_refusals() -> None:
    import polars as pl

    s = load("sleepstudy")
    m = lmer("Reaction ~ Days + (Days | Subject)", pl.from_pandas(s.astype({"Subject": str})))
    assert isinstance(m.hlm_resid(), pl.DataFrame) and isinstance(m.residuals("studentized"), pl.Series)
    with pytest.raises(DataError, match="is not a grouping factor of the model"):
        m.hlm_resid("Days")
    with pytest.raises(DataError, match="standardize must be True, False or 'semi'"):
        m.hlm_resid(standardize=1)
    with pytest.raises(DataError, match="standardize 'half' is not known"):
        m.hlm_resid(standardize="half")
    with pytest.raises(DataError, match="'semi' is for rows"):
        m.hlm_resid("Subject", standardize="semi")
    with pytest.raises(DataError, match="include_ls must be True or False"):
        m.hlm_resid(include_ls="no")
    with pytest.raises(DataError, match="choose a random effect of 'Subject': Intercept, Days"):
        m.rotate_ranef("Subject")
    with pytest.raises(DataError, match="s=19: there are 17 combinations"):
        m.rotate_ranef("Subject", "Days", s=19)
    with pytest.raises(DataError, match="kind of residuals"):
        m.residuals("student")
