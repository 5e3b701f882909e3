"""A mixed model as an estimator of scikit-learn."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import interlace
from interlace import LMERegressor
from interlace.datasets import load
from interlace.errors import DataError, FormulaError, ModelError

DATA = load("sleepstudy")
X, Y = DATA[["Days", "Subject"]], DATA["Reaction"]

# Checks of check_estimator fit arrays of random numbers. A formula names columns, and groups are labels:
# such arrays have neither, so that every check that fits fails before it begins. Those that fit nothing pass.
PASSING = (
    "check_no_attributes_set_in_init",
    "check_do_not_raise_errors_in_init_or_set_param",
    "check_get_params_invariance",
    "check_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_mixin_order",
)


def test_it_is_the_model_of_lmer() -> None:
    m = interlace.lmer("Reaction ~ Days + (Days | Subject)", DATA)
    for formula in ("Days + (Days | Subject)", "Reaction ~ Days + (Days | Subject)"):
        r = LMERegressor(formula).fit(X, Y)
        np.testing.assert_allclose(r.predict(X), m.fitted, rtol=1e-9)
        np.testing.assert_allclose(r.model_.fixef, m.fixef, rtol=1e-9)
    left = 1 - np.sum((Y - m.fitted) ** 2) / np.sum((Y - Y.mean()) ** 2)
    assert r.score(X, Y) == pytest.approx(left)
    assert r.n_features_in_ == 2
    simple = LMERegressor("Days", groups="Subject", reml=False).fit(X, Y.to_numpy())
    assert simple.model_.loglik == pytest.approx(
        interlace.lmer("Reaction ~ Days + (1 | Subject)", DATA, reml=False).loglik
    )
    new = X.head(2).assign(Subject="somebody")
    fixed = simple.model_.fixef["Intercept"] + simple.model_.fixef["Days"] * new["Days"]
    np.testing.assert_allclose(simple.predict(new), fixed)


def test_weights_options_and_pickles() -> None:
    w = 1.0 + np.arange(180) % 3
    r = LMERegressor("Days", groups="Subject").fit(X, Y, sample_weight=w)
    weighted = interlace.lmer("Reaction ~ Days + (1 | Subject)", DATA, weights=w)
    np.testing.assert_allclose(r.model_.fixef, weighted.fixef, rtol=1e-9)
    again = pickle.loads(pickle.dumps(r))
    np.testing.assert_array_equal(again.predict(X), r.predict(X))
    assert r.get_params()["groups"] == "Subject"
    assert r.set_params(random="none").predict(X)[0] == pytest.approx(r.model_.fixef["Intercept"])
    assert repr(LMERegressor("Days", groups="g")) == "LMERegressor(formula='Days', groups='g')"


def test_errors() -> None:
    with pytest.raises(DataError, match="no option 'group'"):
        LMERegressor().set_params(group="g")
    with pytest.raises(DataError, match="one value for each of the 180 rows"):
        LMERegressor("Days", groups="Subject").fit(X, Y[:5])
    with pytest.raises((DataError, FormulaError, ModelError), match="Subjects"):
        LMERegressor("Days", groups="Subjects").fit(X, Y)
    with pytest.raises(DataError, match="must be a name"):
        LMERegressor("log(Reaction) ~ Days + (1 | Subject)").fit(X, Y)
    with pytest.raises(DataError, match="the formula must be text"):
        LMERegressor(3).fit(X, Y)  # type: ignore[arg-type]
    with pytest.raises((ModelError, ValueError), match="not fitted yet"):
        LMERegressor("Days", groups="Subject").predict(X)
    with pytest.raises(DataError, match="missing"):
        LMERegressor("Days", groups="Subject").fit(X.assign(Days=np.nan), Y)


def test_in_scikit_learn() -> None:
    base, checks = pytest.importorskip("sklearn.base"), pytest.importorskip("sklearn.utils.estimator_checks")
    selection = pytest.importorskip("sklearn.model_selection")
    pipeline = pytest.importorskip("sklearn.pipeline")
    r = LMERegressor("Days", groups="Subject")
    copy = base.clone(r)
    assert copy is not r and copy.get_params() == r.get_params()
    assert base.is_regressor(r)
    groups = DATA["Subject"].astype(str).to_numpy()
    folds = selection.GroupKFold(6)
    found = -selection.cross_val_score(r, X, Y, groups=groups, cv=folds, scoring="neg_mean_absolute_error")
    m = interlace.lmer("Reaction ~ Days + (1 | Subject)", DATA)
    ours = m.cross_validate("Subject", k=folds, scores="mae").table["mae"]
    np.testing.assert_allclose(found, ours, rtol=1e-6)
    shuffled = selection.KFold(3, shuffle=True, random_state=1)
    search = selection.GridSearchCV(r, {"formula": ["1", "Days"]}, cv=shuffled)
    assert search.fit(X, Y).best_params_ == {"formula": "Days"}
    assert len(pipeline.make_pipeline(r).fit(X, Y).predict(X)) == 180
    there = [name for name in PASSING if hasattr(checks, name)]
    assert len(there) >= 5
    for name in there:
        getattr(checks, name)("LMERegressor", LMERegressor())
