"""The reference files themselves: what is read is what R wrote, and every case can be asked."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from reference_cases import hlmdiag_cases, lmer_cases
from reference_data import ROOT, array, frame, load_case, load_data, matrix, named, parse_number

DATA = sorted(path.name.removesuffix(".meta.json") for path in (ROOT / "data").glob("*.meta.json"))


@pytest.mark.parametrize("name", DATA)
def test_data_has_the_types_of_its_description(name: str) -> None:
    meta = json.loads((ROOT / "data" / f"{name}.meta.json").read_text())
    data = load_data(name)
    assert len(data) == meta["nrow"]
    assert list(data) == list(meta["columns"])
    for column, about in meta["columns"].items():
        assert data[column].isna().sum() == about.get("na", data[column].isna().sum())
        if "levels" in about:
            assert list(data[column].cat.categories) == about["levels"]
            assert data[column].cat.ordered == (about["type"] == "ordered")
            # Every level of these data occurs: a level that never does would mean text that did not match.
            assert data[column].nunique() == about["nlevels"]


def test_load_data_hands_out_copies() -> None:
    changed = load_data("sleepstudy")
    changed["Days"] = 0.0
    assert load_data("sleepstudy")["Days"].max() == 9.0


@pytest.mark.parametrize("case", [*lmer_cases(), *hlmdiag_cases()], ids=lambda c: f"{c.room}-{c.name}")
def test_case_can_be_asked(case) -> None:
    data, reference = case.frame(), case.reference()
    assert len(data) >= reference.get("nobs", reference.get("n", 0)) > 0
    assert set(case.options) <= {"reml", "weights", "contrasts"}
    response = case.formula.split("~")[0]
    assert any(column in response for column in data)


def test_the_special_options_are_found() -> None:
    cases = {c.name: c for c in lmer_cases()}
    assert len(cases) == 56
    assert cases["sleepstudy_grpsum_reml"].options == {"reml": True, "contrasts": {"grp": "sum"}}
    assert cases["sleepstudy_weights_ml"].options == {"reml": False, "weights": "w"}
    assert {c.name: c for c in hlmdiag_cases()}["radon_int"].formula.startswith("`log.radon` ~ ")


def test_encodings() -> None:
    assert parse_number("-Inf") == -np.inf
    assert np.isnan(parse_number("NA")) and np.isnan(parse_number(None))
    r = load_case("lmer", "sleepstudy_slope_reml")
    vcov = matrix(r["vcov"])
    assert list(vcov) == ["(Intercept)", "Days"]
    np.testing.assert_allclose(np.sqrt(np.diag(vcov)), array(r["se"]), rtol=1e-12)
    assert named(r["fixef"])["Days"] == pytest.approx(10.4672859595959)
    varcorr = frame(r["varcorr_df"])
    assert list(varcorr["grp"]) == ["Subject", "Subject", "Subject", "Residual"]
    assert pd.api.types.is_float_dtype(varcorr["sdcor"])
