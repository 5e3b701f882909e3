"""The studentised range: how far apart the largest and the smallest of k independent means are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from interlace.arrays import Array

# The integrands are smooth and fall off like normal densities: the trapezium rule with these steps, out to
# where they are below this share of their peak, is exact to more than ten digits.
REACH = 8.5  # standard deviations of a mean
STEP = 0.1
NEGLIGIBLE = 30.0  # -log of the share
CHI_STEP = 0.05  # the range of hundreds of means is that narrow in its logarithm
MAX_NODES = 8000
UNREACHED = 1e3  # standard deviations: a probability of zero in doubles
STIRLING = 1e5  # degrees of freedom from where the series of the gamma function loses nothing


def tail(q: float, k: float, df: float) -> float:
    """Probability that the studentised range of `k` means is above `q`.

    ``P(Q > q) = E P(W > q S)`` with W the range of k standard normals and S the root of a chi-square over its
    degrees of freedom. Only positive terms are added, so that a small probability keeps its digits.

    Parameters
    ----------
    q : float
        The range in standard errors of one mean, ``sqrt(2) |t|`` for a difference of two.
    k : float
        Number of means, at least 2; need not be whole.
    df : float
        Degrees of freedom; infinite where sigma is known.

    Examples
    --------
    >>> round(tail(3.5, 7, 12.3), 6)
    0.247557
    """
    if math.isnan(q) or math.isnan(df):
        return float("nan")
    if q <= 0:
        return 1.0
    if math.isinf(q):
        return 0.0
    if math.isinf(df):
        return float(_range_tail(np.array([q]), k)[0])
    x, density = _log_chi(q, df)
    return min(1.0, float(density @ _range_tail(q * np.exp(x), k)))


def _log_chi(q: float, df: float) -> tuple[Array, Array]:
    """Nodes of log S, and its density there times the step; they reach down to where W > q S is likely."""
    peak = -math.log(
        math.hypot(1, q / math.sqrt(2 * df))
    )  # of the integrand for two means; that of more lies above
    low = peak - NEGLIGIBLE / df - math.sqrt(NEGLIGIBLE / df)
    high = math.sqrt(NEGLIGIBLE / df)
    step = min(CHI_STEP, 0.25 / math.sqrt(df))
    x = np.linspace(low, high, min(MAX_NODES, math.ceil((high - low) / step)))
    return x, (x[1] - x[0]) * np.exp(df * (x - np.expm1(2 * x) / 2) + _log_peak(df))


def _log_peak(df: float) -> float:
    """Log density of log S at zero."""
    a = df / 2
    if df > STIRLING:
        return math.log(2) + math.log(a / (2 * math.pi)) / 2 - 1 / (12 * a)
    return math.log(2) + a * math.log(a) - a - math.lgamma(a)


def _range_tail(w: Array, k: float) -> Array:
    """P(W > w) = k int phi(z) [Phi(z)^(k-1) - (Phi(z) - Phi(z-w))^(k-1)] dz for the range W of k normals."""
    w = np.minimum(w, UNREACHED)
    z = w[:, None] / 2 + np.arange(-REACH, REACH + STEP / 2, STEP)
    upper = _special().log_ndtr(z)
    share = np.exp(_special().log_ndtr(z - w[:, None]) - upper)
    inside = np.log1p(-np.minimum(share, 1 - 1e-16))
    log_density = -z * z / 2 - math.log(2 * math.pi) / 2 + (k - 1) * upper
    return np.asarray(k * STEP * np.sum(np.exp(log_density) * -np.expm1((k - 1) * inside), axis=1))


def _special() -> Any:
    from scipy import special

    return special
