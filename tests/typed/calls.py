"""What a type checker knows of the public calls: `make check` reads this file, and nothing runs it.

A call whose types are wrong, or whose answer has become `Any`, fails there.
"""

from __future__ import annotations

from typing import Any, assert_type

import pandas as pd

import interlace
from interlace.inference.emmeans import EMMeans
from interlace.inference.means_list import MeansList
from interlace.refitting.power import Power
from interlace.report.summary import Summary
from interlace.tables.by_group import ByGroup
from interlace.tables.table import Table


def of_mixed_models(data: pd.DataFrame) -> None:
    m = interlace.lmer("y ~ x + (x | g)", data, reml=False, weights="w", contrasts={"a": "sum"})
    assert_type(m, interlace.LinearMixedModel)
    assert_type(m.sigma, float)
    assert_type(m.nobs, int)
    assert_type(m.ngroups, dict[str, int])
    assert_type(m.is_singular, bool)
    assert_type(m.summary(ddf="kenward-roger"), Summary)
    assert_type(m.coef_table(ddf=interlace.KenwardRoger(), vcov="model"), Table)
    assert_type(m.anova(type=2, vcov=interlace.ClusterRobust("CR2")), Table)
    assert_type(m.confint(method="profile", level=0.9), Table)
    assert_type(m.r2(), dict[str, float])
    assert_type(m.to_dict(), dict[str, Any])
    assert_type(m.emmeans("a"), EMMeans | MeansList[EMMeans])
    assert_type(m.emmeans(["a", "b"], by="c", ddf="kenward-roger", type="response"), EMMeans)
    assert_type(m.emmeans(("a",)), EMMeans)
    assert_type(m.emtrends("x", "pairwise ~ a"), EMMeans | MeansList[EMMeans])
    assert_type(m.emtrends("x", ["a"], max_degree=2), EMMeans)
    assert_type(m.update("~ . + z"), interlace.LinearMixedModel)
    assert_type(m.without_rows(), interlace.LinearMixedModel)
    assert_type(m.refit(reml=False), interlace.LinearMixedModel)
    assert_type(m.ranef(), ByGroup)
    assert_type(m.leverage("g"), Table)
    assert_type(m.stream("fitted", to="fitted.parquet"), int)
    assert_type(interlace.compare(m, m), Table)
    assert_type(interlace.power(m, n=10), Power)


def of_means(data: pd.DataFrame) -> None:
    means = interlace.lmer("y ~ a * b + (1 | g)", data).emmeans(["a", "b"])
    assert_type(means.contrast("consec", by="b"), EMMeans)
    assert_type(means.pairs(adjust="holm"), EMMeans)
    assert_type(means.pairs(simple=["a"]).contrast("eff").pairs(), EMMeans)
    assert_type(means.pairs(simple="each"), MeansList[EMMeans])
    assert_type(means.contrast("eff", simple="each")["simple contrasts for a"], EMMeans)
    assert_type(means.pairs(simple="a"), EMMeans | MeansList[EMMeans])
    assert_type(means.pwpm(), Table | MeansList[Table])


def of_linear_models(data: pd.DataFrame) -> None:
    m = interlace.lm("y ~ x | firm", data, cluster="firm", ssc=interlace.ssc(K_fixef="full"))
    assert_type(m, interlace.LinearModel)
    assert_type(m.sigma, float)
    assert_type(m.coef_table(vcov="HC1"), Table)
    assert_type(m.absorbed(), Table)
    assert_type(m.update(vcov="HC3").refit([1.0, 2.0]).without_rows(), interlace.LinearModel)


def of_wrong_calls(data: pd.DataFrame) -> None:
    """The comments are needed: mypy says so where one is not."""
    m = interlace.lmer("y ~ x + (1 | g)", data, reml="yes")  # type: ignore[arg-type]
    m.sigma = 1.0  # type: ignore[misc]
    m.anova(m)  # type: ignore[arg-type]
    m.emmeans(["a"], levels=0.9)  # type: ignore[call-overload]
    m.emmeans(["a"]).pairs(metod="holm")  # type: ignore[call-overload]
