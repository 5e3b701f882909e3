"""Means, contrasts and trends beside R's emmeans: `emmeans.R`, and the blocks of the reference cases."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace.design.encoding import Encoding
from interlace.estimation.fit import at_theta
from interlace.formula.parser import parse
from interlace.inference.emmeans import EMMeans
from interlace.model import LinearMixedModel
from means_beside_r import MVT_OF_R, P_OF_R, RANGE_OF_R, compare, compare_joint
from reference_cases import Case, lmer_cases
from reference_data import array, parse_number

FOUND = json.loads((Path(__file__).parent / "emmeans.json").read_text())


def _plain(value: Any) -> Any:
    """R writes vectors of length one as lists."""
    if isinstance(value, dict):
        return {name: _plain(v) for name, v in value.items()}
    if isinstance(value, list):
        return (
            _plain(value[0])
            if len(value) == 1 and not isinstance(value[0], list)
            else [_plain(v) for v in value]
        )
    return value


ASKED = [{"model": one["model"][0], "ask": one["ask"], "table": one["table"]} for one in FOUND["asked"]]
KINDS = ("trend", "joint_tests", "response", "eff_size")
MEANS = [one for one in ASKED if not set(KINDS) & set(one["ask"])]


def _id(one: dict[str, Any]) -> str:
    return f"{one['model']}-{json.dumps(_plain(one['ask'])).translate(str.maketrans('', '', chr(34)))}"


@cache
def frame(name: str) -> pd.DataFrame:
    data = pd.DataFrame(FOUND["data"][name])
    levels = ["low", "mid", "high", "top"]
    data["B"] = pd.Categorical(data["B"], categories=levels)
    data["O"] = pd.Categorical(data["O"], categories=levels, ordered=True)
    return data


@cache
def model(name: str) -> LinearMixedModel:
    about = FOUND["models"][name]
    given = {key: about[key][0] for key in ("weights", "offset") if about.get(key)}
    encoding, design = Encoding.learn(parse(about["formula"][0]), frame(about["data"][0]), **given)
    return LinearMixedModel(at_theta(encoding, design, np.array(about["theta"]), reml=True))


def means_of(one: dict[str, Any]) -> EMMeans:
    ask = {key: _plain(value) for key, value in one["ask"].items()}
    options = {key: ask[key] for key in ("weights",) if key in ask}
    if "at" in ask:
        options["at"] = ask["at"]
    return model(one["model"]).emmeans(ask["specs"], **options)


@pytest.mark.parametrize(
    "one", [o for o in MEANS if not {"contrast", "interaction"} & set(o["ask"])], ids=_id
)
def test_means(one: dict[str, Any]) -> None:
    compare(means_of(one).frame, one["table"])


@pytest.mark.parametrize("one", [o for o in MEANS if {"contrast", "interaction"} & set(o["ask"])], ids=_id)
def test_contrasts(one: dict[str, Any]) -> None:
    ask = {key: _plain(value) for key, value in one["ask"].items()}
    options = {key: ask[key] for key in ("by", "ref", "interaction", "simple", "exclude") if key in ask}
    found = means_of(one).contrast(ask.get("contrast", "eff"), adjust="none", **options)
    tested = found.test(**{key: ask[key] for key in ("null", "side", "delta") if key in ask})
    compare(tested, one["table"])


# ---- the reference cases ----


@cache
def at_reference(case: Case) -> LinearMixedModel:
    encoding, design = Encoding.learn(
        parse(case.formula), case.frame(), weights=case.weights, contrasts=case.contrasts
    )
    return LinearMixedModel(
        at_theta(encoding, design, array(case.reference()["theta"]["values"]), reml=case.reml)
    )


def _blocks() -> list[Any]:
    found = []
    for case in lmer_cases():
        for ddf, blocks in (case.reference().get("emmeans") or {}).items():
            for name, block in blocks.items() if isinstance(blocks, dict) else ():
                if isinstance(block, dict) and "spec" in block and "error" not in block:
                    found.append(pytest.param(case, ddf, block, id=f"{case}-{ddf}-{name}"))
    return found


@cache
def _means(case: Case, ddf: str, spec: str) -> EMMeans:
    text, _, at = spec.partition(" at=")
    values = {n: [float(v) for v in vs.split(",")] for n, vs in re.findall(r"(\w+) = c\(([^)]*)\)", at)}
    return at_reference(case).emmeans(text, ddf=ddf, at=values)


@pytest.mark.parametrize(("case", "ddf", "block"), _blocks())
def test_blocks_of_the_reference(case: Case, ddf: str, block: dict[str, Any]) -> None:
    if "Inf" in block["emm"]["df"]:  # emmeans gives up counting degrees of freedom above 3,000 rows
        ddf = "asymptotic"
    means = _means(case, ddf, block["spec"])
    compare(means.frame, block["emm"])
    compare(means.test(), block["emm_test"])
    for adjust, tables in block["pairs"].items():
        pairs = means.pairs(adjust=adjust.lower())
        compare(pairs.test(), tables["test"], p_values=RANGE_OF_R if adjust == "tukey" else P_OF_R)
        compare(pairs.confint(), tables["ci"])
    for name in ("eff", "consec", "trt.vs.ctrl", "poly"):
        if f"contrast_{name}" in block:  # consec is adjusted by mvt, whose points are random in R
            wide = MVT_OF_R if name == "consec" else RANGE_OF_R
            compare(means.contrast(name).test(), block[f"contrast_{name}"], p_values=wide)


def test_na_is_read() -> None:
    assert np.isnan(parse_number("NA"))


# ---- trends and joint tests ----


@pytest.mark.parametrize("one", [o for o in ASKED if "trend" in o["ask"]], ids=_id)
def test_trends(one: dict[str, Any]) -> None:
    ask = {key: _plain(value) for key, value in one["ask"].items()}
    found = model(one["model"]).emtrends(ask["var"], ask["specs"], at=ask.get("at"))
    theirs = {name: value for name, value in one["table"].items() if not name.endswith(".trend")}
    estimate = next(value for name, value in one["table"].items() if name.endswith(".trend"))
    compare(found.frame, theirs | {"estimate": estimate}, precise=10.0)  # differences, not derivatives


@pytest.mark.parametrize("one", [o for o in ASKED if "joint_tests" in o["ask"]], ids=_id)
def test_joint_tests(one: dict[str, Any]) -> None:
    table = model(one["model"]).joint_tests(by=_plain(one["ask"].get("by")))
    compare_joint(table, one["table"])


def _joint_blocks() -> list[Any]:
    return [
        pytest.param(case, ddf, blocks["joint_tests"], id=f"{case}-{ddf}")
        for case in lmer_cases()
        for ddf, blocks in (case.reference().get("emmeans") or {}).items()
        if isinstance(blocks, dict) and "joint_tests" in blocks
    ]


@pytest.mark.parametrize(("case", "ddf", "block"), _joint_blocks())
def test_joint_tests_of_the_reference(case: Case, ddf: str, block: dict[str, Any]) -> None:
    if "Inf" in block["df2"]:
        ddf = "asymptotic"
    table = at_reference(case).joint_tests(ddf=ddf)
    compare_joint(table, block)
    p = np.maximum(array(block["p.value"]), 1e-300)
    np.testing.assert_allclose(np.log(np.maximum(table["p"], 1e-300)), np.log(p), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("ddf", ["asymptotic", "satterthwaite", "kenward-roger"])
def test_trends_of_the_reference(ddf: str) -> None:
    case = next(c for c in lmer_cases() if c.name == "sleepstudy_grp_reml")
    block = case.reference()["emmeans"]["emtrends"]["Days_by_grp"][ddf]
    found = at_reference(case).emtrends("Days", "grp", ddf=ddf)
    theirs = {("estimate" if name.endswith(".trend") else name): v for name, v in block["trend"].items()}
    compare(found.frame, theirs)
    compare(found.pairs().test(), block["pairs"])


@pytest.mark.parametrize("one", [o for o in ASKED if "eff_size" in o["ask"]], ids=_id)
def test_effect_sizes(one: dict[str, Any]) -> None:
    asked = _plain(one["ask"]["eff_size"])
    found = means_of(one).eff_size(asked["sigma"], asked["edf"])
    theirs = {("estimate" if name == "effect.size" else name): v for name, v in one["table"].items()}
    compare(found.frame, theirs)


@pytest.mark.parametrize("one", [o for o in ASKED if "response" in o["ask"]], ids=_id)
def test_scale_of_the_response(one: dict[str, Any]) -> None:
    ask = {key: _plain(value) for key, value in one["ask"].items()}
    found = means_of(one)
    if "bias" in ask:
        table = found.confint(type="response", bias_adjust=True, sigma=ask["bias"])
    elif "regrid" in ask:
        regridded = found.regrid()
        table = regridded.pairs(adjust="none").confint() if "contrast" in ask else regridded.frame
    else:
        table = (found.pairs(adjust="none") if "contrast" in ask else found).confint(type="response")
    compare(table, one["table"])
