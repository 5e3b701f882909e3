"""A million ratings of the shape of MovieLens-1M: the engine without a factor beside the exact one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace

USERS, ITEMS, RATINGS = 6_040, 3_706, 1_000_209


def ratings() -> pd.DataFrame:
    """Heavy tails on both sides, no pair twice."""
    rng = np.random.default_rng(1)
    of_user, of_item = rng.lognormal(sigma=1.0, size=USERS), rng.lognormal(sigma=1.6, size=ITEMS)
    everything = np.log(np.outer(of_user, of_item)) + rng.gumbel(size=(USERS, ITEMS))
    chosen = np.argpartition(everything.ravel(), -RATINGS)[-RATINGS:]  # without replacement, by weight
    user, item = np.divmod(np.sort(chosen), ITEMS)
    effects = rng.normal(scale=0.43, size=USERS)[user] + rng.normal(scale=0.48, size=ITEMS)[item]
    return pd.DataFrame(
        {"rating": 3.3 + effects + rng.normal(scale=0.86, size=RATINGS), "user": user, "item": item}
    )


@pytest.mark.slow
def test_both_engines_agree_within_the_monte_carlo_error() -> None:
    data = ratings()
    formula = "rating ~ 1 + (1 | user) + (1 | item)"
    exact = interlace.lmer(formula, data)
    found = interlace.lmer(formula, data, solver="iterative")
    assert found.nobs == RATINGS
    table = found.monte_carlo()
    known = [exact.reml_criterion, *exact.varcorr()["sd"], *exact.fixef]
    error = table["error"].to_numpy()
    assert (np.abs(table["estimate"].to_numpy() - known) < 5 * error + 1e-8 * np.abs(known)).all()
    assert error[0] < 0.1
    assert (error[1:4] < 1e-5).all()
    np.testing.assert_allclose(found.se, exact.se, rtol=1e-6)
    np.testing.assert_allclose(found.ranef()["user"], exact.ranef()["user"], atol=1e-5)
