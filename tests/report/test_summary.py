"""What is printed: the layout of lme4 with the numbers of the reference."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import interlace
from reference_data import load_data

# What lmerTest 3.1-3 prints for this model of sleepstudy, less what differs by intention:
# names of coefficients ("Intercept") and of the columns of their table, which are those of `coef_table()`,
# the name of the class, stars, and the closing line of facts.
LMERTEST = """\
Linear mixed model fit by REML. t-tests use Satterthwaite's method
Formula: Reaction ~ Days + (Days | Subject)
   Data: sleepstudy

REML criterion at convergence: 1743.6

Scaled residuals:
    Min      1Q  Median      3Q     Max
-3.9536 -0.4634  0.0231  0.4634  5.1793

Random effects:
 Groups   Name      Variance Std.Dev. Corr
 Subject  Intercept 612.09   24.740
          Days       35.07    5.922   0.07
 Residual           654.94   25.592
Number of obs: 180, groups:  Subject, 18

Fixed effects:
          estimate      se      df      t        p
Intercept  251.405   6.825  17.000 36.838  < 2e-16
Days        10.467   1.546  17.000  6.771 3.26e-06

Correlation of fixed effects:
     Intrcp
Days -0.138
"""


class _Wellformed(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _html_text(html: str) -> str:
    parser = _Wellformed()
    parser.feed(html)
    assert parser.open == []
    return " ".join(parser.text)


@pytest.fixture(scope="module")
def slope() -> interlace.LinearMixedModel:
    sleepstudy = load_data("sleepstudy")
    return interlace.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)


def test_the_summary_reads_like_lmertest(slope: interlace.LinearMixedModel) -> None:
    text = str(slope.summary())
    assert text.startswith(LMERTEST)
    facts = text.removeprefix(LMERTEST).strip().splitlines()
    assert facts == [str(slope.convergence)]
    assert repr(slope.summary()) == text
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert LMERTEST in readme


def test_the_method_of_the_tests_is_named_and_used(slope: interlace.LinearMixedModel) -> None:
    kenward_roger, normal = slope.summary(ddf="kenward-roger"), slope.summary(ddf="asymptotic")
    assert "t-tests use Kenward-Roger's method\n" in str(kenward_roger)
    assert "t-tests use the normal distribution\n" in str(normal)
    assert np.isinf(normal.coefficients["df"]).all() and "Inf" in str(normal)
    for summary in (kenward_roger, normal):
        assert list(summary.coefficients) == ["estimate", "se", "df", "t", "p"]


def test_stars_are_optional(slope: interlace.LinearMixedModel) -> None:
    assert "*" not in str(slope.summary())
    text = str(slope.summary(stars=True))
    assert "3.26e-06 ***\nStars: *** p < 0.001" in text
    assert "***" in _html_text(slope.summary(stars=True)._repr_html_())


def test_a_singular_fit_says_how_its_df_are_made() -> None:
    model = interlace.lmer("Yield ~ 1 + (1 | Batch)", load_data("Dyestuff2"))
    note = "note: the fit is singular"
    assert note in str(model.summary()) and note in _html_text(model.summary()._repr_html_())
    assert note in str(model.summary(ddf="kenward-roger"))


def test_the_short_print(slope: interlace.LinearMixedModel) -> None:
    assert repr(slope).splitlines() == [
        "Linear mixed model fit by REML",
        "Formula: Reaction ~ Days + (Days | Subject)",
        "   Data: sleepstudy",
        "REML criterion at convergence: 1743.6283",
        "Random effects:",
        " Groups   Name      Std.Dev. Corr",
        " Subject  Intercept 24.7405",
        "          Days       5.9221  0.07",
        " Residual           25.5918",
        "Number of obs: 180, groups:  Subject, 18",
        "Fixed effects:",
        "Intercept      Days",
        "   251.41     10.47",
    ]


def test_maximum_likelihood_shows_its_criteria() -> None:
    model = interlace.lmer("Reaction ~ Days + (Days || Subject)", load_data("sleepstudy"), reml=False)
    lines = str(model.summary()).splitlines()
    assert lines[0] == "Linear mixed model fit by maximum likelihood. t-tests use Satterthwaite's method"
    assert lines[3].split() == ["AIC", "BIC", "logLik", "deviance", "df.resid"]
    assert lines[4].split() == ["1762.0", "1778.0", "-876.0", "1752.0", "175"]
    assert any(line.startswith(" Subject.1 Days") for line in lines)
    assert "Corr\n" not in str(model.summary())


def test_nested_groups_are_counted() -> None:
    text = str(interlace.lmer("strength ~ 1 + (1 | batch/cask)", load_data("Pastes")).summary())
    assert "Number of obs: 60, groups:  batch:cask, 30; batch, 10" in text
    assert "Correlation of fixed effects" not in text  # one coefficient has none


def test_rows_left_out_are_counted() -> None:
    model = interlace.lmer("Reaction ~ Days + (Days | Subject)", load_data("sleepstudy_na"))
    assert "(5 rows left out because of missing values)" in str(model.summary())
    assert "5 rows left out" in _html_text(model.summary()._repr_html_())
    assert model.summary().overview.n_missing == 5


def test_dropped_columns_are_named() -> None:
    with pytest.warns(interlace.RankDeficiencyWarning):
        model = interlace.lmer("Reaction ~ Days + Days2 + (Days | Subject)", load_data("sleepstudy"))
    line = "fixed effects are rank deficient, so 1 column left out: Days2"
    assert line in str(model.summary()) and line in repr(model)
    assert list(model.fixef.index) == ["Intercept", "Days"]


def test_a_model_without_fixed_effects() -> None:
    model = interlace.lmer("Reaction ~ 0 + (1 | Subject)", load_data("sleepstudy"))
    assert "No fixed-effect coefficients" in repr(model) and "No fixed-effect coefficients" in str(
        model.summary()
    )
    assert model.vcov().shape == (0, 0) and len(model.fixef) == 0
    _html_text(model.summary()._repr_html_())
    np.testing.assert_allclose(model.predict(random="none"), 0.0)


def test_correlations_of_three_random_effects_line_up() -> None:
    # The lines of lme4's print(summary(m)), with our names of columns.
    text = str(interlace.lmer("score ~ Machine + (Machine | Worker)", load_data("Machines")).summary())
    table = text[text.index(" Groups") : text.index("Number of obs")].splitlines()
    assert [line.split() for line in table] == [
        ["Groups", "Name", "Variance", "Std.Dev.", "Corr"],
        ["Worker", "Intercept", "16.6405", "4.0793"],
        ["Machine[T.B]", "34.5467", "5.8776", "0.48"],
        ["Machine[T.C]", "13.6150", "3.6899", "-0.37", "0.30"],
        ["Residual", "0.9246", "0.9616"],
    ]
    columns = [table[0].index(name) for name in ("Variance", "Std.Dev.", "Corr")]
    assert all(line.ljust(80)[column - 1] == " " for line in table[1:] for column in columns)
    assert len({line.index(".", columns[0]) for line in table[1:]}) == 1  # decimal points in one place


def test_many_coefficients_have_no_printed_correlation() -> None:
    data = load_data("InstEval_sub")
    model = interlace.lmer("y ~ service * dept + (1 | s) + (1 | d)", data)
    assert "not shown (28 coefficients)" in str(model.summary())
    assert model.summary().correlation.shape == (28, 28)
    assert max(map(len, str(model.summary()).splitlines())) < 110


def test_wide_correlations_are_wrapped() -> None:
    model = interlace.lmer("angle ~ recipe * temperature + (1 | recipe:replicate)", load_data("cake"))
    text = str(model.summary())
    shown = text[text.index("Correlation of fixed effects") :]
    assert max(map(len, shown.split("\n\n")[0].splitlines())) <= 80
    numbers = re.findall(r"-?\d\.\d{3}", shown.split("\n\n")[0])
    assert len(numbers) == 18 * 17 // 2


def test_correlations_are_those_of_vcov(slope: interlace.LinearMixedModel) -> None:
    vcov = slope.vcov()
    expected = vcov.loc["Days", "Intercept"] / np.sqrt(
        vcov.loc["Days", "Days"] * vcov.loc["Intercept", "Intercept"]
    )
    assert slope.summary().correlation.loc["Days", "Intercept"] == pytest.approx(expected)


def test_a_singular_fit_is_said_with_what_to_do() -> None:
    model = interlace.lmer("Yield ~ 1 + (1 | Batch)", load_data("Dyestuff2"))
    assert str(model.convergence).endswith("; the variance of (1 | Batch) is zero")
    assert str(model.convergence) in str(model.summary())
    assert "\n" not in str(model.convergence)
    line = "singular fit: the variance of (1 | Batch) is zero; leave (1 | Batch) out"
    for text in (str(model), str(model.summary())):
        assert line in text.splitlines()
    for html in (model._repr_html_(), model.summary()._repr_html_()):
        assert line in _html_text(html)


def test_other_fits_are_not_singular(slope: interlace.LinearMixedModel) -> None:
    assert slope.convergence.singular == ()
    for text in (str(slope), str(slope.summary()), str(slope.convergence)):
        assert "singular" not in text and "rank" not in text


def test_html_says_what_the_text_says(slope: interlace.LinearMixedModel) -> None:
    for html in (slope.summary()._repr_html_(), slope._repr_html_()):
        shown = _html_text(html)
        for piece in (
            "Linear mixed model fit by REML",
            "1743.6",
            "Subject",
            "Residual",
            "Days",
            "Number of obs: 180",
        ):
            assert piece in shown
    summary = _html_text(slope.summary()._repr_html_())
    for number in ("612.09", "24.740", "0.07", "251.405", "6.825", "36.838", "-0.138", "5.1793"):
        assert number in summary


def test_html_is_escaped() -> None:
    data = load_data("sleepstudy").rename(columns={"Days": "<b>x"})
    html = interlace.lmer("Reaction ~ `<b>x` + (1 | Subject)", data).summary()._repr_html_()
    assert "<b>" not in html and "&lt;b&gt;x" in html
    _html_text(html)


def test_a_correlation_that_the_data_cannot_tell_is_left_empty() -> None:
    y = [1.0, 2, 1.5, 2.5, 3, 4.2, 3.1, 4.4, 1.2, 2.2, 1.1, 2.7, 3.3, 4.1, 3.6, 4.9]
    data = {"y": y, "x": list(range(16)), "f": list("aaaabbbb") * 2, "g": list("ppppqqqqrrrrssss")}
    data["h"] = [g + f for g, f in zip(data["g"], data["f"], strict=True)]
    with pytest.warns(interlace.IdentificationWarning):
        model = interlace.lmer("y ~ x + h + (1 | h)", data)
    summary = model.summary()
    assert np.isnan(summary.correlation.to_numpy()).any()
    for shown in (str(summary), _html_text(summary._repr_html_())):
        block = shown[shown.index("Correlation of fixed effects") :]
        assert "nan" not in block.lower() and "the data cannot tell" in shown


def test_correlations_are_shown_when_asked_for(slope: interlace.LinearMixedModel) -> None:
    block, word = "Correlation of fixed effects:", "Correlation of fixed effects not shown (28 coefficients)"
    few = slope
    many = interlace.lmer("y ~ service * dept + (1 | s) + (1 | d)", load_data("InstEval_sub"))
    shown = {
        (name, asked): (
            str(m.summary(correlation=asked)),
            _html_text(m.summary(correlation=asked)._repr_html_()),
        )
        for name, m in (("few", few), ("many", many))
        for asked in (None, True, False)
    }
    for (name, asked), (text, html) in shown.items():
        expected = asked if asked is not None else name == "few"
        assert (block in text, block[:-1] in html.replace(word, "")) == (expected, expected), (name, asked)
        hidden = name == "many" and asked is None
        assert (word in text, word in html) == (hidden, hidden), (name, asked)
    assert few.summary(correlation=False).correlation.shape == (2, 2)
    with pytest.raises(interlace.DataError, match="correlation must be True or False"):
        few.summary(correlation="no")


def _headers(html: str) -> list[str]:
    return re.findall(r"<th[^>]*>([^<]*)</th>", html)


@pytest.mark.parametrize("kind", ["anova", "wald", "chisq", "drop1", "lrt", "ranova", "compare", "aic"])
def test_every_column_is_printed_under_its_name(kind: str, slope: interlace.LinearMixedModel) -> None:
    smaller = interlace.lmer("Reaction ~ Days + (1 | Subject)", load_data("sleepstudy"))
    table = {
        "anova": lambda: slope.anova(),
        "wald": lambda: slope.anova(type=2, test="wald"),
        "chisq": lambda: slope.anova(test="chisq", vcov="CR2"),
        "drop1": lambda: slope.drop1(),
        "lrt": lambda: slope.drop1(test="lrt"),
        "ranova": lambda: slope.ranova(),
        "compare": lambda: interlace.compare(slope, smaller),
        "aic": lambda: interlace.aic_table(slope, smaller),
    }[kind]()
    columns = list(table.columns)
    lines = str(table).splitlines()
    printed = [name for name in columns if name != "formula"]  # formulas stand above the numbers
    header = next(line for line in lines if line.split() == printed)
    assert _headers(table._repr_html_()) == ["", *columns]
    for number in table.select_dtypes("number").to_numpy().ravel():
        if np.isfinite(number) and 1 <= number < 1000:
            assert any(
                re.search(rf"(?<![\d.])-?{int(number)}", line) or f"{number:.0f}" in line for line in lines
            )
    assert lines.index(header) > 0
    if "formula" in columns:
        assert all(f"{label}: {text}" in lines for label, text in table["formula"].items())


def test_coefficients_are_printed_under_the_names_of_their_columns(slope: interlace.LinearMixedModel) -> None:
    for summary in (slope.summary(), slope.summary(vcov="CR2"), slope.summary(ddf="asymptotic")):
        names = list(summary.coefficients.columns)
        assert any(line.split() == names for line in str(summary).splitlines())
        assert [name for name in _headers(summary._repr_html_()) if name in names] == names


def test_polynomials_of_ordered_factors_are_said() -> None:
    data = load_data("cake")
    m = interlace.lmer("angle ~ recipe + temperature + (1 | recipe:replicate)", data)
    line = "temperature is ordered, and .L, .Q, ... are polynomials; contrasts={'temperature': 'treatment'}"
    for text in (
        str(m.summary()),
        repr(m),
        _html_text(m.summary()._repr_html_()),
        _html_text(m._repr_html_()),
    ):
        assert line in text
    assert "-0.000" not in str(m.summary()) + m.summary()._repr_html_()
    plain = interlace.lmer(
        "angle ~ recipe + temperature + (1 | recipe:replicate)", data, contrasts={"temperature": "treatment"}
    )
    assert "is ordered" not in str(plain.summary())
