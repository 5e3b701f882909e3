"""From clusters to a bound robust covariance: of one partition of the rows, or of several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from interlace.arrays import Array
from interlace.errors import ModelError
from interlace.estimation.fit import Fit
from interlace.estimation.origin import shifted_response
from interlace.precision.cluster_rows import WhiteRows
from interlace.precision.clusters import Clusters, intersections
from interlace.precision.plain_sandwich import SHARES, jackknife, scaled, share
from interlace.precision.sandwich import Moments, Sandwich
from interlace.precision.several import SeveralWays
from interlace.precision.unbiased import unbiased

SHOWN = 8  # coefficients named in a note
ROUNDING = 1e-7  # a robust standard error below this share of the model's is rounding error
DIGITS = 32 * np.finfo(np.float64).eps  # of y, times its size over sigma: what is left of them in a residual

_OneWay = Callable[[WhiteRows, Clusters], tuple[Array, Moments]]
_ONE_WAY: dict[str, _OneWay] = {"CR2": unbiased, "CR3": jackknife}
KINDS = tuple(sorted({*SHARES, *_ONE_WAY}, key=("CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3").index))

Bound = Sandwich | SeveralWays


def bind(fit: Fit, kind: str, chosen: tuple[Clusters, ...]) -> Bound:
    """The covariance of a kind from one clustering or from several.

    Raises
    ------
    ModelError
        The kind does not exist for these clusters.
    """
    if len(chosen) > 1:
        return _several_ways(fit, kind, chosen)
    rows, one = WhiteRows.of(fit), chosen[0]
    scores, moments = scaled(kind, rows, one) if kind in SHARES else _ONE_WAY[kind](rows, one)
    half = np.asarray(np.linalg.qr(scores, mode="r"))
    # as a product with itself: a variance that is zero stays far below that of the model
    vcov, floor = _turned((half @ rows.root.T).T, np.eye(len(half))), _floor(fit)
    note = f"{kind} covariance from {one.size} clusters ({one.name})"
    return _noted(fit, Sandwich(kind, fit.solution.beta, vcov, rows.root, floor, note, half, moments))


def _several_ways(fit: Fit, kind: str, chosen: tuple[Clusters, ...]) -> Bound:
    if kind not in SHARES:
        raise ModelError(
            f"{kind} is defined for one clustering of the rows, not for {len(chosen)}; use CR0 or CR1"
        )
    rows, p = WhiteRows.of(fit), len(fit.solution.beta)
    effects, middle = rows.column_effects(), np.zeros((p, p))
    for sign, cells in intersections(chosen):
        factor = sign * share(kind, cells.size, fit.rows.n, p)
        for scores in rows.sums(cells, effects):
            middle += factor * (scores.T @ scores)
    fewest = min(one.size for one in chosen)
    ways = ", ".join(f"{one.size} {one.name}" for one in chosen)
    note = (
        f"{kind} covariance from clusters in {len(chosen)} ways ({ways}); {fewest - 1} df: the fewest "
        "clusters, less one"
    )
    vcov, floor = _turned(rows.root, middle), _floor(fit)
    bound = SeveralWays(kind, fit.solution.beta, vcov, rows.root, floor, note, middle, fewest - 1)
    return _noted(fit, bound)


def _turned(root: Array, middle: Array) -> Array:
    """``K W K'``, the covariance of beta."""
    with np.errstate(over="ignore", invalid="ignore"):
        vcov = root @ middle @ root.T
    if not np.isfinite(vcov).all():
        raise ModelError(
            "the covariance of the coefficients is too large for floating-point numbers: give the response "
            "or the predictors in other units"
        )
    return (vcov + vcov.T) / 2


def _floor(fit: Fit) -> float:
    """Standard errors up to this, where beta is white, are rounding error."""
    size = max(float(np.abs(shifted_response(one) - fit.A.origin.y).max()) for one in fit.rows.designs())
    return max(ROUNDING * fit.sigma, DIGITS * size)


def _without_errors(fit: Fit, se: Array) -> str:
    """What to say of coefficients whose robust standard errors are rounding error; "" if there are none."""
    names = [name for name, one in zip(fit.names, se, strict=True) if np.isnan(one)]
    if not names:
        return ""
    shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    return (
        f"no robust standard error of {shown}: nothing but rounding error is left of the residuals, as "
        "where a single cluster determines a coefficient"
    )


def _noted(fit: Fit, bound: Bound) -> Bound:
    more = _without_errors(fit, bound.se(np.eye(len(bound.beta))))
    return replace(bound, note="; ".join(filter(None, [bound.note, more])))
