"""What covariates of the grid are reduced to: beside R (covariates.R), and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from means_beside_r import chains, compare, model_of

FUNCTIONS = {"range": lambda x: [x.min(), x.max()], "max": np.max, "median": np.median}


@pytest.mark.parametrize("one", chains("covariates"))
def test_beside_r(one: dict[str, Any]) -> None:
    options = dict(one["chain"][0]["options"])
    reduce = options.get("cov_reduce")
    options["cov_reduce"] = FUNCTIONS.get(reduce, reduce) if isinstance(reduce, str) else reduce
    compare(model_of("covariates", "d").emmeans(**options).frame, one["table"])


def test_covariates_one_by_one() -> None:
    m = model_of("covariates", "d")
    named = m.emmeans("A | x", cov_reduce={"x": FUNCTIONS["range"], "few": [0, 7]}).frame
    x = sorted(set(named["x"]))
    at = m.emmeans("A | x", at={"x": x, "few": [0, 7]}).frame
    np.testing.assert_allclose(named[["estimate", "se", "df"]], at[["estimate", "se", "df"]])


@pytest.mark.parametrize(
    ("reduce", "said"),
    [
        ({"xx": np.max}, "did you mean 'x'"),
        ({"x": lambda x: "low"}, "'x' is numeric"),
        ({"x": lambda x: x["a"]}, "the function cov_reduce= .a lambda. fails for 'x'"),
        ({"x": []}, "at least one value"),
        (lambda x: np.nan, "no finite number"),
    ],
)
def test_what_is_refused(reduce: Any, said: str) -> None:
    with pytest.raises(interlace.DataError, match=said):
        model_of("covariates", "d").emmeans("A", cov_reduce=reduce)


# emtrends(m, "g", "x", delta.var = 2^-22, cov.reduce = ...) of emmeans 1.8.4, which takes differences
SLOPES_OF_R = {
    "median": (FUNCTIONS["median"], [2.40228264376, 1.93556113737], [0.155375996433, 0.132772930592]),
    "range": (FUNCTIONS["range"], [1.48455870469, 1.01783719830], [0.1148902950591, 0.0817724325748]),
    "all": (False, [1.79046668438, 1.32374517799], [0.1171359171517, 0.0848986096318]),
    "max": ({"x": np.max}, [-0.0449811937737, -0.5117027001613], [0.239767633301, 0.225777476310]),
}


@pytest.mark.parametrize("reduce", SLOPES_OF_R)
def test_slopes_are_at_the_values_that_are_asked_for(reduce: str) -> None:
    n = np.arange(1, 61)
    d = pd.DataFrame({"x": np.repeat([0.0, 1, 2, 5], [24, 18, 12, 6]), "z": np.tile([1.0, 2], 30)})
    d["g"] = np.tile(list("uvv"), 20)
    d["y"] = d.x - 0.3 * d.x**2 + d.z * d.x + 0.5 * d.x * (d.g == "u") + np.sin(n)
    m = interlace.lm("y ~ g * x + I(x**2) + z + z:x", d)
    asked, estimates, errors = SLOPES_OF_R[reduce]
    found = m.emtrends("x", "g", cov_reduce=asked).frame
    np.testing.assert_allclose(found["estimate"], estimates, atol=3e-7)
    np.testing.assert_allclose(found["se"], errors, atol=3e-7)


def test_a_slope_is_at_the_mean_of_a_covariate_of_two_values() -> None:
    d = pd.DataFrame({"x": [0.0, 3, 3, 0, 3, 3, 3, 3], "y": [1.0, 2, 4, 1, 5, 3, 2, 2]})
    m = interlace.lm("y ~ I(x**2)", d)
    found = m.emtrends("x", "1").frame
    np.testing.assert_allclose(found["estimate"], 2 * m.params["I(x ** 2)"] * d["x"].mean(), rtol=1e-12)
