"""Data to numbers: an `Encoding` is learnt once and gives the same columns for any data after that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from interlace.design.absorbing import without_singletons
from interlace.design.checks import check_mapping
from interlace.design.design import Design, RandomRows, Source
from interlace.design.encoding_rows import RowEncoder
from interlace.design.evaluation import Memory
from interlace.design.extras import read_extra
from interlace.design.frame import Frame, open_table
from interlace.design.learning import Learner, complete
from interlace.design.learnt import Learnt, RandomEncoding
from interlace.design.owned import owned
from interlace.design.scope import check_columns, settle
from interlace.errors import DataError, shown
from interlace.formula.formula import Formula
from interlace.formula.parser import parse
from interlace.frozen import dataclass

__all__ = ["Design", "Encoding", "RandomEncoding", "RandomRows"]

NA_ACTIONS = ("drop", "raise", "error")


@dataclass(frozen=True)
class Encoding(Learnt):
    """Everything learnt from data that is needed to encode data: no rows are held, and it pickles.

    The attributes are those of `Learnt`.
    """

    @classmethod
    def learn(
        cls,
        formula: Formula | str,
        data: Any,
        *,
        weights: Any = None,
        offset: Any = None,
        contrasts: Mapping[str, Any] | None = None,
        na_action: str = "drop",
        context: Mapping[str, Any] | None = None,
        singletons: str = "keep",
        source: Source | None = None,
    ) -> tuple[Encoding, Design]:
        """Learn levels, contrasts and transforms from data, and encode these data.

        Parameters
        ----------
        formula : Formula or str
        data : table
            pandas, polars, pyarrow, anything narwhals reads, or a mapping of arrays.
        weights, offset : str or array-like of length n, optional
            A column name, or the values.
        contrasts : mapping, optional
            Coding of factors, in the fixed part and in random terms: ``{"a": "sum"}``; a name or a matrix
            (levels x columns).
        na_action : {"drop", "raise"}
            Leave out rows with a missing value in a column used, or refuse them.
        context : mapping, optional
            Where functions of the formula that are not in the library are looked up.
        singletons : {"keep", "drop"}
            Leave out rows that are the only ones of a level of an absorbed factor, until there are none.
        source : Source, optional
            What the design keeps of the table, if that is made already.

        Raises
        ------
        FormulaError, DataError, ModelError

        Examples
        --------
        >>> data = {"y": [1.0, 2, 4, 3], "x": [1, 2, 3, 4], "g": ["a", "a", "b", "b"]}
        >>> encoding, design = Encoding.learn("y ~ x + (1 | g)", data)
        >>> encoding.fixed_names, design.X.shape, encoding.random[0].levels.tolist()
        (('Intercept', 'x'), (4, 2), ['a', 'b'])
        """
        if na_action not in NA_ACTIONS:
            raise DataError(f"na_action {shown(na_action)} is not known; use 'drop' or 'raise'")
        check_mapping(contrasts)
        parsed = parse(formula) if isinstance(formula, str) else formula
        table = open_table(data)
        names = table.names
        options = [option for option in (weights, offset) if isinstance(option, str)]
        check_columns(names, options)
        scope = settle(parsed, names, context, options)
        read = Frame.read(table, dict.fromkeys([*scope.columns, *options]))
        prior = read_extra("weights", weights, read, data)
        shift = read_extra("offset", offset, read, data)
        missing = {**read.missing}
        for extra in (prior, shift):
            if extra.missing is not None:
                missing[extra.label] = extra.missing
        frame, kept = complete(read, missing, na_action)
        found = frame.nrows
        if singletons == "drop":
            frame, kept = without_singletons(frame, kept, scope.formula.absorbed)
        memory = Memory(scope.context, {}, scope.formula.text, frozenset(scope.columns))
        learner = Learner(scope.formula, frame, kept, memory)
        counts = {name: int(mask.sum()) for name, mask in missing.items()} if missing else {}
        extras = (prior, shift) if kept is None else (prior.take(kept), shift.take(kept))
        encoding, design = learner.run(cls, *extras, dict(contrasts or {}), counts, read.nrows)
        singles = found - frame.nrows
        return encoding, owned(encoding, design, read, source=source or Source(data), singletons=singles)

    def design(
        self,
        data: Any,
        *,
        random: Mapping[int, Sequence[int]] | None = None,
        response: str = "optional",
        weights: Any = None,
        offset: Any = None,
    ) -> Design:
        """Encode new data with everything as learnt.

        Parameters
        ----------
        data : table
        random : mapping of int to sequence of int, optional
            Covariance blocks to encode and the columns wanted of each, all by default. What only the others
            use need not be in the data; their codes are -1, and z is zero where nothing is wanted.
        response : {"optional", "required"}
            Optional: `y` is None unless its columns are there without a missing value. Required: rows without
            a response are left out, and the columns must be there.
        weights, offset : array-like, optional
            Values for these data, where the fit was given arrays and not names of columns.

        Raises
        ------
        DataError
            A column is missing, a factor has a level that the fit has not seen, a value is not finite.
        """
        if response not in ("optional", "required"):
            raise DataError(f"response must be 'optional' or 'required', not {shown(response)}")
        return RowEncoder(self, random, response).run(data, weights, offset)
