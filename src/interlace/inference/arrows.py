"""Comparison arrows: two means differ where their arrows, pointing at each other, do not meet."""

from __future__ import annotations

import numpy as np

from interlace.arrays import Array
from interlace.frozen import dataclass

LEAST, MORE = 3.0, 20.0  # weight of a difference beside the usual length, and what one near `half` adds
OVER = 0.02  # of the range of the means: how far arrows may point beyond it
EXTREME = 1e-4  # of the range: means so near to its end have no arrow there


@dataclass(frozen=True, slots=True)
class Arrows:
    """Lengths of the arrows of k means.

    Attributes
    ----------
    left, right : ndarray, (k,)
        NaN where there is no arrow.
    misleading : list of (int, int)
        Pairs of which the arrows say the opposite of the test.
    """

    left: Array
    right: Array
    misleading: list[tuple[int, int]]


def arrows(estimate: Array, half: Array) -> Arrows:
    """Arrows for means whose differences have intervals of ``d +- half``.

    The arrow of the smaller mean to the right and that of the larger to the left together should be as long
    as `half`: then they meet where the difference is smaller than that. There are more pairs than arrows, so
    that lengths are those of least squares, with larger weights for differences near `half`, and all of them
    drawn a little to half of the smallest `half` of a mean (the definition of R's emmeans 1.8.4, which has no
    arrows where one would be negative; here it is zero).

    Parameters
    ----------
    estimate : ndarray, (k,)
    half : ndarray, (k, k)
        NaN where a difference is not known.
    """
    k = len(estimate)
    pairs = [
        (i, j) if estimate[i] <= estimate[j] else (j, i)
        for i in range(k)
        for j in range(i)
        if half[i, j] > 0 and np.isfinite(estimate[i] - estimate[j])
    ]
    low, high = (np.array([pair[side] for pair in pairs], dtype=np.intp) for side in (0, 1))
    wide, apart = half[low, high], estimate[high] - estimate[low]
    share = apart / wide
    weight = LEAST + MORE * np.maximum(0.5 - (1 - share) ** 2, 0.0)
    # 1) a row for each pair, and one for each arrow
    rows, place = np.zeros((len(pairs), 2 * k)), np.arange(len(pairs))
    rows[place, k + low] = rows[place, high] = weight * share
    usual = np.full(k, np.inf)
    np.minimum.at(usual, np.concatenate([low, high]), np.concatenate([wide, wide]) / 2)
    usual = np.where(np.isfinite(usual), usual, 0.0)
    target = np.concatenate([weight * apart, usual, usual])
    length = _least_squares(np.vstack([rows, np.eye(2 * k)]), target)
    left, right = length[:k], length[k:]
    # 2) what they say of each pair
    wrong = (1 - share) * (right[low] + left[high] - apart) < 0
    misleading = [pair for pair, is_wrong in zip(pairs, wrong, strict=True) if is_wrong]
    return Arrows(*_within(estimate, left, right), misleading)


def _least_squares(rows: Array, target: Array) -> Array:
    """None is negative."""
    found = np.linalg.lstsq(rows, target, rcond=None)[0]
    if found.min(initial=0.0) >= 0:
        return np.asarray(found)
    from scipy.optimize import nnls

    return np.asarray(nnls(rows, target)[0])


def _within(estimate: Array, left: Array, right: Array) -> tuple[Array, Array]:
    """None at the smallest and the largest mean, none far beyond these."""
    known = estimate[np.isfinite(estimate)]
    if not known.size:
        return np.full(len(estimate), np.nan), np.full(len(estimate), np.nan)
    first, last = known.min(), known.max()
    length = last - first
    left = np.where(estimate - left < first, estimate - first + OVER * length, left)
    right = np.where(estimate + right > last, last - estimate + OVER * length, right)
    unknown = ~np.isfinite(estimate)
    return (
        np.where(unknown | (estimate < first + EXTREME * length), np.nan, left),
        np.where(unknown | (estimate > last - EXTREME * length), np.nan, right),
    )
