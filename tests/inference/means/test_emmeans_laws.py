"""Laws of marginal means: what may not matter, and what must add up."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.model import LinearMixedModel

FORMULA = "y ~ A * B + C + x + (1 | g)"


def made(seed: int = 5, n: int = 240) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(
        {
            "A": rng.choice(["a", "b", "c"], n),
            "B": rng.choice(["p", "q"], n),
            "C": rng.choice(["u", "v", "w", "z"], n),
            "x": rng.normal(2.0, 1.0, n),
            "g": rng.integers(0, 20, n),
        }
    )
    effect = data["A"].map({"a": 0.0, "b": 1.0, "c": -0.5}) * (1 + (data["B"] == "q"))
    data["y"] = effect + 0.3 * data["x"] + rng.normal(0, 0.5, 20)[data["g"]] + rng.normal(0, 1.0, n)
    return data


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return made()


@pytest.fixture(scope="module")
def m(data: pd.DataFrame) -> LinearMixedModel:
    return interlace.lmer(FORMULA, data)


def close(one: Any, other: Any, rtol: float = 1e-6) -> None:
    for name in ("estimate", "se", "df", "lower", "upper"):
        np.testing.assert_allclose(one[name], other[name], rtol=rtol, atol=1e-7)


@pytest.mark.parametrize("coding", ["sum", "helmert", "poly"])
def test_the_coding_of_factors_does_not_matter(m: LinearMixedModel, data: pd.DataFrame, coding: str) -> None:
    other = interlace.lmer(FORMULA, data, contrasts=dict.fromkeys("ABC", coding))
    for specs in ("A", "A | B", "1"):
        close(other.emmeans(specs).frame, m.emmeans(specs).frame, rtol=1e-5)
    tests = [model.joint_tests()["F"].to_numpy() for model in (m, other)]
    np.testing.assert_allclose(tests[1], tests[0], rtol=1e-6)


def test_the_order_of_rows_and_levels_does_not_matter(m: LinearMixedModel, data: pd.DataFrame) -> None:
    mixed = data.sample(frac=1.0, random_state=3)
    mixed["A"] = pd.Categorical(mixed["A"], categories=["c", "a", "b"])
    other = interlace.lmer(FORMULA, mixed).emmeans("A").frame
    assert other["A"].tolist() == ["c", "a", "b"]
    close(other.sort_values("A"), m.emmeans("A").frame, rtol=1e-5)


def test_contrast_of_means_is_mean_of_contrasts(m: LinearMixedModel) -> None:
    outside = m.emmeans("A").contrast({"b - a": [-1, 1, 0]}).frame
    inside = m.emmeans("A | B").contrast({"b - a": [-1, 1, 0]}).contrast({"mean": [0.5, 0.5]}, by=[])
    close(inside.frame, outside)


def test_weights_of_cells_are_marginal_means_of_the_fixed_part(data: pd.DataFrame) -> None:
    m = interlace.lmer("y ~ A * B * C + (1 | g)", data)
    fixed = m.predict(random="none")
    for specs in (["A"], ["B", "A"]):
        found = m.emmeans(specs, weights="cells").frame.set_index(specs)["estimate"]
        expected = fixed.groupby([data[name] for name in specs]).mean()
        np.testing.assert_allclose(found.sort_index(), expected.sort_index(), rtol=1e-9)


def test_without_interactions_means_are_sums_of_effects(data: pd.DataFrame) -> None:
    m = interlace.lmer("y ~ A + C + x + (1 | g)", data)
    b = m.fixef
    base = b["Intercept"] + np.mean([0.0, b["C[T.v]"], b["C[T.w]"], b["C[T.z]"]]) + b["x"] * data["x"].mean()
    expected = [base, base + b["A[T.b]"], base + b["A[T.c]"]]
    np.testing.assert_allclose(m.emmeans("A").frame["estimate"], expected, rtol=1e-10)


def test_a_row_alone_is_the_coefficient_test(m: LinearMixedModel) -> None:
    for ddf in ("satterthwaite", "kenward-roger", "asymptotic"):
        slope = m.emtrends("x", ddf=ddf).test().iloc[0]
        known = m.coef_table(ddf=ddf).loc["x", "estimate":"p"]
        np.testing.assert_allclose(slope[["estimate", "se", "df", "t", "p"]].astype(float), known, rtol=1e-7)


def test_predictions_of_rows_are_means_at_these_values(m: LinearMixedModel, data: pd.DataFrame) -> None:
    row = data.iloc[[7]]
    at = {name: row[name].tolist() for name in ("A", "B", "C", "x")}
    found = m.emmeans(["A", "B", "C", "x"], at=at).frame["estimate"]
    np.testing.assert_allclose(found, m.predict(row, random="none"), rtol=1e-12)


@pytest.mark.parametrize(
    "term", ["poly(x, 3)", "bs(x, df=5)", "ns(x, df=3)", "scale(x)", "np.log(x + 9)", "I(x**2)"]
)
def test_transforms_are_those_of_the_fit(data: pd.DataFrame, term: str) -> None:
    m = interlace.lmer(f"y ~ A * {term} + (1 | g)", data)
    new = pd.DataFrame({"A": ["a", "b", "c"], "x": data["x"].mean()})
    np.testing.assert_allclose(m.emmeans("A").frame["estimate"], m.predict(new, random="none"), rtol=1e-10)
    step = 1e-5
    moved = m.predict(new.assign(x=new["x"] + step), random="none") - m.predict(
        new.assign(x=new["x"] - step), random="none"
    )
    np.testing.assert_allclose(
        m.emtrends("x", "A").frame["estimate"], moved / (2 * step), rtol=1e-4, atol=1e-6
    )


def test_a_number_that_is_a_factor_elsewhere_is_at_its_levels(data: pd.DataFrame) -> None:
    some = data.assign(k=np.arange(len(data)) % 3)
    m = interlace.lmer("y ~ factor(k) + k:x + (1 | g)", some)
    new = pd.DataFrame({"k": [0, 1, 2], "x": some["x"].mean()})
    np.testing.assert_allclose(m.emmeans("k").frame["estimate"], m.predict(new, random="none"), rtol=1e-10)


def test_rows_in_files_are_no_different(data: pd.DataFrame, tmp_path: Any) -> None:
    pytest.importorskip("pyarrow")
    data.to_parquet(tmp_path / "rows.parquet", row_group_size=60)
    m, files = (
        interlace.lmer(FORMULA, data),
        interlace.lmer(FORMULA, interlace.parquet(tmp_path / "rows.parquet")),
    )
    for weights in ("equal", "proportional", "cells"):
        close(files.emmeans("A", weights=weights).frame, m.emmeans("A", weights=weights).frame, rtol=1e-5)


def test_a_hundred_thousand_combinations_are_never_built() -> None:
    rng = np.random.default_rng(2)
    factors = [f"f{i}" for i in range(10)]
    data = pd.DataFrame({name: rng.choice(list("abcd"), 400) for name in factors})
    data["g"], data["y"] = rng.integers(0, 20, 400), rng.normal(size=400)
    m = interlace.lmer(f"y ~ {' + '.join(factors)} + f0:f1 + (1 | g)", data)
    frame = m.emmeans("f0", ddf="asymptotic").frame
    assert frame["estimate"].notna().all() and len(frame) == 4


# ---- the result ----


def test_rows_can_be_taken_and_put_together(m: LinearMixedModel) -> None:
    means = m.emmeans("A | B")
    assert len(means) == 6 and len(means[0:2]) == 2 and len(means[-1]) == 1
    mask = np.array([row == "p" for row in means.frame["B"]])
    close(means[mask].frame, means.frame[mask])
    both = means[mask] + means[~mask]
    close(both.frame, means.frame)
    assert both.by == ()
    assert [len(one) for one in means] == [1] * 6
    np.testing.assert_allclose(means.linfct @ m.fixef, means.frame["estimate"])
    np.testing.assert_allclose(np.sqrt(np.diagonal(means.vcov)), means.frame["se"])


def test_groups_stay_through_contrasts(m: LinearMixedModel) -> None:
    pairs = m.emmeans("A | B").pairs()
    assert pairs.by == ("B",) and pairs.frame["B"].tolist() == ["p"] * 3 + ["q"] * 3
    assert list(pairs.test()) == ["contrast", "B", "estimate", "se", "df", "t", "p"]
    across = m.emmeans("A | B").pairs(by="A")
    assert across.frame["contrast"].unique().tolist() == ["p - q"]
    assert "comparing a family of 3 estimates" in repr(pairs)


def test_text_of_specs(m: LinearMixedModel) -> None:
    both = m.emmeans("pairwise ~ A | B")
    assert list(both) == ["emmeans", "contrasts"]
    close(both.contrasts.frame, m.emmeans("A", by="B").pairs().frame)
    close(m.emmeans("~ A * B").frame, m.emmeans(["A", "B"]).frame)
    assert m.emmeans("1").frame["1"].tolist() == ["overall"]


def test_notes_say_what_was_done(m: LinearMixedModel) -> None:
    text = repr(m.emmeans("A"))
    assert "averaged over the levels of B, C" in text
    assert "results may be misleading: A interacts with B" in text
    assert "confidence level 0.95" in text
    assert "misleading" not in repr(m.emmeans("C"))
    assert "right-tailed" in m.emmeans("A").test(side=">").note
    assert "equivalence with a threshold of 0.5" in m.emmeans("A").test(delta=0.5).note


def test_html(m: LinearMixedModel) -> None:
    html = m.emmeans("pairwise ~ A | B")._repr_html_()
    assert html.count("<table>") == 4 and "B = p" in html


def test_missing_cells_are_counted(data: pd.DataFrame) -> None:
    some = data[~((data["A"] == "c") & (data["B"] == "q"))]
    with pytest.warns(interlace.RankDeficiencyWarning):
        m = interlace.lmer("y ~ A * B + (1 | g)", some)
    means = m.emmeans("A")
    assert np.isnan(means.estimate).tolist() == [False, False, True]
    assert "1 of 3 rows cannot be estimated" in repr(means)
    assert np.isnan(means.pairs().test()["p"]).tolist() == [False, True, True]


def test_letters_say_what_the_pairs_say(m: LinearMixedModel) -> None:
    for specs in ("A", "A | B"):
        means = m.emmeans(specs)
        table = means.cld(alpha=0.2)
        for _, group in table.groupby(list(means.by) or np.zeros(len(table))):
            assert group["estimate"].is_monotonic_increasing
            p = means.pairs().test()
            for i, one in group.iterrows():
                for j, other in group.iterrows():
                    if i < j:  # type: ignore[operator]
                        pair = {f"{one['A']} - {other['A']}", f"{other['A']} - {one['A']}"}
                        row = p["contrast"].isin(pair)
                        for name in means.by:
                            row &= p[name] == one[name]
                        shared = set(one["group"]) & set(other["group"]) - {" "}
                        assert bool(shared) == bool(p.loc[row, "p"].item() >= 0.2)
    assert "share a letter" in means.cld().note


# ---- what is refused ----


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda m: m.emmeans("AA"), "did you mean 'A'"),
        (lambda m: m.emmeans("g"), "no variable of the fixed part"),
        (lambda m: m.emmeans([]), "names no variable"),
        (lambda m: m.emmeans(3), "must be a name"),
        (lambda m: m.emmeans("A ~ B ~ C"), "not understood"),
        (lambda m: m.emmeans("A", at={"B": ["zz"]}), "'B' has no level 'zz'"),
        (lambda m: m.emmeans("A", at={"y": [1]}), "at names 'y'"),
        (lambda m: m.emmeans("A", at={"x": ["one"]}), "'x' is numeric"),
        (lambda m: m.emmeans("A", weights="equals"), "did you mean 'equal'"),
        (lambda m: m.emmeans("A", weights=[1, 2, 3]), "averaged over 8 combinations"),
        (lambda m: m.emmeans("A", level=95), "between 0 and 1"),
        (lambda m: m.emmeans("A", ddf="exact"), "ddf"),
        (lambda m: m.emmeans("A", nesting={"A": "x"}), "is no factor"),
        (lambda m: m.emmeans("A").contrast([1, -1]), "method must be"),
        (lambda m: m.emmeans("A").contrast({"one": [1, -1]}), "has 2 coefficients, and there are 3 means"),
        (lambda m: m.emmeans("A").contrast("pairs"), "did you mean"),
        (lambda m: m.emmeans("A").contrast("trt_vs_ctrl", ref="d"), "none of the means"),
        (lambda m: m.emmeans("A").contrast("trt_vs_ctrl", ref=3), "out of range"),
        (lambda m: m.emmeans("A").contrast(by="B"), "by names 'B'"),
        (lambda m: m.emmeans("A").contrast(simple="B"), "simple names 'B'"),
        (lambda m: m.emmeans("A * B").contrast(interaction=["eff"] * 3), "one method for each"),
        (lambda m: m.emmeans("A | B").pairs(by=["A", "B"]), "nothing is left"),
        (lambda m: m.emmeans("1").pairs(), "nothing to compare"),
        (lambda m: m.emmeans("A").test(side="both"), "side"),
        (lambda m: m.emmeans("A").test(delta=-1), "delta"),
        (lambda m: m.emmeans("A").test(adjust="tuckey"), "did you mean 'tukey'"),
        (lambda m: m.emmeans("A")[7], "chooses no rows"),
        (lambda m: m.emmeans("A").cld(alpha=5), "between 0 and 1"),
        (lambda m: m.emmeans("A").eff_size(0.0, 10), "above zero"),
        (lambda m: m.emtrends("A", "B"), "is a factor"),
        (lambda m: m.emtrends("xx", "B"), "did you mean 'x'"),
        (lambda m: m.joint_tests(by="D"), "'D' is no variable"),
    ],
)
def test_what_is_refused(m: LinearMixedModel, call: Any, said: str) -> None:
    with pytest.raises(interlace.DataError, match=None) as error:
        call(m)
    assert said in str(error.value)


def test_a_model_without_variables() -> None:
    m = interlace.lmer("Yield ~ 1 + (1 | Batch)", interlace.datasets.load("Dyestuff"))
    with pytest.raises(interlace.DataError, match="has none"):
        m.emmeans("Batch")
    close(m.emmeans("1").test().assign(lower=0, upper=0), m.coef_table().assign(lower=0, upper=0))
    with pytest.raises(interlace.DataError, match="no term to test"):
        m.joint_tests()


def test_ten_factors_cost_what_their_terms_cost() -> None:
    """Three means among 59,049 combinations: a grid of these over 201 columns would have 95 MB."""
    rng = np.random.default_rng(4)
    data = {f"f{j}": np.array(["a", "b", "c"])[rng.integers(3, size=600)] for j in range(10)}
    data |= {"y": rng.normal(size=600), "g": np.arange(600) % 20}
    formula = f"y ~ ({' + '.join(f'f{j}' for j in range(10))})**2 + (1 | g)"
    model = interlace.lmer(formula, data)
    tracemalloc.start()
    means = model.emmeans("f0", ddf="asymptotic")
    assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    tracemalloc.stop()
    # a mean is the mean of its means at the levels of another factor
    at_a = model.emmeans(["f0", "f3"], ddf="asymptotic").frame.groupby("f0")["estimate"].mean()
    np.testing.assert_allclose(at_a, means.frame["estimate"], rtol=1e-10)


def test_levels_that_are_true_or_false_have_their_names_of_coefficients() -> None:
    data = made().assign(A=lambda d: d["x"] > 2)
    m = interlace.lmer("y ~ A + (1 | g)", data)
    means = m.emmeans("A")
    assert [line.split()[0] for line in str(means).splitlines()[1:3]] == ["False", "True"]
    assert means.contrast("revpairwise").frame["contrast"].tolist() == ["True - False"]
    assert "A[T.True]" in m.fixef
