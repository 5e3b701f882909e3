"""What tests of means beside R's emmeans share: what the scripts asked, and how tables are compared."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace.design.encoding import Encoding
from interlace.estimation.fit import at_theta
from interlace.formula.parser import parse
from interlace.model import LinearMixedModel
from reference_data import array

MEANS = Path(__file__).parent / "inference" / "means"
DF_RTOL = 1e-5  # R's Satterthwaite df rest on numerical derivatives
MVT_OF_R = 1e-3  # of probabilities; mvtnorm draws its points at random
RANGE_OF_R = 5e-7  # the studentised range with few degrees of freedom (scipy agrees with ours)
P_OF_R = 1e-12
NOTHING_OF_R = 1e-15  # R takes the smallest number beside 1 for exp(-Inf)
COLUMNS = {
    "estimate": ("emmean", "estimate", ".trend", "response", "ratio", "prediction"),
    "se": ("SE",),
    "lower": ("lower.CL", "asymp.LCL", "lower.PL"),
    "upper": ("upper.CL", "asymp.UCL", "upper.PL"),
    "t": ("t.ratio", "z.ratio"),
}


def compare(
    table: pd.DataFrame,
    theirs: dict[str, Any],
    *,
    precise: float = 1.0,
    limits: float = 1e-7,
    p_values: float = P_OF_R,
) -> None:
    """Every column that both have, NA where we have NaN.

    `limits` is the error of R's critical values, and `p_values` that of its p-values, where it is absolute.
    """
    for name, names in COLUMNS.items():
        known = [column for column in theirs if any(column == n or column.endswith(n) for n in names)]
        if name not in table or not known:
            continue
        expected = array(theirs[known[0]])
        expected = np.where(np.abs(expected) < NOTHING_OF_R, 0.0, expected)
        unit = np.nanmax(np.abs(expected[~np.isinf(expected)]), initial=0.0) if name != "se" else 0.0
        rtol = precise * (1e-5 if name in ("lower", "upper") else 1e-6)
        atol = 1e-7 * precise * unit
        if name in ("lower", "upper"):
            atol = max(atol, limits * float(np.nan_to_num(table["se"]).max()))
        np.testing.assert_allclose(table[name], expected, rtol=rtol, atol=atol, err_msg=name)
    if "df" in theirs:
        np.testing.assert_allclose(table["df"], array(theirs["df"]), rtol=DF_RTOL * precise)
    if "p" in table:
        p, ours = array(theirs["p.value"]), table["p"].to_numpy()
        assert np.array_equal(np.isnan(p), np.isnan(ours))
        apart = np.abs(ours - p) > p_values
        np.testing.assert_allclose(np.log(ours[apart]), np.log(p[apart]), rtol=0, atol=1e-4)
    for name in table.columns:
        if name in theirs and name not in ("df", "estimate"):
            ours = [as_text(value) for value in table[name]]
            assert ours == [as_text(value) for value in theirs[name]], name


def as_text(value: Any) -> str:
    """A value as both sides write it."""
    return (
        f"{value:.6g}"
        if isinstance(value, int | float) and not isinstance(value, bool)
        else str(value).upper()
    )


# ---- the chains of the scripts ----


@cache
def _found(script: str) -> dict[str, Any]:
    return dict(json.loads((MEANS / f"{script}.json").read_text()))


@cache
def _frame(script: str, name: str) -> pd.DataFrame:
    about = _found(script)["data"][name]
    data = pd.DataFrame(about["columns"])
    for column, levels in (about["levels"] or {}).items():
        data[column] = pd.Categorical(data[column], categories=levels)
    return data


@cache
def model_of(script: str, name: str) -> LinearMixedModel:
    """A model of a script at the theta that R found."""
    about = _found(script)["models"][name]
    encoding, design = Encoding.learn(parse(about["formula"]), _frame(script, about["data"]))
    return LinearMixedModel(at_theta(encoding, design, np.array(about["theta"]), reml=True))


def chains(script: str) -> list[Any]:
    """What a script asked, as parameters of a test."""
    asked = _found(script)["asked"]
    return [pytest.param(one, id=f"{i}-{one['model']}-{_words(one['chain'])}") for i, one in enumerate(asked)]


def _words(chain: list[dict[str, Any]]) -> str:
    return ".".join(
        f"{step['call']}({', '.join(map(str, dict(step['options'] or {}).values()))})" for step in chain
    )


def walked(script: str, one: dict[str, Any]) -> Any:
    """What the chain of calls gives here."""
    first, *others = one["chain"]
    found = _first_step(script, one["model"], json.dumps(first))
    for step in others:
        found = getattr(found, step["call"])(**dict(step["options"] or {}))
    return found


@cache
def _first_step(script: str, model: str, step: str) -> Any:
    about = json.loads(step)
    return getattr(model_of(script, model), about["call"])(**dict(about["options"] or {}))


def compare_joint(table: pd.DataFrame, theirs: dict[str, Any]) -> None:
    """R rounds F to three decimals and df to two."""
    known = theirs.get("model term") or [""] * len(theirs["F.ratio"])
    rows = [i for i, term in enumerate(known) if term != "(confounded)"]
    if "model term" in theirs:
        assert table.index.tolist() == [known[i] for i in rows]
    names = {"num_df": "df1", "den_df": "df2", "F": "F.ratio"}
    for name, theirs_name in names.items():
        expected = array(theirs[theirs_name])[rows]
        atol = np.full(len(rows), 0.0051 if name == "den_df" else 0.00051)
        if name == "den_df" and "note" in theirs:  # of a part of the contrasts: R's choice of their basis
            atol[["e" in theirs["note"][i] for i in rows]] = 0.5
        ours = table[name].to_numpy()
        with np.errstate(invalid="ignore"):
            close = (ours == expected) | (np.abs(ours - expected) <= atol)
        assert close.all(), (name, table, expected)
    whole = ["e" not in theirs["note"][i] if "note" in theirs else True for i in rows]
    p, own = array(theirs["p.value"])[rows], table["p"].to_numpy()
    apart = (np.abs(own - p) > P_OF_R) & whole
    np.testing.assert_allclose(np.log(own[apart]), np.log(p[apart]), rtol=1e-4, atol=1e-4)
