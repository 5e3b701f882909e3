"""What a model was asked to be: the options that it was fitted with, to fit another with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from interlace.callers import caller_scope, name_of
from interlace.design.design import Source
from interlace.design.known import with_known
from interlace.design.learning_rows import learn
from interlace.design.rows import Rows
from interlace.errors import DataError, ModelError, shown
from interlace.estimation import ols, ols_chunks
from interlace.estimation.capacity import check_room
from interlace.estimation.far import warn_if_far
from interlace.estimation.first_sums import FirstSums
from interlace.estimation.fit import Fit, fit
from interlace.estimation.solver import DEFAULT, Solver
from interlace.formula.formula import Formula
from interlace.formula.parser import parse, parse_linear
from interlace.formula.updating import updated
from interlace.frozen import dataclass
from interlace.kernel import blas_threads, thread_count
from interlace.log import info
from interlace.options import KEPT, word
from interlace.precision.unidentified import warn_if_unidentified
from interlace.prediction.per_row import Handed

if TYPE_CHECKING:
    from interlace.estimation.ols_fit import LeastSquaresFit

NA_ACTIONS = ("drop", "exclude", "error")
SINGLETONS = ("keep", "drop")


@dataclass(frozen=True)
class Specification:
    """The data and the options of a model, without its formula.

    A pickle leaves the data and the caller's names behind.

    Attributes
    ----------
    source : Source
        The caller's table.
    weights, offset : str, array-like or None
    contrasts, known : mapping or None
    na_action : {"drop", "exclude", "error"}
    n_jobs : int or None
    context : mapping
        Where functions of a formula that are not in the library are looked up.
    data_name : str
        The variable that held the data; "" if none.
    refitted : bool
        Whether the response was given by `refit`, and is no column.
    at_once : bool
        Whether the data are read now, as the caller has them, and not later, as they were.
    """

    source: Source = field(default_factory=lambda: Source(None), repr=False)
    weights: Any = None
    offset: Any = None
    contrasts: Mapping[str, Any] | None = None
    na_action: str = "drop"
    n_jobs: int | None = None
    context: Mapping[str, Any] = field(default_factory=dict, repr=False)
    data_name: str = ""
    refitted: bool = False
    at_once: bool = True

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "context": {}}

    @property
    def data(self) -> Any:
        """The table as it was when the model was fitted.

        Raises
        ------
        DataError
            It is not here.
        """
        if self.source.then is None:
            raise DataError(
                "the data of the model are not here (a pickled or loaded model leaves them behind): give "
                "them by data="
            )
        return self.source.data if self.at_once else self.source.then

    def changed(self, **options: Any) -> Self:
        """With other options; `data` is a table."""
        if "data" in options:
            options |= {"source": Source(options.pop("data")), "at_once": True}
        if not options.keys() <= vars(self).keys():
            raise TypeError(f"there is no option {sorted(options.keys() - vars(self).keys())[0]}")
        made = object.__new__(type(self))
        vars(made).update(vars(self), **options)
        return made

    def handed(self, rows: Rows) -> Handed:
        """How values of rows are handed out: for the rows used, or for all with na_action="exclude"."""
        if self.na_action != "exclude":
            return Handed(rows.frame)
        return Handed.everyone(rows, self.data)

    def updated(self, old: Formula, formula: object, given: Mapping[str, Any]) -> tuple[str, Self]:
        """The text of a formula after a change of it, and the options with those that are given.

        Parameters
        ----------
        old : Formula
        formula : str
            As for `formula.updating.updated`.
        given : mapping
            Options by name; `KEPT` where one stays.

        Raises
        ------
        DataError, FormulaError, ModelError
        """
        if not isinstance(formula, str):
            raise DataError(f"the formula must be text such as '~ . + z', not {type(formula).__name__}")
        if self.refitted:
            raise ModelError(
                "this model was fitted to a response of m.refit(y), which is no column of the data: put the "
                "response into the data, and update the model that was fitted to them"
            )
        options = {name: value for name, value in given.items() if value is not KEPT}
        scope = caller_scope()
        if "data" in options:
            options["data_name"] = name_of(options["data"], scope)
        if "na_action" in options:
            options["na_action"] = word("na_action", options["na_action"], NA_ACTIONS)
        text = updated(old, formula).terse
        return text, self.changed(context=scope.new_child(dict(self.context)), **options)

    def _learnt(self) -> dict[str, Any]:
        return {
            "weights": self.weights,
            "offset": self.offset,
            "contrasts": self.contrasts,
            "na_action": "error" if word("na_action", self.na_action, NA_ACTIONS) == "error" else "drop",
            "context": self.context,
            "room": check_room,
            "source": self.source if self.at_once else None,
        }


@dataclass(frozen=True)
class MixedSpecification(Specification):
    """Of a linear mixed model.

    Attributes
    ----------
    reml : bool
    known : mapping or None
    solver : Solver
        How the system of the random effects is solved.
    """

    reml: bool = True
    known: Mapping[str, Any] | None = None
    solver: Solver = DEFAULT

    def fit(self, formula: str) -> Fit:
        """The fit of a formula whose names are columns of the data, the documented functions, and `context`.

        Raises
        ------
        FormulaError, DataError, ModelError
        """
        if not isinstance(self.reml, bool | np.bool_):
            raise DataError(f"reml must be True (REML) or False (maximum likelihood), not {shown(self.reml)}")
        threads = thread_count(self.n_jobs)
        started = perf_counter()
        with blas_threads(inf, threads):
            summing = FirstSums() if self.known is None else None
            _, rows = learn(parse(formula), self.data, summing=summing, **self._learnt())
            rows = with_known(rows, self.known)
            fitted = fit(rows.encoding, rows, reml=self.reml, n_jobs=threads, solver=self.solver)
        warn_if_unidentified(fitted)
        warn_if_far(fitted)
        info(
            "fitted %s: %d rows, %s, %d evaluations, %.3f s",
            formula, fitted.A.products.n, fitted.optimum.status, fitted.optimum.evaluations,
            perf_counter() - started,
        )  # fmt: skip
        return fitted

    def plain(self) -> LinearSpecification:
        """Of the model without random effects."""
        shared = {name: getattr(self, name) for name in Specification.__dataclass_fields__}
        return LinearSpecification(**shared)

    def without_known(self, formula: Formula) -> MixedSpecification:
        """Without covariances of levels of which the formula has no effects."""
        groups = {term.group for term in formula.random}
        known = {name: K for name, K in (self.known or {}).items() if name in groups}
        return replace(self, known=known or None)


@dataclass(frozen=True)
class LinearSpecification(Specification):
    """Of a linear model.

    Attributes
    ----------
    singletons : {"keep", "drop"}
    """

    singletons: str = "keep"

    def fit(self, formula: str) -> LeastSquaresFit:
        """The fit of a formula by least squares.

        Raises
        ------
        FormulaError, DataError, ModelError
        """
        threads = thread_count(self.n_jobs)
        kept = word("singletons", self.singletons, SINGLETONS)
        encoding, rows = learn(parse_linear(formula), self.data, singletons=kept, **self._learnt())
        ols.check_columns_room(encoding, rows)
        return ols_chunks.least_squares_of(encoding, rows, threads)
