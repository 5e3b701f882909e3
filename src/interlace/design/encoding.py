"""Data to numbers: an `Encoding` is learnt once and gives the same columns for any data after that."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from interlace.design import checks
from interlace.design.basis import Basis, FactorCoding, learn_basis, split_terms, used_names
from interlace.design.design import Design, RandomRows
from interlace.design.evaluation import evaluate
from interlace.design.extras import Extra, read_extra
from interlace.design.frame import Frame, column_names
from interlace.design.grouping import Grouping, learn_grouping
from interlace.design.scope import check_columns, settle
from interlace.design.values import Column
from interlace.errors import DataError
from interlace.formula.parser import parse
from interlace.formula.terms import Formula, RandomTerm

_NA_ACTIONS = ("drop", "raise", "error")


@dataclass(frozen=True)
class RandomEncoding:
    """One covariance block: columns that vary together over the levels of a grouping factor.

    Attributes
    ----------
    grouping : Grouping
        Shared (the same object) by all blocks of the same grouping factor.
    basis : Basis
        The columns, as learnt.
    term : int
        Index into `formula.random`; the blocks of one ``||`` term share it.
    """

    grouping: Grouping
    basis: Basis
    term: int

    @property
    def group(self) -> str:
        """Name of the grouping factor."""
        return self.grouping.group

    @property
    def levels(self) -> np.ndarray:
        """Labels of the L levels."""
        return self.grouping.levels

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the k columns."""
        return self.basis.names

    @property
    def intercept(self) -> int | None:
        """Index of the intercept among the columns, or None."""
        return _intercept(self.basis.names)


