"""Quantiles of residuals and of random effects beside those of a normal law, in an envelope."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from interlace.arrays import Array, Index
from interlace.design.rows import FrameRows
from interlace.errors import DataError
from interlace.estimation.answering import Given
from interlace.estimation.fit import Fit
from interlace.estimation.penalized import Solution
from interlace.options import count, generator, word
from interlace.pictures import clouds
from interlace.prediction.leverage import block_of, leverage
from interlace.prediction.ranef import blocks_by_group
from interlace.prediction.residuals import residuals
from interlace.prediction.simulate import simulate
from interlace.report.check_tests import standardized_modes

ENVELOPES = ("normal", "simulated", "refit")
QUANTILES = 600  # more are thinned
ROWS = 20_000  # more rows have the envelope of a normal sample unless another is asked for
AT_ONCE = 20  # responses
INNER = (0.025, 0.975)

Values = Callable[[Fit], Array]


def quantile_picture(
    fit: Fit, level: str | None, effect: str | None, envelope: str | None, n: int, seed: object, ax: Any
) -> Any:
    """Quantiles of residuals or of random effects, with an envelope."""
    from scipy import special  # slow to import

    what, values = _residuals(fit) if level is None else _modes(fit, level, effect)
    z = _known(values(fit))
    if len(z) < 3:
        raise DataError(f"{what}: fewer than three values have a variance, too few for quantiles")
    kind = "normal" if fit.rows.n > ROWS else "simulated"
    kind = kind if envelope is None else word("envelope", envelope, ENVELOPES)
    chosen = _thinned(len(z))
    share = (chosen + 0.5) / len(z)
    theory = special.ndtri(share)
    if kind == "normal":
        # order statistics of uniform variates are beta: what a simulated envelope of such a sample tends to
        low, high = (special.ndtri(special.betaincinv(chosen + 1.0, len(z) - chosen, p)) for p in INNER)
        words = "95 % envelope of each quantile of a normal sample"
    else:
        low, high, words = _simulated(fit, values, kind, share, count("n", n), seed)
    words += f"; {len(chosen)} of {len(z):,} shown" if len(chosen) < len(z) else ""
    return clouds.quantile_plot(
        ax, theory, z[chosen], low, high, labels=("normal quantile", what), words=words
    )


def _thinned(n: int) -> Index:
    """Places of the quantiles that are shown: all at the ends."""
    if n <= QUANTILES:
        return np.arange(n)
    middle = np.linspace(50, n - 51, QUANTILES - 100)
    return np.unique(np.round(np.concatenate([np.arange(50), middle, np.arange(n - 50, n)])).astype(int))


def _known(z: Array) -> Array:
    return np.sort(z[np.isfinite(z)])


def _residuals(fit: Fit) -> tuple[str, Values]:
    left = 1 - leverage(fit)["overall"]

    def values(one: Fit) -> Array:
        if one.solution.factors is not fit.solution.factors:
            return residuals(one, kind="studentized")
        there = left > 1e-12
        return np.asarray(residuals(one, kind="standardized")[there] / np.sqrt(left[there]))

    return "studentized residual", values


def _modes(fit: Fit, level: str, effect: str | None) -> tuple[str, Values]:
    i, j, name = effect_of(fit, level, effect)
    group = fit.encoding.random[i].group
    blocks = blocks_by_group(fit)[group]
    return f"{name}|{group}, standardized", lambda one: standardized_modes(one, blocks)[0][:, j]


def effect_of(fit: Fit, level: str, effect: str | None) -> tuple[int, int, str]:
    """The first term on a grouping factor, the place of an effect among those of the factor, and its name."""
    i = block_of(fit, level)
    blocks = blocks_by_group(fit)[fit.encoding.random[i].group]
    names = [name for b in blocks for name in fit.encoding.random[b].columns]
    if effect is None:
        return i, 0, names[0]
    if effect not in names:
        raise DataError(f"effect={effect!r}: choose a random effect of '{level}': {', '.join(names)}")
    return i, names.index(effect), effect


def _simulated(
    fit: Fit, values: Values, kind: str, share: Array, n: int, seed: object
) -> tuple[Array, Array, str]:
    """Where the middle 95 % of each quantile lie among responses that the model draws, and what is said."""
    rng, of_draws, lost = generator(seed), list[Array](), 0
    for first in range(0, n, AT_ONCE):
        Y = simulate(fit, min(AT_ONCE, n - first), seed=rng).T
        for one in fit.refit_many(Y) if kind == "refit" else _held(fit, Y):
            z = _known(values(one))
            if len(z) < 3:
                lost += 1
                continue
            of_draws.append(np.quantile(z, share, method="hazen"))
    if not of_draws:
        raise DataError("no response that the model draws has this variance: take envelope='normal'")
    low, high = np.quantile(np.array(of_draws), INNER, axis=0)
    how = "fitted again" if kind == "refit" else "theta held"
    words = f"95 % envelope of {len(of_draws)} responses of the model, {how}"
    return low, high, words + f"; {lost} more without this variance" * bool(lost)


def _held(fit: Fit, Y: Array) -> Iterator[Fit]:
    """The model of other responses, (r, n), at the same theta."""
    for one, y in zip(fit.answering(Given(Y)), Y, strict=True):
        system = fit.criterion.system.with_products(one)
        solution = Solution.at(system, fit.solution.factors)
        yield replace(
            fit,
            rows=FrameRows(fit.encoding, replace(fit.design, y=y)),
            criterion=replace(fit.criterion, system=system),
            solution=solution,
            sigma=float(np.sqrt(solution.pwrss / fit.criterion.df)),
        )
