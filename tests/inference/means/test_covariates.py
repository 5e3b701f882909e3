"""What covariates of the grid are reduced to: beside R (covariates.R), and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
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
