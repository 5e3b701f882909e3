"""The origin of cross-products from means that were computed when the data were read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace.design.encoding import Encoding
from interlace.design.learning_rows import learn
from interlace.estimation.fit import fit
from interlace.estimation.origin import Origin, near


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 90
    x, z = 50.0 + rng.normal(size=n), rng.integers(5, 9, n)
    y = 900.0 + x - z + rng.normal(size=n)
    y[4] = np.nan
    return pd.DataFrame({"y": y, "x": x, "z": z, "g": np.arange(n) % 7, "h": np.arange(n) % 4, "o": x})


FORMULAS = [
    "y ~ x + z + (x | g)",
    "y ~ 0 + x + (z | g)",
    "y ~ x * z + (1 | g) + (1 | h)",
    "log(y) ~ x + (1 | g)",
]


@pytest.mark.parametrize(
    "options", [{}, {"weights": "x"}, {"offset": "o"}], ids=["plain", "weights", "offset"]
)
@pytest.mark.parametrize("formula", FORMULAS)
def test_known_means_are_those_of_the_rows(formula: str, options: dict[str, Any], data: pd.DataFrame) -> None:
    encoding, rows = learn(formula, data, **options)
    known, found = Origin.of(encoding, rows), Origin.of(encoding, rows.design)
    assert known.y == found.y
    np.testing.assert_array_equal(known.x, found.x)
    for a, b in zip(known.z, found.z, strict=True):
        np.testing.assert_array_equal(a, b)


def test_plain_rows_are_not_summed_again(data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    encoding, rows = learn(FORMULAS[0], data)
    monkeypatch.setattr(type(rows), "cells", lambda self: pytest.fail("the rows were looked at"))
    assert Origin.of(encoding, rows).y == near(data["y"].mean())


def test_another_response_has_its_own_mean(data: pd.DataFrame) -> None:
    encoding, rows = learn("y ~ x + (1 | g)", data)
    assert isinstance(encoding, Encoding)
    again = fit(encoding, rows).refit(rows.design.y + 1e6)
    assert again.A.origin.y == near(1e6 + data["y"].mean()) == Origin.of(encoding, again.rows).y
