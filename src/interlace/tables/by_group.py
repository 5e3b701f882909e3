"""Tables by grouping factor, as one answer: they print, and show in a notebook, one below the other."""

from __future__ import annotations

import pandas as pd

from interlace.errors import DataError
from interlace.tables import markup
from interlace.tables.table import Wide
from interlace.text import did_you_mean

ROWS = 30  # of a table in a notebook; the others are counted
SD, MODE = "sd", "mode"


class ByGroup(dict[str, pd.DataFrame]):
    """{grouping factor: table with a row for each of its levels}.

    Methods
    -------
    long()
        All numbers below each other.
    """

    def of(self, group: str) -> Wide:
        """The table of one grouping factor.

        Raises
        ------
        DataError
            There is none of the name.
        """
        if group not in self:
            near = did_you_mean(str(group), list(self), most=1, cutoff=0.6)
            raise DataError(
                f"there is no grouping factor '{group}'; {near or 'there are ' + ', '.join(self)}"
            )
        return Wide(self[group])

    def long(self) -> pd.DataFrame:
        """A row for each number.

        Returns
        -------
        DataFrame
            Columns `group, level, term, estimate`, and `sd` where the tables have conditional standard
            deviations.
        """
        rows = []
        for group, table in self.items():
            both = table.columns.nlevels > 1
            estimates = table[MODE] if both else table
            for j, term in enumerate(estimates.columns):
                columns = {
                    "group": group,
                    "level": list(table.index),
                    "term": term,
                    "estimate": estimates.iloc[:, j].to_numpy(),
                }
                rows.append(pd.DataFrame(columns | ({SD: table[SD].iloc[:, j].to_numpy()} if both else {})))
        return Wide(pd.concat(rows, ignore_index=True))

    def __repr__(self) -> str:
        return "\n\n".join(f"{group}\n{Wide(table)}" for group, table in self.items())

    def _repr_html_(self) -> str:
        return markup.page(
            *(
                markup.title(group) + markup.frame_html(table, table.index.name or "", ROWS)
                for group, table in self.items()
            )
        )
