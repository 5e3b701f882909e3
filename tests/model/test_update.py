"""`m.update`: what changes, what is kept, and what it refuses."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import DataError, FormulaError, ModelError
from interlace.model.with_absorbed import AbsorbedModel

SLEEP = interlace.datasets.load("sleepstudy")
MACHINES = interlace.datasets.load("machines")


def doubled(x: object) -> object:
    return 2 * np.asarray(x, dtype=float)


def test_another_formula_is_the_fit_of_it() -> None:
    m = interlace.lmer("Reaction ~ Days + (Days | Subject)", SLEEP, reml=False)
    other = m.update("log(.) ~ . + I(Days**2) - (Days | Subject) + (1 | Subject)")
    direct = interlace.lmer("log(Reaction) ~ Days + I(Days ** 2) + (1 | Subject)", SLEEP, reml=False)
    assert other.formula == direct.formula and not other.reml
    assert other.loglik == direct.loglik and "Data: SLEEP" in str(other)
    pd.testing.assert_frame_equal(other.coef_table(), direct.coef_table())


def test_options_are_kept_until_they_are_given() -> None:
    w = np.linspace(0.5, 2, len(MACHINES))
    coding = {"Machine": "sum"}
    m = interlace.lmer("score ~ Machine + (1 | Worker)", MACHINES, weights=w, contrasts=coding, reml=False)
    same = m.update("~ .")
    assert same.loglik == m.loglik and list(same.fixef.index) == list(m.fixef.index)
    bare = m.update(weights=None, contrasts=None, reml=True)
    assert bare.loglik == interlace.lmer("score ~ Machine + (1 | Worker)", MACHINES).loglik
    half = m.update(data=MACHINES.iloc[:27], weights=w[:27])
    assert half.nobs == 27


def test_data_that_changed_since_are_those_of_the_fit() -> None:
    data = SLEEP.copy()
    m = interlace.lmer("Reaction ~ Days + (1 | Subject)", data)
    data["Reaction"] = 0.0
    assert m.update("~ .").loglik == m.loglik


def test_functions_of_the_first_fit_are_found_again_and_new_ones_are_the_callers() -> None:
    def fitted() -> interlace.LinearMixedModel:
        def own(x: object) -> object:
            return np.asarray(x, dtype=float) ** 3

        return interlace.lmer("Reaction ~ own(Days) + (1 | Subject)", SLEEP)

    m = fitted().update("~ . + doubled(Days)")
    assert m.formula == "Reaction ~ own(Days) + doubled(Days) + (1 | Subject)"
    assert m.update("~ .").loglik == m.loglik


def test_absorbed_factors_come_and_go() -> None:
    m = interlace.lmer("score ~ Machine + (1 | Worker)", MACHINES)
    absorbed = m.update("~ . - Machine + (1 | Worker:Machine) | Machine")
    assert isinstance(absorbed, AbsorbedModel)
    assert type(absorbed.update("~ . + Machine | 0")) is interlace.LinearMixedModel


def test_linear_models() -> None:
    m = interlace.lm("score ~ Machine", MACHINES)
    more = m.update("~ . | Worker", cluster="Worker")
    direct = interlace.lm("score ~ Machine | Worker", MACHINES, cluster="Worker")
    np.testing.assert_array_equal(more.se, direct.se)
    np.testing.assert_array_equal(more.update("~ .").se, direct.se)
    plain = interlace.lm("score ~ Machine | Worker", MACHINES)
    np.testing.assert_array_equal(more.update(cluster=None).se, plain.se)
    np.testing.assert_array_equal(
        m.update(vcov="HC3").se, interlace.lm("score ~ Machine", MACHINES, vcov="HC3").se
    )


def test_refusals() -> None:
    m = interlace.lmer("Reaction ~ Days + (1 | Subject)", SLEEP)
    with pytest.raises(FormulaError, match="the data have no column 'q'"):
        m.update("~ . + q")
    with pytest.raises(FormulaError, match="no random term; add one"):
        m.update("~ . - (1 | Subject)")
    with pytest.raises(DataError, match=r"must be text such as '~ \. \+ z', not int"):
        m.update(3)
    with pytest.raises(ModelError, match=r"a response of m\.refit\(y\)"):
        m.refit(SLEEP["Reaction"] + 1).update("~ .")
    with pytest.raises(TypeError, match="update"):
        m.update("~ .", family="binomial")
    assert m.refit(reml=False).update("~ .").loglik == m.update(reml=False).loglik


def test_an_unpickled_model_asks_for_its_data() -> None:
    m = pickle.loads(pickle.dumps(interlace.lmer("Reaction ~ Days + (1 | Subject)", SLEEP)))
    with pytest.raises(DataError, match="give them by data="):
        m.update("~ . - Days")
    assert m.update("~ . - Days", data=SLEEP).formula == "Reaction ~ 1 + (1 | Subject)"
