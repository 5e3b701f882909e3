"""What is known of all pairs of means, as matrices over the rows of a group."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from interlace.arrays import Array
from interlace.inference.means_labels import RowLabels


def pair_matrices(labels: RowLabels, values: Array) -> Iterator[tuple[str, np.ndarray, Array]]:
    """Group by group: what it is called, its rows, and a symmetric matrix of values with NaN on the diagonal.

    Parameters
    ----------
    labels : RowLabels
        Of the means.
    values : ndarray
        One for each pair of rows of a group, in the order of ``pairs()``.
    """
    start = 0
    for name, rows in named_groups(labels):
        k = len(rows)
        pairs = np.array(list(combinations(range(k), 2)), dtype=np.intp).reshape(-1, 2)
        found = np.full((k, k), np.nan)
        found[pairs[:, 0], pairs[:, 1]] = found[pairs[:, 1], pairs[:, 0]] = values[start : start + len(pairs)]
        start += len(pairs)
        yield name, rows, found


def named_groups(labels: RowLabels) -> list[tuple[str, np.ndarray]]:
    """The groups with their titles, "Variety = Victory", "" where there is one for all."""
    return [(labels.title(values), rows) for values, rows in labels.groups()]
