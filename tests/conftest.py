"""The reference cases, one at a time: what R was asked, what it answered, and our fit at R's theta."""

from __future__ import annotations

from typing import Any

import pytest

from interlace.design.encoding import Encoding
from interlace.estimation.fit import Fit, at_theta
from interlace.formula.parser import parse
from reference_cases import Case, lmer_cases
from reference_data import array


@pytest.fixture(scope="module", params=lmer_cases(), ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(scope="module")
def reference(case: Case) -> dict[str, Any]:
    return case.reference()


@pytest.fixture(scope="module")
def fit(case: Case, reference: dict[str, Any]) -> Fit:
    encoding, design = Encoding.learn(
        parse(case.formula), case.frame(), weights=case.weights, contrasts=case.contrasts
    )
    return at_theta(encoding, design, array(reference["theta"]["values"]), reml=case.reml)
