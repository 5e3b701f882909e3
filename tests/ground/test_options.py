"""Options that are words: whatever their capitals, everywhere; classes in place of objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace import Asymptotic, ClusterRobust, DataError, KenwardRoger, LinearMixedModel, Satterthwaite


@pytest.fixture(scope="module")
def model() -> LinearMixedModel:
    return interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))


SAME: list[tuple[Callable[[LinearMixedModel], Any], Callable[[LinearMixedModel], Any]]] = [
    *(
        (lambda m, t=t: m.anova(type=t), lambda m: m.anova(type=3))
        for t in (3.0, np.int64(3), "3", "III", "iii")
    ),
    (lambda m: m.anova(type="II", test="CHISQ"), lambda m: m.anova(type=2, test="chisq")),
    (lambda m: m.anova(test="f"), lambda m: m.anova()),
    (lambda m: m.drop1(test="LRT"), lambda m: m.drop1(test="lrt")),
    (lambda m: m.confint(method="boot", n=9, seed=1), lambda m: m.confint(method="bootstrap", n=9, seed=1)),
    (lambda m: m.drop1(test="Chisq"), lambda m: m.drop1(test="lrt")),
    (lambda m: m.coef_table(ddf="Kenward_Roger"), lambda m: m.coef_table(ddf="kenward-roger")),
    (lambda m: m.coef_table(vcov="cr2"), lambda m: m.coef_table(vcov="CR2")),
    (lambda m: m.vcov("cr1s"), lambda m: m.vcov("CR1S")),
    (lambda m: m.vcov("Model"), lambda m: m.vcov()),
    (lambda m: m.ranova(drop="Terms"), lambda m: m.ranova(drop="terms")),
    (lambda m: m.residuals("Pearson"), lambda m: m.residuals("pearson")),
    (lambda m: interlace.aic_table(m, by="AICc"), lambda m: interlace.aic_table(m, by="aicc")),
    (
        lambda m: m.coef_table(ddf=KenwardRoger("Observed")),
        lambda m: m.coef_table(ddf=KenwardRoger("observed")),
    ),
    (lambda m: m.coef_table(vcov=ClusterRobust("cr3")), lambda m: m.coef_table(vcov="CR3")),
    (lambda m: m.anova(ddf=KenwardRoger), lambda m: m.anova(ddf="kenward-roger")),
    (lambda m: m.anova(ddf=Satterthwaite), lambda m: m.anova()),
    (lambda m: m.coef_table(ddf=Asymptotic), lambda m: m.coef_table(ddf="asymptotic")),
    (lambda m: m.coef_table(vcov=ClusterRobust), lambda m: m.coef_table(vcov="CR2")),
]


@pytest.mark.parametrize("pair", SAME)
def test_what_is_meant(model: LinearMixedModel, pair: Any) -> None:
    asked, meant = (ask(model) for ask in pair)
    assert asked.equals(meant)
    assert asked.attrs == meant.attrs


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda m: m.anova(type="IV"), "type must be 1, 2 or 3, not 'IV'"),
        (lambda m: m.anova(type=True), "type must be 1, 2 or 3, not True"),
        (lambda m: m.anova(type=[3]), r"type must be 1, 2 or 3, not \[3\]"),
        (lambda m: m.anova(ddf="XY"), "ddf 'XY' is not known: choose from satterthwaite, kenward-roger"),
        (
            lambda m: m.anova(test="LRT"),
            r"choose from F, wald, chisq; likelihood ratios are m\.drop1\(test='lrt'\)",
        ),
        (lambda m: m.anova(test=None), "test None is not known"),
        (lambda m: m.coef_table(vcov="HC3"), "vcov 'HC3' is not known: choose from model, CR0"),
        (
            lambda m: m.coef_table(vcov=np.eye(2)),
            "vcov must be one of model, .* not an object of type ndarray",
        ),
        (lambda m: m.drop1(test="lrt", vcov="CR2"), "a likelihood ratio has neither"),
        (lambda m: m.r2(tolerance=10**400), "tolerance must be a finite number, not 1000"),
        (lambda m: m.icc(tolerance=np.nan), "tolerance must be a finite number, not nan"),
        (lambda m: m.anova(terms=np.array("Days")), "terms must be a list of texts"),
        (lambda m: m.anova(m), r"compared by interlace\.compare\(m1, m2\)"),
        (lambda m: m.anova(2), "takes its options by name, such as type=3"),
    ],
)
def test_what_is_refused(
    model: LinearMixedModel, ask: Callable[[LinearMixedModel], Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        ask(model)


def test_robust_covariances_are_compared_by_value() -> None:
    a, b = np.arange(6) // 2, np.arange(6) // 3
    assert ClusterRobust("CR2", a) == ClusterRobust("cr2", a.copy())
    assert ClusterRobust("CR2", a) != ClusterRobust("CR2", b)
    assert ClusterRobust("CR2", a) != ClusterRobust("CR1", a)
    assert ClusterRobust("CR2", pd.Series(a)) != ClusterRobust("CR2", "a")
    assert ClusterRobust("CR2", a) != "CR2"
    assert hash(ClusterRobust("CR2", "g")) == hash(ClusterRobust("CR2", "g"))
    with pytest.raises(TypeError, match="unhashable"):
        hash(ClusterRobust("CR2", a))


class Wordy:
    def __repr__(self) -> str:
        return "many words\non several lines " * 9


@pytest.mark.parametrize("value", [10**400, 10**5000, "a" * 500, Wordy(), list(range(999))], ids=lambda v: "")
def test_values_are_shown_on_one_short_line(value: Any, model: LinearMixedModel) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: model.anova(type=value),
        lambda: model.anova(ddf=value),
        lambda: model.simulate(value),
        lambda: model.simulate(seed=[value]),  # type: ignore[arg-type]
        lambda: model.r2(tolerance=value),
        lambda: model.contrast_test({"Days": 1}, level=value),
        lambda: model.contrast_test({"Days": value}),
        lambda: model.varcorr(se=value),
        lambda: model.residuals(value),
        lambda: model.predict(random=[value]),
        lambda: interlace.bootstrap_compare(model, model.refit(reml=False), n=value),
    ]
    for call in calls:
        with pytest.raises(DataError) as caught:
            call()
        assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble, np.int8, np.uint64])
def test_numbers_of_every_width(model: LinearMixedModel, kind: Any) -> None:
    table = model.emmeans("Days").confint(interval="prediction", sigma=kind(2))
    assert table["se"].item() == model.emmeans("Days").confint(interval="prediction", sigma=2.0)["se"].item()
    if kind in (np.float16, np.float32, np.longdouble):
        with pytest.raises(DataError, match="sigma must be a finite number"):
            model.emmeans("Days").confint(interval="prediction", sigma=kind("inf"))
