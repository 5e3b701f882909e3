"""Both sides of the constants of likelihood-ratio tests and of simulated ones."""

from __future__ import annotations

import numpy as np
import pytest

from interlace.errors import DataError
from interlace.refitting import parallel
from interlace.refitting.bootstrap_compare import BootstrapComparison
from interlace.refitting.ranova import mixture_p_value


def test_likelihood_ratios_that_are_nothing() -> None:
    p = mixture_p_value(np.array([0.9e-6, 1.1e-6]), np.array([1.0, 1.0]))
    assert p[0] == 1.0 and 0.49 < p[1] < 0.5


def test_draws_that_are_zero_and_draws_that_are_equal() -> None:
    """A draw of 1e-8 is one at the boundary, and one that equals the statistic is not larger."""
    found = BootstrapComparison(2.0, 1, np.array([0.0, 0.9e-8, 1.1e-8, 1.0, 2.0, 3.0]))
    assert found.positive.tolist() == [1.1e-8, 1.0, 2.0, 3.0]
    assert found.n_extreme == 1
    assert (found.p, found.p_all) == (2 / 5, 2 / 7)
    at = BootstrapComparison(2.0, 1, np.array([1e-8]))
    assert not at.positive.size


def test_draws_that_have_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "available_bytes", lambda: 100_000)
    assert parallel.check_draws(1000) == 1000
    with pytest.raises(DataError):
        parallel.check_draws(1001)
