"""The one kind of table that results are handed out in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from interlace.hints import says_instead
from interlace.other_names import OF_TABLES
from interlace.tables import markup
from interlace.tables.cells import lines, printed
from interlace.tables.format import terminal_width


class Wide(pd.DataFrame):
    """A DataFrame of which pandas prints all columns, some below the others where lines are short.

    What is made of it (rows, columns, `round`) is one as well.
    """

    @property
    def _constructor(self) -> Any:
        return Wide

    def __getitem__(self, key: Any) -> Any:
        """A column, rows or columns; a column by the name that it had before, too."""
        if isinstance(key, str):
            return super().__getitem__(self._named(key))
        if isinstance(key, list) and all(isinstance(name, str) for name in key):
            return super().__getitem__([self._named(name) for name in key])
        return super().__getitem__(key)

    def _named(self, name: str) -> str:
        here = OLD_NAMES.get(name)
        return name if here is None or name in self.columns or here not in self.columns else here

    def __repr__(self) -> str:
        if pd.get_option("display.max_columns") not in PANDAS_DEFAULTS:  # the caller has chosen
            return str(super().__repr__())
        with pd.option_context("display.max_columns", None, "display.expand_frame_repr", True):
            return str(super().__repr__())

    def _repr_html_(self) -> str | None:
        """As pandas shows it, with all columns, in the look of the other tables."""
        chosen = pd.get_option("display.max_columns") not in PANDAS_DEFAULTS
        with pd.option_context(*([] if chosen else ["display.max_columns", None])):
            shown = super()._repr_html_()
        return shown and markup.page(shown)


PANDAS_DEFAULTS = (0, 20)
#: Names that columns had before -> their names: the statistic of likelihood ratios is `lrt` everywhere.
OLD_NAMES = {"chisq": "lrt"}


@says_instead(**OF_TABLES)
class Table(Wide):
    """A DataFrame that prints with all its columns, digits chosen as by R, a heading, and its note.

    What is made of it (rows, columns, `round`) is a DataFrame as pandas prints it, with all columns.

    Attributes
    ----------
    heading : str
        What the table shows; "" if the columns say it. Also `attrs["heading"]`.
    note : str
        What a reader of the numbers must know; "" if nothing. Also `attrs["note"]`.
    """

    @classmethod
    def of(
        cls,
        columns: Mapping[str, Any],
        labels: Sequence[Any] | None = None,
        *,
        heading: str = "",
        note: str | Iterable[str] = "",
        name: str | None = None,
    ) -> Table:
        """A table.

        Parameters
        ----------
        columns : mapping of str to array-like, (rows,)
        labels : sequence, optional
            One for each row; rows without labels are numbered, and print without their numbers.
        heading : str
        note : str, or several
            Those that are not empty stand one after the other.
        name : str, optional
            Of the labels.

        Examples
        --------
        >>> Table.of({"chisq": [45.853006], "df": [1.0], "p": [1.274674e-11]}, ["Days"], note="by ML")
              chisq df         p
        Days 45.853  1 1.275e-11
        by ML
        """
        index = None if labels is None else pd.Index(list(labels), name=name, dtype=object)
        table = cls(dict(columns), index=index)
        said = "; ".join(one for one in ([note] if isinstance(note, str) else note) if one)
        table.attrs = {key: text for key, text in (("heading", heading), ("note", said)) if text}
        return table

    @classmethod
    def of_rows(
        cls, rows: Sequence[Sequence[float]], columns: Sequence[str], labels: Sequence[str], **words: Any
    ) -> Table:
        """A table of numbers from its rows."""
        numbers = np.array(rows, dtype=np.float64).reshape(len(labels), len(columns))
        return cls.of(dict(zip(columns, numbers.T, strict=True)), labels, **words)

    @property
    def heading(self) -> str:
        """What the table shows; "" if the columns say it."""
        return str(self.attrs.get("heading", ""))

    @property
    def note(self) -> str:
        """What a reader of the numbers must know; "" if nothing."""
        return str(self.attrs.get("note", ""))

    def __repr__(self) -> str:
        return "\n".join(lines(self, width=terminal_width()))

    def _repr_html_(self) -> str:
        header, rows, align = printed(self)
        body = (
            markup.table_html("", header, rows, align)
            if rows
            else markup.paragraphs([lines(self, words=False)[-1]])
        )
        return markup.page(markup.paragraphs([self.heading]), body, markup.paragraphs([self.note]))
