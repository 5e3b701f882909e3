"""Contrasts by word, mapping, table and function: coefficients by their definitions, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import DataError
from interlace.inference.contrast_methods import Options, contrasts_of
from interlace.inference.emmeans import EMMeans

NAMES = ["a", "b", "c", "d"]


@pytest.fixture(scope="module")
def means() -> EMMeans:
    data = interlace.datasets.load("machines")
    return interlace.lmer("score ~ Machine + (1 | Worker)", data).emmeans(["Machine"])


@pytest.fixture(scope="module")
def growth() -> interlace.LinearMixedModel:
    data = interlace.datasets.load("orthodont")
    return interlace.lmer("distance ~ age * Sex + (1 | Subject)", data)


@pytest.mark.parametrize(
    ("method", "options", "labels", "rows"),
    [
        ("helmert", {}, ["b - a", "c - avg(a,b)", "d - avg(a,b,c)"],
         [[-1, 1, 0, 0], [-1 / 2, -1 / 2, 1, 0], [-1 / 3, -1 / 3, -1 / 3, 1]]),
        ("helmert", {"reverse": True}, ["a - avg(b,c,d)", "b - avg(c,d)", "c - d"],
         [[1, -1 / 3, -1 / 3, -1 / 3], [0, 1, -1 / 2, -1 / 2], [0, 0, 1, -1]]),
        ("consec", {"reverse": True}, ["a - b", "b - c", "c - d"],
         [[1, -1, 0, 0], [0, 1, -1, 0], [0, 0, 1, -1]]),
        ("wtcon", {"weights": [1, 2, 3, 4]}, ["a effect", "b effect", "c effect", "d effect"],
         np.eye(4) - np.array([1, 2, 3, 4]) / 10),
        ("wtcon", {}, ["a effect", "b effect", "c effect", "d effect"], np.eye(4) - 1 / 4),
        ("opoly", {}, ["linear", "quadratic", "cubic"],
         [np.array([-3, -1, 1, 3]) / 20**0.5, np.array([1, -1, -1, 1]) / 2,
          np.array([-1, 3, -3, 1]) / 20**0.5]),
    ],
)  # fmt: skip
def test_by_their_definitions(method: str, options: dict[str, Any], labels: list[str], rows: Any) -> None:
    found = contrasts_of(method, NAMES, Options(**options), NAMES)
    assert list(found.labels) == labels
    np.testing.assert_allclose(found.C, rows, atol=1e-15)


def test_differences_of_length_one() -> None:
    found = contrasts_of("nrmlz", NAMES, Options(), NAMES)
    plain = contrasts_of("pairwise", NAMES, Options(), NAMES)
    np.testing.assert_allclose(found.C * 2**0.5, plain.C)
    assert found.adjust == "none" and not found.pairwise


def test_effects_of_a_single_mean() -> None:
    found = contrasts_of("del.eff", ["a"], Options(), ["a"])
    assert found.labels == ("a effect",) and found.C.tolist() == [[0.0]]


@pytest.mark.parametrize(
    "method",
    [{"AB": {"A": 1, "B": -1}}, {"AB": [1, -1, 0]}, pd.DataFrame({"AB": [1, -1, 0]}),
     lambda levels: {"AB": [1.0 if v == "A" else -1.0 if v == "B" else 0.0 for v in levels]}],
    ids=["names", "list", "table", "function"],
)  # fmt: skip
def test_one_contrast_in_four_spellings(method: Any, means: EMMeans) -> None:
    found, wanted = means.contrast(method), means.pairs(adjust="none")[[0]]
    assert found.frame["contrast"].tolist() == ["AB"]
    columns = ["estimate", "se", "t", "p"]
    np.testing.assert_allclose(found.test()[columns], wanted.test()[columns])


def fails(levels: Any) -> Any:
    raise ZeroDivisionError("by zero")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "trt.vs.ctrl", "ref": [0, 1, 2]}, "all means are references"),
        ({"method": {"a": {"A": 1, "Z": -1}}}, "the contrast 'a' names 'Z'; the means are A, B, C"),
        ({"method": {"a": ["x", 1, 2]}}, "the coefficients of the contrast 'a' are no numbers"),
        ({"method": {"a": [np.inf, 0, 0]}}, "must be finite numbers"),
        ({"method": {"a": [1, -1]}}, "has 2 coefficients, and there are 3 means"),
        ({"method": fails}, "the function of the contrasts .fails. fails: ZeroDivisionError: by zero"),
        ({"method": "wtcon", "wts": [1, 2]}, "a weight for each of the 3 means"),
        ({"method": "eff", "include": [0], "exclude": [1]}, "give include or exclude, not both"),
        ({"method": "eff", "simple": "Z"}, "simple names 'Z', which is no factor of these means"),
        ({"interaction": ["eff", "eff"]}, "needs one method for each of the 1 factors"),
    ],
)
def test_contrasts_that_are_refused(options: dict[str, Any], words: str, means: EMMeans) -> None:
    with pytest.raises(DataError, match=words):
        means.contrast(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"at": 3}, "at must be a mapping"),
        ({"weights": [np.nan]}, "finite numbers from 0"),
        ({"weights": object()}, "or an array of numbers"),
        ({"nesting": 3}, "nesting must be a mapping of factors"),
        ({"nesting": {"Q": "Sex"}}, "'Q' is no variable of the fixed part"),
        ({"nesting": {"Sex": "Sex"}}, "nesting goes in a circle"),
    ],
)
def test_means_that_are_refused(options: dict[str, Any], words: str, growth: Any) -> None:
    with pytest.raises(DataError, match=words):
        growth.emmeans(["Sex"], **options)


def test_rows_of_two_models_are_not_one_table(means: EMMeans, growth: Any) -> None:
    with pytest.raises(DataError, match="rows of two different models"):
        means + growth.emmeans(["Sex"])
    with pytest.raises(TypeError, match="unsupported operand"):
        means + 1


def test_a_model_without_fixed_effects_has_no_means() -> None:
    m = interlace.lmer("distance ~ 0 + (1 | Subject)", interlace.datasets.load("orthodont"))
    with pytest.raises(DataError, match="no fixed effects, so that there are no means"):
        m.emmeans(["age"])


def test_slopes_where_the_covariate_has_values() -> None:
    """The slope of a square is twice the covariate, at its mean unless values of it are asked for."""
    data = interlace.datasets.load("orthodont")
    m = interlace.lmer("distance ~ age + I(age ** 2) + Sex + (1 | Subject)", data)
    b1, b2 = m.fixef["age"], m.fixef["I(age ** 2)"]
    slope = m.emtrends("age", ["Sex"]).estimate
    np.testing.assert_allclose(slope, b1 + 2 * b2 * data["age"].mean(), rtol=1e-7)
    np.testing.assert_allclose(m.emtrends("age", ["Sex"], at={"age": [8]}).estimate, b1 + 16 * b2, rtol=1e-7)
    along = m.emtrends("age", ["age"], at={"age": [8, 14]}).estimate
    np.testing.assert_allclose(along, [b1 + 16 * b2, b1 + 28 * b2], rtol=1e-7)


def test_slopes_with_their_contrasts(growth: Any) -> None:
    found = growth.emtrends("age", "pairwise ~ Sex")
    trend = growth.fixef["age:Sex[T.Female]"]
    np.testing.assert_allclose(found["contrasts"].estimate, -trend)
    for words, var in (("var must be the name", 3), ("'zzz' is no variable", "zzz")):
        with pytest.raises(DataError, match=words):
            growth.emtrends(var, ["Sex"])


def test_several_tables_of_means(means: EMMeans) -> None:
    found = means.pairs(simple="each")
    (name,) = found
    assert found[name].estimate.tolist() == means.pairs().estimate.tolist()
    assert str(found).startswith(f"{name}:\ncontrast") and "<table>" in found._repr_html_()
    with pytest.raises(AttributeError, match="there is no 'nothing' here, but simple contrasts for Machine"):
        _ = found.nothing