@dataclass(frozen=True)
class Encoding:
    """Everything learnt from data that is needed to encode data: no rows are held, and it pickles.

    Attributes
    ----------
    formula : Formula
    fixed : Basis
        The columns of X, as learnt.
    random : tuple of RandomEncoding
        One per covariance block, in formula order; a ``||`` term gives one for each of its terms.
    weights, offset : str or None
        Name of the column that held them; `ARRAY` if they came as an array.
    context : dict
        The caller's functions and values that the formula uses.
    response_state : dict
        What functions in the response and the offsets learnt.
    """

    formula: Formula
    fixed: Basis
    random: tuple[RandomEncoding, ...]
    weights: str | None
    offset: str | None
    context: dict[str, Any]
    response_state: dict[str, Any]

    @property
    def fixed_names(self) -> tuple[str, ...]:
        """Names of the columns of X."""
        return self.fixed.names

    @property
    def fixed_terms(self) -> tuple[tuple[str, slice], ...]:
        """Terms of the fixed part in order, each with its columns of X; the intercept is "1"."""
        return self.fixed.terms

    @property
    def fixed_factors(self) -> dict[str, FactorCoding]:
        """Levels and contrasts of the categorical factors of the fixed part."""
        return self.fixed.factors

    @property
    def intercept(self) -> int | None:
        """Index of the intercept among the columns of X, or None."""
        return _intercept(self.fixed.names)

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
            Coding of factors of the fixed part: ``{"a": "sum"}``; a name or a matrix (levels x columns).
        na_action : {"drop", "raise"}
            Leave out rows with a missing value in a column used, or refuse them.
        context : mapping, optional
            Where functions of the formula that are not in the library are looked up.

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
        if na_action not in _NA_ACTIONS:
            raise DataError(f"na_action {na_action!r} is not known; use 'drop' or 'raise'")
        parsed = parse(formula) if isinstance(formula, str) else formula
        names = column_names(data)
        options = [option for option in (weights, offset) if isinstance(option, str)]
        check_columns(names, options)
        scope = settle(parsed, names, context, options)
        read = Frame.read(data, dict.fromkeys([*scope.columns, *options]))
        prior = read_extra("weights", weights, read, data)
        shift = read_extra("offset", offset, read, data)
        frame, kept = _complete(read, (prior, shift), na_action)
        learner = _Learner(scope.formula, frame, kept, scope.context)
        return learner.run(prior.take(kept), shift.take(kept), dict(contrasts or {}), read)

    def design(
        self,
        data: Any,
        *,
        groups: Collection[str] | None = None,
        response: str = "optional",
        weights: Any = None,
        offset: Any = None,
    ) -> Design:
        """Encode new data with everything as learnt.

        Parameters
        ----------
        data : table
        groups : collection of str, optional
            Names of the grouping factors to encode, all by default. The columns of the others need not be in
            the data; their codes are -1 and their z zero.
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
            raise DataError(f"response must be 'optional' or 'required', not {response!r}")
        return _Encoder(self, groups, response).run(data, weights, offset)

    def __reduce__(self) -> tuple[Any, ...]:
        state = (self.formula, self.fixed, self.random, self.weights, self.offset, self.context)
        return type(self), (*state, self.response_state)


def _intercept(names: tuple[str, ...]) -> int | None:
    return names.index("Intercept") if "Intercept" in names else None


def _complete(
    read: Frame, extras: tuple[Extra, ...], na_action: str
) -> tuple[Frame, np.ndarray | None]:
    """The rows without a missing value in any column used."""
    missing = {**read.missing, **{e.label: e.missing for e in extras if e.missing is not None}}
    if na_action != "drop":
        checks.refuse_missing(missing)
    if not missing:
        checks.check_not_empty(read.nrows, read.nrows, {})
        return read, None
    gone = np.logical_or.reduce(list(missing.values()))
    kept = np.flatnonzero(~gone)
    checks.check_not_empty(read.nrows, len(kept), missing)
    return read.take(kept), kept


def blocks_of(term: RandomTerm) -> tuple[str, ...]:
    """Right-hand sides of the covariance blocks of a random term."""
    return (term.columns,) if term.covariance == "unstructured" else split_terms(term.columns)


@dataclass(frozen=True, slots=True)
class _Learner:
    """The steps of `Encoding.learn` on the rows used."""

    formula: Formula
    frame: Frame
    kept: np.ndarray | None
    context: dict[str, Any]

    def run(
        self, weights: Extra, offset: Extra, contrasts: dict[str, Any], read: Frame
    ) -> tuple[Encoding, Design]:
        # 1) Response, weights, offsets
        state: dict[str, Any] = {}
        y = self._response(state)
        prior = weights.values
        if prior is not None:
            checks.check_weights(weights.label, prior, self.kept)
        shift = sum_offsets(self.formula, self.frame, self.context, state, offset, self.kept)
        # 2) Fixed part
        learnt: dict[str, tuple[Basis, np.ndarray]] = {}
        self._check_contrasts(contrasts)
        fixed, X = self._basis(self.formula.fixed, contrasts)
        # 3) Random part: each grouping factor and each set of columns once
        groups: dict[tuple[str, ...], tuple[Grouping, np.ndarray]] = {}
        random: list[RandomEncoding] = []
        rows: list[RandomRows] = []
        for index, term in enumerate(self.formula.random):
            if term.grouping not in groups:
                groups[term.grouping] = self._grouping(term)
            grouping, codes = groups[term.grouping]
            for rhs in blocks_of(term):
                if rhs not in learnt:
                    learnt[rhs] = self._basis(rhs, {})
                basis, z = learnt[rhs]
                checks.check_effects(grouping.group, z.shape[1], grouping.n_levels, len(y))
                random.append(RandomEncoding(grouping, basis, index))
                rows.append(RandomRows(codes, z))
        check_unique_columns(random)
        encoding = Encoding(
            self.formula, fixed, tuple(random), weights.source, offset.source, self.context, state
        )
        missing = {**read.missing, **{e.label: e.missing for e in (weights, offset) if e.missing is not None}}
        counts = tuple((name, int(mask.sum())) for name, mask in missing.items())
        return encoding, Design(y, X, tuple(rows), prior, shift, read.nrows, self.kept, counts, self.frame)

    def _response(self, state: dict[str, Any]) -> np.ndarray:
        name = self.formula.response
        values = evaluate(name, self.frame.columns, self.context, state, self.formula)
        y = checks.numeric_response(name, values, self.frame.nrows)
        checks.check_finite((name,), y[:, None], self.kept)
        checks.check_not_constant(name, y)
        return y

    def _basis(self, rhs: str, contrasts: dict[str, Any]) -> tuple[Basis, np.ndarray]:
        basis, matrix = learn_basis(
            rhs,
            self.frame.columns,
            self.frame.nrows,
            context=self.context,
            contrasts=contrasts,
            formula=self.formula,
        )
        checks.check_finite(basis.names, matrix, self.kept)
        return basis, matrix

    def _grouping(self, term: RandomTerm) -> tuple[Grouping, np.ndarray]:
        columns = grouping_columns(term.grouping, self.frame, self.context, self.formula)
        grouping, codes = learn_grouping(term.group, term.grouping, columns)
        checks.check_levels(grouping.group, grouping.n_levels, self.frame.nrows)
        return grouping, codes

    def _check_contrasts(self, contrasts: dict[str, Any]) -> None:
        names = used_names(self.formula.fixed)
        for name in contrasts:
            if name not in names and name not in self.formula.fixed:
                raise DataError(f"contrasts are given for '{name}', which is not a factor of the fixed part")


def grouping_columns(
    factors: tuple[str, ...], frame: Frame, context: dict[str, Any], formula: Formula
) -> list[Column]:
    """The evaluated factors of a grouping."""
    return [evaluate(factor, frame.columns, context, {}, formula) for factor in factors]


def check_unique_columns(random: list[RandomEncoding]) -> None:
    """No column twice for the same grouping factor: their variances could not be told apart."""
    seen: set[tuple[frozenset[str], str]] = set()
    for block in random:
        for column in block.columns:
            key = (frozenset(block.grouping.factors), column)
            if key in seen:
                raise DataError(
                    f"the random effect '{column}' for the grouping factor '{block.group}' is in more than one "
                    "random term; keep one of them"
                )
            seen.add(key)


def sum_offsets(
    formula: Formula,
    frame: Frame,
    context: dict[str, Any],
    state: dict[str, Any],
    extra: Extra,
    kept: np.ndarray | None,
) -> np.ndarray | None:
    """Sum of `offset(...)` terms and the offset argument, (n,) or None."""
    total: np.ndarray | None = extra.values
    if total is not None:
        checks.check_finite((extra.label,), total[:, None], kept)
    for expression in formula.offsets:
        values = evaluate(expression, frame.columns, context, state, formula)
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "iufb":
            raise DataError(f"the offset '{expression}' is not numeric")
        part = np.broadcast_to(values.astype(np.float64), (frame.nrows,))
        checks.check_finite((expression,), part[:, None], kept)
        total = part.copy() if total is None else total + part
    return total


@dataclass(frozen=True, slots=True)
class _Encoder:
    """The steps of `Encoding.design` on new data."""

    encoding: Encoding
    groups: Collection[str] | None
    response: str

    def run(self, data: Any, weights: Any, offset: Any) -> Design:
        encoding = self.encoding
        # 1) Columns: the predictors must be there, the response may be
        names = column_names(data)
        needed = self._needed(names)
        answer = [n for n in used_names(encoding.formula.response) if n in names and n not in needed]
        read = Frame.read(data, [*needed, *answer])
        prior = read_extra("weights", self._option(weights, encoding.weights, names), read, data)
        shift = read_extra("offset", self._offset(offset), read, data)
        # 2) Rows: complete in what must be there
        must = [*needed, *answer] if self.response == "required" else needed
        gone = [read.missing[n] for n in must if n in read.missing]
        gone += [e.missing for e in (prior, shift) if e.missing is not None]
        kept = np.flatnonzero(~np.logical_or.reduce(gone)) if gone else None
        frame = read if kept is None else read.take(kept)
        # 3) Numbers
        columns = frame.columns
        X = encoding.fixed.matrix(columns, frame.nrows)
        checks.check_finite(encoding.fixed_names, X, kept)
        weights_kept, offset_kept = prior.take(kept), shift.take(kept)
        if weights_kept.values is not None:
            checks.check_weights(weights_kept.label, weights_kept.values, kept)
        state = encoding.response_state
        total = sum_offsets(encoding.formula, frame, encoding.context, state, offset_kept, kept)
        counts = tuple((name, int(mask.sum())) for name, mask in read.missing.items())
        return Design(
            self._y(frame, kept), X, self._random(frame, kept), weights_kept.values, total,
            read.nrows, kept, counts, frame,
        )  # fmt: skip

    def _wanted(self, group: str) -> bool:
        return self.groups is None or group in self.groups

    def _needed(self, names: list[str]) -> list[str]:
        """Columns that the parts to be encoded use; those that are the caller's objects are left out."""
        encoding = self.encoding
        parts = [encoding.formula.fixed, *encoding.formula.offsets]
        for term in encoding.formula.random:
            if self._wanted(term.group):
                parts += [term.columns, *term.grouping]
        if self.response == "required":
            parts.append(encoding.formula.response)
        needed: dict[str, None] = {}
        for part in parts:
            for name in used_names(part):
                root = name if name in names else name.split(".")[0]
                if root in names or not self._is_object(root):
                    needed[root] = None
        if encoding.offset is not None and encoding.offset != Extra.ARRAY:
            needed[encoding.offset] = None
        check_columns(names, needed)
        return list(needed)

    def _is_object(self, root: str) -> bool:
        from interlace.design.evaluation import LIBRARY
        from interlace.formula.names import is_builtin

        return root in self.encoding.context or root in LIBRARY or is_builtin(root)

    def _option(self, given: Any, learnt: str | None, names: list[str]) -> Any:
        if given is not None:
            return given
        return learnt if learnt in names else None

    def _offset(self, given: Any) -> Any:
        learnt = self.encoding.offset
        if given is None and learnt == Extra.ARRAY:
            raise DataError("the model was fitted with an offset array; give the offset of these data as well")
        return given if given is not None else learnt

    def _y(self, frame: Frame, kept: np.ndarray | None) -> np.ndarray | None:
        formula, context = self.encoding.formula, self.encoding.context
        names = used_names(formula.response) - set(context)
        absent = [n for n in names if n not in frame.columns and n.split(".")[0] not in frame.columns]
        incomplete = [n for n in names if n in frame.missing]
        if self.response == "optional" and (incomplete or any(not self._is_object(n.split(".")[0]) for n in absent)):
            return None
        values = evaluate(formula.response, frame.columns, context, self.encoding.response_state, formula)
        y = checks.numeric_response(formula.response, values, frame.nrows)
        checks.check_finite((formula.response,), y[:, None], kept)
        return y

    def _random(self, frame: Frame, kept: np.ndarray | None) -> tuple[RandomRows, ...]:
        encoding = self.encoding
        codes: dict[int, np.ndarray] = {}
        matrices: dict[int, np.ndarray] = {}
        rows: list[RandomRows] = []
        for block in encoding.random:
            if not self._wanted(block.group):
                rows.append(RandomRows(np.full(frame.nrows, -1, np.int32), np.zeros((frame.nrows, len(block.columns)))))
                continue
            key, basis = id(block.grouping), id(block.basis)
            if key not in codes:
                columns = grouping_columns(block.grouping.factors, frame, encoding.context, encoding.formula)
                codes[key] = block.grouping.codes(columns)
            if basis not in matrices:
                matrices[basis] = block.basis.matrix(frame.columns, frame.nrows)
                checks.check_finite(block.columns, matrices[basis], kept)
            rows.append(RandomRows(codes[key], matrices[basis]))
        return tuple(rows)
