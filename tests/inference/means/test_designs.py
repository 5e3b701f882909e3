"""Adjustments, missing cells, weights, nuisance factors, split plots, slopes of several degrees: beside R."""

from __future__ import annotations

from typing import Any

import pytest

from means_beside_r import MVT_OF_R, chains, compare, compare_joint, walked

DEFAULTS = {"consec": "mvt", "mean_chg": "mvt", "trt.vs.ctrl": "dunnettx", "trt.vs.ctrl1": "dunnettx",
            "trt.vs.ctrlk": "dunnettx", "dunnett": "dunnettx"}  # fmt: skip
# emmeans stops its searches for critical values early
ERRORS_OF_R = {"mvt": {"limits": 6e-3, "p_values": MVT_OF_R}, "dunnettx": {"limits": 1e-3}}
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
        compare(table, theirs, **errors_of(one["chain"]))
    if ".group" in theirs:
        assert table["group"].tolist() == [
            letters[1:] for letters in theirs[".group"]
        ]  # R starts with a blank
