"""Names of statsmodels; one convention for clusters, likelihood ratios and orders of models; old names."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import DataError, FormulaError, own_lines
from interlace.tables.table import Wide
from interlace.version import other_package

SLEEP = interlace.datasets.load("sleepstudy")
MACHINES = interlace.datasets.load("machines")


@pytest.fixture(scope="module")
def m() -> interlace.LinearMixedModel:
    return interlace.lmer("Reaction ~ Days + (Days | Subject)", SLEEP)


def test_aliases_are_what_has_another_name(m: interlace.LinearMixedModel) -> None:
    for model in (m, interlace.lm("score ~ Machine | Worker", MACHINES)):
        assert model.params.equals(model.fixef) and model.bse.equals(model.se)
        table = model.coef_table(level=0.9)
        assert model.tvalues.equals(table["t"]) and model.pvalues.equals(table["p"])
        np.testing.assert_array_equal(model.conf_int(0.1), table[["lower", "upper"]])
        assert model.llf == model.loglik and model.cov_params().equals(pd.DataFrame(model.vcov()))
        assert model.resid.equals(model.residuals()) and model.fittedvalues.equals(model.fitted)
    assert m.random_effects["Subject"].equals(m.ranef("Subject"))
    with pytest.raises(AttributeError, match="it is of random effects"):
        _ = interlace.lm("score ~ Machine", MACHINES).random_effects


def test_completion_offers_one_name_for_each_thing(m: interlace.LinearMixedModel) -> None:
    for model in (m, interlace.lm("score ~ Machine", MACHINES)):
        offered = set(dir(model))
        assert {"fixef", "coef_table", "update"} <= offered
        assert not offered & {"fit", "params", "bse", "llf", "resid", "random_effects"}


def test_intervals_of_the_table_of_coefficients(m: interlace.LinearMixedModel) -> None:
    table = m.coef_table(level=0.8, ddf="kenward-roger")
    wald = m.contrast_test(np.eye(2), level=0.8, ddf="kenward-roger").rows
    np.testing.assert_allclose(table[["lower", "upper"]], wald[["lower", "upper"]], rtol=1e-12)
    assert "80 % confidence intervals" in table.note
    with pytest.raises(DataError, match="level must be between 0 and 1"):
        m.coef_table(level=95)


def test_the_matrix_of_the_model(m: interlace.LinearMixedModel) -> None:
    np.testing.assert_allclose(m.model_matrix() @ m.fixef, m.predict(random="none"), rtol=1e-12)
    new = pd.DataFrame({"Days": [3.0, np.nan, 5.0]}, index=list("abc"))
    X = m.model_matrix(new)
    assert list(X.columns) == list(m.fixef.index) and list(X.index) == list("abc")
    np.testing.assert_allclose(X @ m.fixef, m.predict(new, random="none"), rtol=1e-12)
    linear = interlace.lm("score ~ Machine | Worker", MACHINES)
    assert linear.model_matrix().shape == (54, 2)
    with pytest.raises(DataError, match="Days"):
        m.model_matrix({"x": [1]})


def test_random_effects_of_one_factor_and_in_one_table() -> None:
    pastes = interlace.datasets.load("pastes")
    m = interlace.lmer("strength ~ 1 + (1 | batch) + (1 | sample)", pastes)
    both = m.ranef(condvar=True)
    assert m.ranef("batch").equals(m.ranef()["batch"]) and m.coef("batch").equals(m.coef()["batch"])
    np.testing.assert_array_equal(m.condvar("sample"), m.condvar()["sample"])
    long = both.long()
    assert list(long) == ["group", "level", "term", "estimate", "sd"] and len(long) == 40
    tidy = m.tidy("ran_vals")
    for ours, theirs in (("estimate", "estimate"), ("sd", "std.error")):
        np.testing.assert_allclose(long[ours].sort_values(), tidy[theirs].sort_values(), rtol=1e-12)
    html = m.ranef()._repr_html_()
    assert html.count("<table") == 2 and "and " not in html and "A:a" in html
    assert "and 1 more row" in type(both)({"g": pd.DataFrame({"x": np.arange(31.0)})})._repr_html_()
    for ask in (m.ranef, m.coef, m.condvar):
        with pytest.raises(DataError, match=r"no grouping factor 'bath'; did you mean"):
            ask("bath")


def test_clusters_are_written_in_one_way(m: interlace.LinearMixedModel) -> None:
    old = interlace.ClusterRobust("CR1", cluster="Subject")
    answers = {
        "coef_table": (), "anova": (), "drop1": (), "emmeans": ("Days",), "joint_tests": (),
        "emtrends": ("Days",),
    }  # fmt: skip
    for name, given in answers.items():
        ask = getattr(m, name)
        assert str(ask(*given, vcov="CR1", cluster="Subject")) == str(ask(*given, vcov=old))
    assert str(m.summary(vcov="CR1", cluster="Subject")) == str(m.summary(vcov=old))
    assert m.to_dict(vcov="CR1", cluster="Subject") == m.to_dict(vcov=old)
    one = m.contrast_test("Days", vcov="CR1", cluster="Subject").rows
    assert one.equals(m.contrast_test("Days", vcov=old).rows)
    assert m.vcov("CR1", cluster="Subject").equals(m.vcov(old))
    linear = interlace.lm("score ~ Machine", MACHINES)
    robust = interlace.ClusterRobust("CR1", cluster="Worker")
    assert str(linear.coef_table(vcov="CR1", cluster="Worker")) == str(linear.coef_table(vcov=robust))
    assert interlace.lm("score ~ Machine", MACHINES, vcov=robust).se.equals(
        linear.coef_table(vcov=robust)["se"]
    )
    with pytest.raises(DataError, match="write vcov='CR2' beside cluster="):
        m.coef_table(cluster="Subject")
    for model, twice in ((m, old), (linear, robust)):
        with pytest.raises(DataError, match="clusters are given twice"):
            model.coef_table(vcov=twice, cluster="Subject")


def test_likelihood_ratios_have_one_name_and_the_old_one_is_answered(m: interlace.LinearMixedModel) -> None:
    small = m.update("~ . - (Days | Subject) + (1 | Subject)")
    compared = interlace.compare(small, m)
    dropped = m.drop1(test="lrt")
    for table in (compared, dropped, dropped.round(3)):
        assert "lrt" in table and "chisq" not in table
        assert table["chisq"].equals(table["lrt"]) and table[["df", "chisq"]].equals(table[["df", "lrt"]])
    assert "lrt" in m.ranova() and "chisq" in m.anova(test="chisq")


def test_the_smaller_model_stands_first_and_either_order_is_answered(m: interlace.LinearMixedModel) -> None:
    small = m.update("~ . - (Days | Subject) + (1 | Subject)")
    found = interlace.bootstrap_compare(small, m, n=5, seed=1)
    for other in (
        interlace.bootstrap_compare(m, small, n=5, seed=1),
        interlace.bootstrap_compare(large=m, small=small, n=5, seed=1),
    ):
        np.testing.assert_array_equal(found.reference, other.reference)


def test_wide_tables_print_all_their_columns() -> None:
    table = Wide({f"a_long_name_{i}": [1.5] for i in range(12)})
    assert all(f"a_long_name_{i}" in str(table) for i in range(12))
    assert max(map(len, str(table.round(1)).splitlines())) <= 82
    with pd.option_context("display.max_columns", 3):
        assert "..." in str(table)


def test_an_error_in_a_notebook_shows_the_lines_of_the_caller() -> None:
    with pytest.raises(FormulaError) as caught:
        interlace.lmer("Reaction ~ Dayz + (1 | Subject)", SLEEP)
    shown = "\n".join(own_lines(caught.value))
    assert caught.value._render_traceback_() == [shown]
    assert "test_names_elsewhere.py" in shown and "lmer(" in shown and "^" in shown
    assert "src/interlace" not in shown


def test_help_opens_with_what_it_is() -> None:
    import pydoc

    text = pydoc.plain(pydoc.render_doc(interlace))
    assert "Linear mixed-effects models" in text[:300]
    assert text.index("lmer        linear mixed model") < text.index("InterlaceError")


def test_another_package_of_the_same_name_is_named(tmp_path: Path) -> None:
    assert other_package() == ""
    (tmp_path / "interlace").symlink_to(Path(interlace.__file__).parent)
    (tmp_path / "interlace_lme-0.3.dist-info").mkdir()
    code = "import interlace"
    ran = subprocess.run(
        [sys.executable, "-W", "always", "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "the distribution 'interlace-lme' is another package" in ran.stderr


@pytest.mark.parametrize("name", ["as_text", "as_html", "as_latex", "as_csv", "tables"])
def test_summaries_say_what_is_written_for_those_of_statsmodels(
    m: interlace.LinearMixedModel, name: str
) -> None:
    linear = interlace.lm("Reaction ~ Days", interlace.datasets.load("sleepstudy"))
    for summary in (m.summary(), linear.summary()):
        with pytest.raises(AttributeError, match=f"no attribute '{name}'; .*m[.(]|interlace"):
            getattr(summary, name)
        with pytest.raises(AttributeError, match=r"no attribute 'nothing'$"):
            _ = summary.nothing


def test_tables_go_to_polars_with_their_labels(m: interlace.LinearMixedModel) -> None:
    polars = pytest.importorskip("polars")
    table = m.coef_table()
    with pytest.raises(AttributeError, match=r"write polars\.from_pandas") as error:
        table.to_polars()
    written = str(error.value).split("write ")[1]
    found = eval(written, {"polars": polars, "table": table})
    assert found["name"].to_list() == list(table.index) and found["se"].to_list() == table["se"].tolist()
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = table.nothing
    assert table.se.equals(table["se"])  # pandas' columns as attributes are there


def test_the_formula_comes_first(m: interlace.LinearMixedModel) -> None:
    data = interlace.datasets.load("sleepstudy")
    for call in (interlace.lmer, interlace.lm):
        with pytest.raises(DataError, match="not DataFrame; it comes first, and the data after it"):
            call(data, "Reaction ~ Days + (1 | Subject)")


def test_a_summary_of_least_squares_is_a_table_in_a_notebook() -> None:
    data = interlace.datasets.load("sleepstudy")
    m = interlace.lm("Reaction ~ Days | Subject", data)
    html = m.summary()._repr_html_()
    assert html.count("<table>") == 1 and re.search("<td[^>]*>Days</td>", html)
    assert "Residual standard error: 30.99 on 161 df" in html and html == m._repr_html_()
    assert "No coefficients" in interlace.lm("Reaction ~ 0", data).summary()._repr_html_()


def test_deletions_are_tables_in_a_notebook(m: interlace.LinearMixedModel) -> None:
    html = m.case_delete("Subject", delete=["308", "309"])._repr_html_()
    assert html.count("<table>") == 2 and "deletions: " in html
