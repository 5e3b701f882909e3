"""Compact letter displays of means: those that share a letter could not be told apart."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from interlace.arrays import Array
from interlace.errors import DataError
from interlace.inference.letters import letters
from interlace.inference.means_labels import RowLabels
from interlace.inference.pairwise import pair_matrices
from interlace.options import labels, number
from interlace.tables.table import Table


class Compared(Protocol):
    """Means that know their differences."""

    @property
    def labels(self) -> RowLabels:
        """What stands beside the rows."""
        ...

    @property
    def estimate(self) -> Array:
        """(m,)."""
        ...

    def confint(self) -> Table:
        """Intervals of the means."""
        ...

    def pairs(self, *, adjust: str | None = None) -> Any:
        """All differences within groups, in the order of the rows."""
        ...


def letter_table(means: Compared, alpha: float, adjust: str | None, symbols: Any) -> Table:
    """The means of each group from the smallest to the largest, with their letters in a column `group`.

    Raises
    ------
    DataError
        alpha does not lie between 0 and 1; the letters are no texts, or not different.
    """
    if not 0 < number("alpha", alpha) < 1:
        raise DataError(f"alpha must lie between 0 and 1, not {alpha:g}")
    symbols = symbols if isinstance(symbols, str) else labels("letters", symbols)
    table, tests = means.confint(), means.pairs(adjust=adjust).test()
    order, texts = [], []
    for _, rows, p in pair_matrices(means.labels, tests["p"].to_numpy()):
        different = p < alpha
        ranks = np.argsort(means.estimate[rows], kind="stable")
        named = [str(row) for row in rows[ranks]]
        texts += letters(named, different[np.ix_(ranks, ranks)], symbols)
        order += rows[ranks].tolist()
    sorted_table = table.iloc[order].reset_index(drop=True)
    columns = {**{name: sorted_table[name] for name in sorted_table}, "group": texts}
    said = [note for note in str(tests.attrs.get("note", "")).split("; ") if "adjustment" in note]
    shared = f"means that share a letter are not told apart at alpha = {alpha:g}"
    return Table.of(columns, note=[table.note, *said, shared])
