"""Formulaic's assembly of terms over our columns, with R's treatment of factors and logicals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from formulaic import ModelSpec
from formulaic.materializers import PandasMaterializer
from formulaic.materializers.types import FactorValues
from formulaic.transforms.contrasts import Contrasts, PolyContrasts, TreatmentContrasts
from interface_meta import override

from interlace.design.evaluation import SeriesView, compute, environment
from interlace.design.factors import CodedFactor
from interlace.design.formulaic_contrasts import coding
from interlace.design.values import Column, Factor, from_anything, type_difference
from interlace.errors import DataError

ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The value of an expression and what its functions learnt: shared by the parts of one formula."""

    value: Any
    state: dict[str, Any]


class Materializer(PandasMaterializer):
    """Formulaic's assembly of terms over our columns, with R's treatment of factors and logicals."""

    REGISTER_NAME = "interlace"
    REGISTER_INPUTS: Sequence[str] = ()

    def __init__(
        self,
        columns: Mapping[str, Column],
        nrows: int,
        context: Mapping[str, Any],
        evaluated: dict[str, Evaluated] | None = None,
    ) -> None:
        self.rows = nrows
        self.raw = columns
        self.evaluated = {} if evaluated is None else evaluated
        self.contrasts: dict[str, Contrasts] = {}
        super().__init__(SeriesView(columns), context=environment(columns, context))

    @override
    def _init(self) -> None:
        pass

    @property
    @override
    def nrows(self) -> int:
        return self.rows

    @override
    def _lookup(self, name: str) -> tuple[Any, set[Any]]:
        if name not in self.raw:
            raise NameError(f"there is no column '{name}'")
        return self._as_values(name, self.raw[name]), set()

    @override
    def _evaluate(self, expr: str, metadata: Any, spec: ModelSpec) -> tuple[Any, set[Any]]:
        if expr not in self.evaluated:
            before = set(spec.transform_state)
            value = self._computed(expr, metadata, spec)
            learnt = {k: v for k, v in spec.transform_state.items() if k not in before}
            self.evaluated[expr] = Evaluated(value, learnt)
        known = self.evaluated[expr]
        spec.transform_state.update(known.state)
        return known.value, set()

    def _computed(self, expr: str, metadata: Any, spec: ModelSpec) -> Any:
        value = compute(expr, self.raw, self.layered_context, spec.transform_state, spec)
        wrapped = getattr(value, "__wrapped__", value)
        if isinstance(wrapped, dict) or (isinstance(value, FactorValues) and not isinstance(wrapped, Factor)):
            return value
        if not isinstance(wrapped, Factor) and np.ndim(wrapped) == 0:
            wrapped = np.full(self.rows, wrapped)
        if getattr(wrapped, "ndim", 1) == 2:
            return value
        return self._as_values(expr, from_anything(expr, wrapped))

    def _as_values(self, expr: str, values: Column) -> Any:
        if isinstance(values, np.ndarray) and values.dtype.kind == "b":
            values = Factor(values.astype(np.int8), np.array([False, True]))
        if isinstance(values, Factor):
            return FactorValues(values, kind="categorical", spans_intercept=True)
        if values.dtype.kind not in "iuf":
            raise DataError(
                f"'{expr}' has values of type {values.dtype}; convert it to numbers or to strings"
            )
        if len(values) != self.rows:
            raise DataError(f"'{expr}' has {len(values)} rows where the data have {self.rows}")
        return FactorValues(values, kind="numerical", spans_intercept=False)

    @override
    def _encode_numerical(
        self, values: Any, metadata: Any, encoder_state: Any, spec: Any, drop_rows: Any
    ) -> Any:
        return np.asarray(getattr(values, "__wrapped__", values), dtype=np.float64)

    @override
    def _encode_categorical(
        self,
        values: Any,
        metadata: Any,
        encoder_state: Any,
        spec: Any,
        drop_rows: Any,
        reduced_rank: bool = False,
    ) -> Any:
        factor: Factor = values.__wrapped__
        expr = encoder_state.get("expr")
        if expr is None:
            raise AssertionError("set by _encode_evaled_factor")
        if "levels" not in encoder_state:
            factor = self._learn(expr, factor, encoder_state)
        else:
            factor = _conform(expr, factor, encoder_state["levels"])
        if len(factor) and factor.codes.min() < 0:
            row = int(np.argmin(factor.codes))
            raise DataError(f"the factor '{expr}' has no level at row {row} of the rows used; drop such rows")
        code = coding(expr, encoder_state["contrast"], encoder_state["levels"], reduced_rank)
        encoded = np.take(code.matrix.T, factor.codes, axis=1)
        return FactorValues(
            dict(zip(code.fields, encoded, strict=True)),
            kind="categorical",
            spans_intercept=not reduced_rank,
            drop_field=None,
            format=code.format,
            encoded=True,
        )

    @override
    def _encode_evaled_factor(
        self, factor: Any, spec: Any, drop_rows: Any, reduced_rank: bool = False
    ) -> Any:
        # Formulaic hands the encoder its state only; the name of the factor travels in it.
        spec.encoder_state.setdefault(factor.expr, (factor.metadata.kind, {}))[1]["expr"] = factor.expr
        return super()._encode_evaled_factor(factor, spec, drop_rows, reduced_rank)

    def _learn(self, expr: str, factor: Factor, state: dict[str, Any]) -> Factor:
        own = factor.contrast if isinstance(factor, CodedFactor) else None
        factor = factor.drop_unused()
        if len(factor.levels) < 2:
            level = f"'{factor.levels[0]}'" if len(factor.levels) else "none"
            raise DataError(
                f"the factor '{expr}' has one level only ({level}) in the rows used; "
                "leave it out of the formula"
            )
        default: Contrasts = PolyContrasts() if factor.ordered else TreatmentContrasts()
        state["levels"] = factor.levels
        state["ordered"] = factor.ordered
        state["contrast"] = own or self.contrasts.get(expr) or default
        return factor

    def member_columns(self, spec: ModelSpec) -> dict[str, np.ndarray]:
        """Columns (n, k) of every factor of the terms by itself; a categorical one has one per level."""
        found: dict[str, np.ndarray] = {}
        for term in spec.formula:
            for factor in term.factors:
                if factor.eval_method.value == "literal" or factor.expr in found:
                    continue
                evaluated = self._evaluate_factor(factor, spec, set())
                encoded = self._encode_evaled_factor(evaluated, spec, [], reduced_rank=False)
                found[str(factor.expr)] = np.column_stack(list(encoded.values())).astype(np.float64)
        return found

    @override
    def _combine_columns(self, cols: Any, spec: Any, drop_rows: Any) -> np.ndarray:
        X = np.empty((self.rows, len(cols)))
        # Some rows at a time: whole columns of a wide matrix would each walk through all of memory.
        for start in range(0, self.rows, ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            for j, (_, values) in enumerate(cols):
                X[part, j] = values[part] if np.ndim(values) else values
        return X


def _shown(levels: np.ndarray) -> str:
    """Levels for a message; whole numbers as such."""
    whole = levels.dtype.kind == "f" and (levels == np.round(levels)).all()
    return ", ".join(f"{level:.0f}" if whole else str(level) for level in levels[:20])


def _conform(expr: str, factor: Factor, levels: np.ndarray) -> Factor:
    """Codes into the levels of the fit; a level that was not there is an error."""
    known = factor.recode(levels)
    unseen = np.flatnonzero((known.codes < 0) & (factor.codes >= 0))
    if len(unseen):
        names = list(dict.fromkeys(str(v) for v in factor.levels[factor.codes[unseen]]))
        shown = ", ".join(f"'{n}'" for n in names[:5]) + (" ..." if len(names) > 5 else "")
        what = "a level" if len(names) == 1 else "levels"
        difference = type_difference(factor, levels)
        raise DataError(
            f"the factor '{expr}' has {what} that the fit has not seen: {shown} (first at row {unseen[0]}); "
            f"levels known: {_shown(levels)}{'' if difference is None else '; ' + difference}"
        )
    return known
