"""Adjustments, missing cells, weights, nuisance factors, split plots, slopes of several degrees: beside R."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import DataError
from means_beside_r import MVT_OF_R, chains, compare, compare_joint, walked

DEFAULTS = {"consec": "mvt", "mean_chg": "mvt", "trt.vs.ctrl": "dunnettx", "trt.vs.ctrl1": "dunnettx",
            "trt.vs.ctrlk": "dunnettx", "dunnett": "dunnettx"}  # fmt: skip
# emmeans stops its searches for critical values early
ERRORS_OF_R = {
    "mvt": {"limits": 6e-3, "p_values": MVT_OF_R},
    "dunnettx": {"limits": 1e-3},
}
# Degrees of freedom are rounded to whole numbers where others in the table are large; scipy has our numbers.
ROUNDED_BY_R = 5e-5
DIFFERENCES_OF_R = {1: 10.0, 2: 200.0, 3: 3000.0}  # slopes by steps that higher derivatives need wide


def errors_of(chain: list[dict[str, Any]]) -> dict[str, float]:
    """How far off R may be."""
    adjust, errors = "none", {}
    for options in (dict(step["options"] or {}) for step in chain):
        method = options.get("method", "")
        adjust = options.get("adjust", DEFAULTS.get(method if isinstance(method, str) else "", adjust))
        if "max_degree" in options:
            errors["precise"] = DIFFERENCES_OF_R[options["max_degree"]]
        elif "var" in options:
            errors["precise"] = DIFFERENCES_OF_R[1]
    return errors | ERRORS_OF_R.get(adjust, {})


@pytest.mark.parametrize("one", chains("designs"))
def test_beside_r(one: dict[str, Any]) -> None:
    table, theirs = walked("designs", one), one["table"]
    if "F.ratio" in theirs:
        compare_joint(table, theirs)
    else:
        rounded = {"p_values": ROUNDED_BY_R} if one["model"] in ("gaps", "mild") else {}
        compare(table, theirs, **rounded | errors_of(one["chain"]))
    if ".group" in theirs:
        assert table["group"].tolist() == [
            letters[1:] for letters in theirs[".group"]
        ]  # R starts with a blank


def test_a_term_of_which_nothing_is_left_to_estimate() -> None:
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"A": list("abb") * 20, "B": list("xxy") * 20, "g": np.repeat(np.arange(10), 6)})
    data["y"] = rng.normal(size=60)
    with pytest.warns(interlace.InterlaceWarning):
        m = interlace.lmer("y ~ A * B + (1 | g)", data)
    with pytest.raises(
        DataError, match="no term can be tested: for each, some combination of the levels has no rows"
    ):
        m.joint_tests()
