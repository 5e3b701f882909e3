"""Names of other packages are answered with the names here, and options of a wrong type in words."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace import hints
from interlace.errors import DataError, InterlaceError
from interlace.inference.emmeans import EMMeans
from interlace.refitting.bootstrapped import Bootstrap
from interlace.refitting.power import Power
from interlace.refitting.profile import Profile

FORMULA = "Reaction ~ Days + (Days | Subject)"
DATA = interlace.datasets.load("sleepstudy")
ANSWERS: dict[str, Any] = {cls.__name__: cls for cls in (EMMeans, Profile, Bootstrap, Power)}


@pytest.fixture(scope="module")
def m() -> interlace.LinearMixedModel:
    return interlace.lmer(FORMULA, DATA)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("fe_params", "m.fixef"),
        ("VarCorr", "m.varcorr()"),
        ("AIC", "m.aic"),
        ("BIC", "m.bic"),
        ("logLik", "m.loglik"),
        ("isSingular", "m.is_singular"),
        ("cov_re", "m.varcorr()"),
        ("summary2", "m.summary()"),
        ("bse_re", "m.varcorr(se=True)"),  # and not m.bse, which is nearer by its letters
        ("f_pvalue", "m.anova()"),
        ("remove_data", "m.without_rows()"),
        ("df.residual", "m.df_resid"),
        ("fixeff", "m.fixef"),  # a slip of the finger
    ],
)
def test_attributes_of_other_packages(m: interlace.LinearMixedModel, name: str, written: str) -> None:
    with pytest.raises(AttributeError, match=re.escape(f"no attribute '{name}'")) as caught:
        getattr(m, name)
    assert f"write {written}" in str(caught.value)
    assert not hasattr(m, name) and getattr(m, name, 3) == 3


def test_what_is_written_exists(m: interlace.LinearMixedModel) -> None:
    """Every hint names something that is there."""
    texts = [*hints.ATTRIBUTES.values(), *(t for table in hints.OPTIONS.values() for t in table.values())]
    for text in texts:
        for name in re.findall(r"\bm\.(\w+)", text):
            assert hasattr(m, name), text
        for name in re.findall(r"interlace\.(\w+)", text):
            assert hasattr(interlace, name), text
    for function, table in hints.OPTIONS.items():
        if function:
            of, _, method = function.rpartition(".")
            home = ANSWERS[of] if of else interlace if hasattr(interlace, function) else m
            options = inspect.signature(getattr(home, method)).parameters
            assert not set(table) & set(options), function
            for text in table.values():
                written = re.match(r"write (\w+)=", text)
                assert written is None or written[1] in options, text
    assert not {name for name in hints.ATTRIBUTES if name in dir(m)}


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("predict", {"re_form": None}, "no option 're_form'; write random='all', random='none'"),
        ("predict", {"allow_new_levels": True}, "write new_levels='population'"),
        ("predict", {"type": "response"}, "leave it out: predictions are responses"),
        ("predict", {"data": DATA}, "write newdata="),
        ("predict", {"new_data": DATA}, "takes newdata=, not new_data="),
        ("simulate", {"nsim": 3}, "write n="),
        ("simulate", {"random_state": 3}, "write seed="),
        ("residuals", {"type": "pearson"}, "write kind='response'"),
        ("anova", {"typ": 2}, "write type=1"),
        ("coef_table", {"robust": "hc3"}, "write vcov='CR2'"),
        ("refit", {"REML": False}, "takes reml=False, not REML="),
        ("refit", {"newresp": 1}, "write y="),
        ("ranef", {"condVar": True}, "takes condvar=True, not condVar="),
        ("summary", {"ddff": "kr"}, "did you mean ddf="),
        ("summary", {"zzz": 1}, "its options are ddf, vcov, "),
        ("condvar", {"zzz": 1}, "its options are group"),
    ],
)
def test_options_of_other_packages(
    m: interlace.LinearMixedModel, method: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(TypeError, match=re.escape(words)):
        getattr(m, method)(**options)


@pytest.mark.parametrize(
    ("answer", "call", "words"),
    [
        ("means", lambda e: e.pairs(type="response"), "ask the answer: .pairs().test(type='response')"),
        ("means", lambda e: e.pairs(adjst="holm"), "did you mean adjust="),
        ("means", lambda e: e.confint(alpha=0.1), "write level=0.95"),
        ("means", lambda e: e.test(alternative="greater"), "write side="),
        ("means", lambda e: e.cld(Letters="ab"), "takes letters=, not Letters="),
        ("means", lambda e: e.pairs("holm"), "takes its options by name: adjust="),
        ("profile", lambda P: P.confint(parm="sigma"), "take rows of the table"),
        ("profile", lambda P: P.plot(type="density"), "write kind="),
        ("bootstrap", lambda B: B.confint(type="perc"), "write kind="),
        ("bootstrap", lambda B: B.append(nsim=3), "write n="),
        ("folds", lambda V: V.summary(digits=3), "it takes none"),
        ("pictures", lambda p: p.qq(zzz=1), "its options are level, effect"),
    ],
)
def test_options_of_answers(
    m: interlace.LinearMixedModel, answer: str, call: Callable[[Any], Any], words: str
) -> None:
    answers: dict[str, Callable[[], Any]] = {
        "means": lambda: m.emmeans("Days"),
        "profile": lambda: m.profile("sigma"),
        "bootstrap": lambda: m.bootstrap(2, seed=1),
        "folds": lambda: m.cross_validate("Subject", scores="mae"),
        "pictures": lambda: m.plot,
    }
    with pytest.raises(TypeError, match=re.escape(words)):
        call(answers[answer]())


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("groups", "write it in the formula: 'y ~ x + (1 | g)'"),
        ("family", "there are no generalized models"),
        ("re_formula", "random slopes in the formula"),
        ("vc_formula", "random terms in the formula"),
        ("subset", "select the rows in the data"),
        ("control", "the search needs no settings"),
        ("REML", "lmer() takes reml=False, not REML="),
        ("na_rm", "write na_action='drop'"),
        ("ddf", "m.summary(ddf='kenward-roger')"),
        ("wieghts", "did you mean weights="),
        ("zzz", "its options are formula, data, reml"),
    ],
)
def test_options_of_other_fits(option: str, words: str) -> None:
    with pytest.raises(TypeError, match=re.escape(words)):
        interlace.lmer(FORMULA, DATA, **{option: False})


def test_models_are_compared_with_the_same_hints(m: interlace.LinearMixedModel) -> None:
    with pytest.raises(TypeError, match="write n="):
        interlace.bootstrap_compare(m, m, nsim=3)
    with pytest.raises(TypeError, match="takes refit=True, not REFIT="):
        interlace.compare(m, m, REFIT=True)


def test_options_are_given_by_name(m: interlace.LinearMixedModel) -> None:
    with pytest.raises(
        TypeError, match=r"predict\(\) takes its options by name: random=, new_levels=, offset="
    ):
        m.predict(DATA, "none")
    with pytest.raises(TypeError, match=r"summary\(\) takes its options by name: ddf=, vcov="):
        m.summary("kr")
    assert len(m.simulate(1, 2)) == 180 and isinstance(m.vcov("CR0"), pd.DataFrame)


@pytest.mark.parametrize(
    ("name", "words"),
    [("anova", "interlace.compare(m1, m2)"), ("mixedlm", "interlace.lmer"), ("glmer", "only linear"),
     ("compar", "did you mean interlace.compare?")],
)  # fmt: skip
def test_functions_of_other_packages(name: str, words: str) -> None:
    with pytest.raises(AttributeError, match=re.escape(words)):
        getattr(interlace, name)
    assert not hasattr(interlace, name) and not hasattr(interlace, "__path_of_nothing__")


def test_a_model_with_hints_is_a_model(m: interlace.LinearMixedModel) -> None:
    for other in (copy.copy(m), copy.deepcopy(m), pickle.loads(pickle.dumps(m))):
        assert str(other.summary()) == str(m.summary())
    options = list(inspect.signature(m.predict).parameters)
    assert options[:4] == ["newdata", "random", "new_levels", "offset"]
    assert "Predicted responses" in m.predict.__doc__
    assert not hasattr(m, "__array__") and not hasattr(m, "_repr_png_")


@pytest.mark.parametrize("word", ["KR", "kr", "Kenward.Roger", "KENWARD ROGER"])
def test_words_as_people_write_them(m: interlace.LinearMixedModel, word: str) -> None:
    expected = m.coef_table(ddf="kenward-roger")
    pd.testing.assert_frame_equal(m.coef_table(ddf=word), expected)


@pytest.mark.parametrize("word", ["omit", "na.omit"])
def test_gaps_are_dropped_by_one_word(word: str) -> None:
    with pytest.raises(DataError, match="is written na_action='drop' here"):
        interlace.lmer(FORMULA, DATA, na_action=word)


ODD = (
    None, 3, 3.5, float("nan"), [], ["a"], {}, object(), "zz", b"F", True, print, pd.NA, pd.Series([1.0]),
    np.zeros((2, 2)), 2**80, -1, (), {"a": 1},
)  # fmt: skip

CALLS: dict[str, Callable[[interlace.LinearMixedModel, Any], Any]] = {
    "formula": lambda m, x: interlace.lmer(x, DATA),
    "data": lambda m, x: interlace.lmer(FORMULA, x),
    "reml": lambda m, x: interlace.lmer(FORMULA, DATA, reml=x),
    "weights": lambda m, x: interlace.lmer(FORMULA, DATA, weights=x),
    "offset": lambda m, x: interlace.lmer(FORMULA, DATA, offset=x),
    "contrasts": lambda m, x: interlace.lmer(FORMULA, DATA, contrasts=x),
    "na_action": lambda m, x: interlace.lmer(FORMULA, DATA, na_action=x),
    "n_jobs": lambda m, x: interlace.lmer(FORMULA, DATA, n_jobs=x),
    "ddf": lambda m, x: m.summary(ddf=x),
    "vcov": lambda m, x: m.coef_table(vcov=x),
    "stars": lambda m, x: m.summary(stars=x),
    "kind": lambda m, x: m.vcov(x),
    "cluster": lambda m, x: m.vcov("CR0", cluster=x),
    "L": lambda m, x: m.contrast_test(x),
    "rhs": lambda m, x: m.contrast_test("Days", rhs=x),
    "level": lambda m, x: m.contrast_test("Days", level=x),
    "type": lambda m, x: m.anova(type=x),
    "test": lambda m, x: m.anova(test=x),
    "terms": lambda m, x: m.anova(terms=x),
    "drop1": lambda m, x: m.drop1(test=x),
    "se": lambda m, x: m.varcorr(se=x),
    "drop": lambda m, x: m.ranova(drop=x),
    "tolerance": lambda m, x: m.r2(tolerance=x),
    "condvar": lambda m, x: m.ranef(condvar=x),
    "kind of residuals": lambda m, x: m.residuals(x),
    "newdata": lambda m, x: m.predict(x),
    "random": lambda m, x: m.predict(random=x),
    "new_levels": lambda m, x: m.predict(DATA, new_levels=x),
    "offset of predict": lambda m, x: m.predict(DATA, offset=x),
    "n": lambda m, x: m.simulate(x),
    "seed": lambda m, x: m.simulate(1, x),
    "y": lambda m, x: m.refit(x),
    "reml of refit": lambda m, x: m.refit(reml=x),
    "compare": lambda m, x: interlace.compare(m, x),
    "names": lambda m, x: interlace.compare(m, m.refit(reml=False), names=x),
    "refit": lambda m, x: interlace.compare(m, m.refit(reml=False), refit=x),
    "by": lambda m, x: interlace.aic_table(m, by=x),
    "data set": lambda m, x: interlace.datasets.load(x),
    "information": lambda m, x: interlace.KenwardRoger(x),
    "robust": lambda m, x: interlace.ClusterRobust(x),
}


@pytest.mark.parametrize("option", CALLS)
def test_options_of_a_wrong_type(m: interlace.LinearMixedModel, option: str) -> None:
    """An answer or one of our errors, and no word of Python's or NumPy's."""
    for odd in ODD:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", interlace.InterlaceWarning
            )  # a tolerance of 3 makes fits singular
            try:
                CALLS[option](m, odd)
            except InterlaceError as error:
                assert len(str(error)) > 20
            except TypeError as error:
                raise AssertionError(f"{option}={odd!r}: {error}") from error


def test_more_draws_than_memory_holds(m: interlace.LinearMixedModel) -> None:
    with pytest.raises(DataError, match="n is 1,208,925,819,614,629,174,706,176, and"):
        m.simulate(2**80)
    with pytest.raises(DataError, match="is the most that memory has room for"):
        interlace.bootstrap_compare(m, interlace.lmer("Reaction ~ 1 + (Days | Subject)", DATA), n=2**80)


def test_warnings_point_at_the_line_of_the_caller(m: interlace.LinearMixedModel) -> None:
    with pytest.warns(interlace.InterlaceWarning) as caught:
        m.r2(tolerance=3)
    with pytest.warns(interlace.RankDeficiencyWarning) as dropped:
        interlace.lmer("Reaction ~ Days + I(2 * Days) + (1 | Subject)", DATA)
    assert {warning.filename for warning in (*caught, *dropped)} == {__file__}


def test_what_other_packages_call() -> None:
    data = interlace.datasets.load("sleepstudy")
    for m in (interlace.lmer("Reaction ~ Days + (1 | Subject)", data), interlace.lm("Reaction ~ Days", data)):
        with pytest.raises(TypeError, match="the model is fitted already"):
            m.fit(method="lbfgs")  # type: ignore[operator]
    m = interlace.lmer("Reaction ~ Days + (1 | Subject)", data)
    with pytest.raises(AttributeError, match=r"no picture 'resid'; .*a method for each picture: m.plot.*qq"):
        m.plot.resid  # noqa: B018
    with pytest.raises(TypeError, match=r"a method for each picture: m.plot.*residuals"):
        m.plot(which=1)


def test_models_one_after_the_other_are_a_list() -> None:
    data = interlace.datasets.load("sleepstudy")
    m, other = (interlace.lm(f"Reaction ~ {x}", data) for x in ("Days", "1"))
    assert str(interlace.modeltable(m, other)) == str(interlace.modeltable([m, other]))
    with pytest.raises(interlace.DataError, match="takes models of"):
        interlace.modeltable(m, "names")  # type: ignore[arg-type]
