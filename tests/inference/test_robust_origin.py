"""Cluster-robust covariances beside clubSandwich's where X explains nearly all of y (r/robust_origin.R)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import interlace
from interlace import ClusterRobust
from interlace.estimation.fit import at_theta

REFERENCE = json.loads((Path(__file__).parent / "r" / "robust_origin.json").read_text())
KINDS = ("CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3")


@pytest.mark.parametrize("formula", REFERENCE["cases"])
def test_nearly_all_is_explained(formula: str) -> None:
    fit = interlace.lmer(formula, REFERENCE["data"]).fit
    assert (fit.criterion.system.A.origin.beta.any()) == ("far" not in formula)
    expected = REFERENCE["cases"][formula]
    fit = at_theta(fit.encoding, fit.design, [expected["theta"]])
    L = np.eye(len(fit.kept))
    for kind in KINDS:
        bound, r = ClusterRobust(kind).bind(fit), expected[kind]
        np.testing.assert_allclose(np.sqrt(np.diagonal(bound.vcov)), r["se"], rtol=1e-8)
        np.testing.assert_allclose(bound.df(L), r["df"], rtol=1e-8)
        test = bound.f_test(L)
        np.testing.assert_allclose([test.F, test.den_df], [r["F"], r["den_df"]], rtol=1e-7)
