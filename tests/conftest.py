"""The reference cases: R's questions, its answers, our fit at its theta; no figure outlives a test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from interlace.design.encoding import Encoding
from interlace.estimation.fit import Fit, at_theta
from interlace.formula.parser import parse
from reference_cases import Case, lmer_cases
from reference_data import array


@pytest.fixture(autouse=True)
def figures_are_closed() -> Iterator[None]:
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


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
