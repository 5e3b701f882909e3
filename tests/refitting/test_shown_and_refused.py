"""What answers show of themselves in a notebook, and options that no refit has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import interlace
from interlace.errors import InterlaceError, ModelError

Model = interlace.LinearMixedModel


@pytest.fixture(scope="module")
def m() -> Model:
    return interlace.lmer("score ~ Machine + (1 | Worker)", interlace.datasets.load("machines"))


@pytest.mark.parametrize(
    ("made", "shows"),
    [
        (lambda m: m.cross_validate(by="Worker", k=3, seed=1), "standard errors from 6 groups of 'Worker'"),
        (lambda m: m.cross_validate(k=3, seed=1), "standard errors from 54 rows"),
        (lambda m: m.multistart(n=2, seed=1), "evaluations"),
        (lambda m: m.permutation_test("Machine", n=9, seed=1), "Permutation test"),
        (lambda m: m.bootstrap(4, seed=1), "bootstrap"),
        (lambda m: m.profile(which="sigma"), "sigma"),
        (lambda m: interlace.bootstrap_compare(m.update("~ . - Machine"), m, n=4, seed=1), "Bootstrap test"),
        (lambda m: interlace.power(m, test="Machine", n=4, seed=1), "power"),
        (lambda m: m.case_delete("Worker", delete=["1", "2"]), "deletions"),
        (lambda m: interlace.lm("score ~ Machine", interlace.datasets.load("machines")), "Coefficients"),
    ],
)
def test_shown_in_a_notebook(made: Callable[[Model], Any], shows: str, m: Model) -> None:
    found = made(m)
    html = found._repr_html_()
    assert shows in repr(found) and "<table>" in html and html.count("<div") == html.count("</div>")
    assert shows.replace("'", "&#x27;") in html


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.cross_validate(k=3, scores=3), "scores must be words such as"),
        (lambda m: m.permutation_test(3), "term must be a text"),
        (lambda m: m.permutation_test("zz"), "there is no term 'zz'"),
        (lambda m: m.bootstrap(4, kind="case", resample=3), "resample must name grouping factors or 'rows'"),
        (lambda m: m.bootstrap(4, statistic=lambda m: np.ones((2, 2))), r"not an array of shape \(2, 2\)"),
        (lambda m: m.bootstrap(4, seed=1, kind="reb2").confint(kind="bca"), "its draws are adjusted already"),
        (lambda m: interlace.aic_table(), "a table of models needs a model"),
        (lambda m: interlace.compare(), "needs two models or more"),
        (lambda m: interlace.ssc(t_df=-1), "or a number above zero, not -1"),
        (lambda m: m.profile().plot("pairs", ax=[1, 2]), "has 5 x 5 panels, and ax has 2"),
        (lambda m: m.plot.residuals(x=3), "x=3 is no column of the model"),
        (lambda m: m.stream("fitted", to=3), "is the path of a Parquet file"),
    ],
)
def test_refused(call: Callable[[Model], Any], words: str, m: Model) -> None:
    with pytest.raises(InterlaceError, match=words):
        call(m)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ssc": 3}, "must be interlace.ssc"),
        ({"vcov": "CR3", "cluster": ["Worker", "Machine"]}, "CR3 is defined for one clustering"),
        ({"vcov": "HC3", "cluster": "Worker"}, "vcov='HC3' has no clusters"),
        ({"vcov": interlace.ClusterRobust}, "vcov 'CR2' is not known"),
        ({"cluster": "nothing"}, "no column of the data"),
    ],
)
def test_covariances_that_lm_has_not(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InterlaceError, match=words):
        interlace.lm("score ~ Machine", interlace.datasets.load("machines"), **options)


def test_clusters_as_a_table_or_as_columns() -> None:
    data = interlace.datasets.load("machines")
    m = interlace.lm("score ~ Machine", data)
    one, two = m.coef_table(cluster="Worker"), m.coef_table(cluster=["Worker", "Machine"])
    assert m.coef_table(cluster=data[["Worker"]]).equals(one)
    assert m.coef_table(cluster=[data["Worker"], data["Machine"]]).equals(two)
    with pytest.raises(InterlaceError, match="is of models with random effects"):
        m.emmeans(["Machine"], ddf="kenward-roger")


def test_what_rests_on_a_factor_is_not_there_without_one() -> None:
    data = interlace.datasets.load("penicillin")
    m = interlace.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", data, solver="iterative")
    for name in ("report", "profile", "check"):
        with pytest.raises(ModelError, match=f"m.{name} is not there after solver='iterative'"):
            getattr(m, name)()


def test_a_variance_that_another_one_describes_is_not_tested() -> None:
    """The data do not tell it: both models are one, and there is no test between them."""
    data = interlace.datasets.load("sleepstudy")
    data["again"] = data["Subject"]
    small = interlace.lmer("Reaction ~ Days + (1 | Subject)", data)
    with pytest.warns(interlace.IdentificationWarning):
        large = interlace.lmer("Reaction ~ Days + (1 | Subject) + (1 | again)", data)
    table = interlace.compare(small, large)
    assert np.isnan(table["p"].iloc[-1]) and "on which the difference rests" in table.note.replace("\n", " ")
