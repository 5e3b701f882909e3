"""A mixed model as an estimator of scikit-learn."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import interlace
from interlace import LMERegressor
from interlace.datasets import load
from interlace.errors import DataError, FormulaError, ModelError

DATA = load("sleepstudy")
X, Y = DATA[["Days", "Subject"]], DATA["Reaction"]

# check_estimator fits arrays of random numbers, rounded where an estimator takes categories. A formula can
# name their columns, x0, x1 and so on; groups are made of x0 so that no response is a function of them.
ARRAYS = ". + (1 | factor(sin(20 * x0) > 0))"
EXACT = "the columns explain the response of the check exactly: such a likelihood has no maximum"
COUNT = "a prior weight is the precision of a row, not how often it stands there; zero is refused"
ONE_COLUMN = "'.' are the columns that are used nowhere else, and there is none"
FAILING = {
    "check_sample_weights_shape": EXACT,
    "check_sample_weights_not_overwritten": EXACT,
    "check_sample_weight_equivalence_on_dense_data": COUNT,
    "check_fit2d_1feature": ONE_COLUMN,
}
OF_LABELS = {"check_pipeline_consistency": EXACT, "check_estimators_pickle": EXACT}
OF_NUMBERS = {"check_dtype_object": "text is refused in scikit-learn's words where the tags say so"}


class OfNumbers(LMERegressor):
    """Says that it takes no categories: it is given numbers that are not rounded."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = tags.input_tags.string = False
        return tags


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
    base = pytest.importorskip("sklearn.base")
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


@pytest.mark.filterwarnings("ignore")  # of data that no model suits
@pytest.mark.parametrize(
    ("estimator", "failing"),
    [(LMERegressor(ARRAYS), FAILING | OF_LABELS), (OfNumbers(ARRAYS), FAILING | OF_NUMBERS)],
    ids=["labels", "numbers"],
)
def test_check_estimator(estimator: LMERegressor, failing: dict[str, str]) -> None:
    """Every check passes, but those that are named here with the reason; each of these fails."""
    pytest.importorskip("sklearn", "1.6")
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    found = checks.check_estimator(estimator, expected_failed_checks=failing, on_fail=None, on_skip=None)
    by_status: dict[str, set[str]] = {}
    for one in found:
        by_status.setdefault(one["status"], set()).add(one["check_name"])
    assert by_status.get("failed", set()) == set()
    assert by_status["xfail"] == set(failing)
    assert by_status.get("skipped", set()) <= {"check_array_api_input"}
    assert len(by_status["passed"]) > 40


@pytest.mark.filterwarnings("ignore")
def test_checks_that_the_formula_above_cannot_pass() -> None:
    pytest.importorskip("sklearn", "1.6")
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    groups_alone = LMERegressor("(1 | factor(sin(x0 + 1) > 0))")
    checks.check_sample_weights_shape("LMERegressor", groups_alone)
    checks.check_sample_weights_not_overwritten("LMERegressor", groups_alone)
    checks.check_fit2d_1feature("LMERegressor", OfNumbers("x0 + (1 | factor(sin(20 * x0) > 0))"))


def test_rows_without_names() -> None:
    array = np.column_stack([DATA["Days"], DATA["Subject"].astype(int)]).astype(float)
    r = LMERegressor("x0", groups="x1").fit(array, Y)
    expected = interlace.lmer("Reaction ~ Days + (1 | Subject)", DATA).fitted
    for same in (array, array.tolist(), pd.DataFrame(array)):
        np.testing.assert_allclose(r.predict(same), expected, rtol=1e-9)
    with pytest.raises(DataError, match="X has 1 features, but LMERegressor is expecting 2"):
        r.predict(array[:, :1])
    for bad in (np.nan, np.inf):
        with pytest.raises(DataError, match="NaN or inf in 1 rows"):
            r.predict(np.where(np.arange(360).reshape(180, 2) == 6, bad, array))
    with pytest.raises(DataError, match="sparse X is not supported"):
        r.fit(sparse.csr_matrix(array), Y)
    with pytest.raises(DataError, match="Complex data not supported"):
        r.fit(array + 1j, Y)
    named = LMERegressor("Days", groups="Subject").fit(X, Y)
    assert len(named.predict(DATA)) == 180  # a table may have more columns
    with pytest.raises(DataError, match="1 rows have no prediction"):
        named.predict(X.assign(Days=X["Days"].astype(float).mask(np.arange(180) == 2)))
    with pytest.raises(DataError, match="1 sample"):
        named.fit(X[:1], Y[:1])
    with pytest.raises(DataError, match="target y is None"):
        named.fit(X, None)


def test_names_that_a_transformer_has_lost_are_asked_for() -> None:
    data = interlace.datasets.load("sleepstudy")
    X = data[["Days", "Subject"]].to_numpy()
    estimator = LMERegressor("Days + (1 | Subject)")
    with pytest.raises(FormulaError, match=r"(?s)no column 'Days'.*set_output\(transform='pandas'\)"):
        estimator.fit(X, data["Reaction"])
    with pytest.raises(FormulaError) as error:
        estimator.fit(data[["Days"]], data["Reaction"])
    assert "set_output" not in str(error.value)


def test_a_response_of_one_column_is_taken_with_a_word() -> None:
    exceptions = pytest.importorskip("sklearn.exceptions")
    with pytest.warns(exceptions.DataConversionWarning, match="A column-vector y was passed"):
        r = LMERegressor("Days", groups="Subject").fit(X, Y.to_numpy()[:, None])
    np.testing.assert_array_equal(r.predict(X), LMERegressor("Days", groups="Subject").fit(X, Y).predict(X))
