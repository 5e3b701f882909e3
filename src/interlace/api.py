"""`lmer`, `lm` and `qdrg`: options are checked, then the rooms are called in order."""

from __future__ import annotations

import sys
from collections import ChainMap
from collections.abc import Mapping
from math import inf
from typing import Any, NoReturn

import numpy as np

from interlace.design.known import with_known
from interlace.design.rows import learn
from interlace.errors import DataError, shown
from interlace.estimation.capacity import check_room
from interlace.estimation.far import warn_if_far
from interlace.estimation.fit import Fit, fit
from interlace.estimation.ols import check_columns_room, least_squares
from interlace.formula.parser import parse, parse_fixed, parse_linear
from interlace.hints import refuse_unknown
from interlace.inference.given_fit import given_fit
from interlace.kernel import blas_threads, thread_count
from interlace.model import LinearMixedModel
from interlace.model.choice import Choice, covariance_kind
from interlace.model.given import GivenModel
from interlace.model.least import LinearModel
from interlace.model.with_absorbed import model_of
from interlace.options import word
from interlace.precision.small_sample import SmallSample, small_sample
from interlace.precision.unidentified import warn_if_unidentified

NA_ACTIONS = ("drop", "error")
OPTIONS = ("formula", "data", "reml", "weights", "offset", "contrasts", "na_action", "n_jobs", "known")
SINGLETONS = ("keep", "drop")
LM_OPTIONS = (
    "formula", "data", "vcov", "cluster", "ssc", "weights", "offset", "contrasts", "singletons", "na_action",
    "n_jobs",
)  # fmt: skip
GIVEN_OPTIONS = ("formula", "data", "coef", "vcov", "df", "sigma", "weights", "contrasts", "na_action")


def lmer(
    formula: str,
    data: Any,
    *,
    reml: bool = True,
    weights: Any = None,
    offset: Any = None,
    contrasts: Mapping[str, Any] | None = None,
    na_action: str = "drop",
    n_jobs: int | None = None,
    known: Mapping[str, Any] | None = None,
    **unknown: NoReturn,
) -> LinearMixedModel:
    """Fit a linear mixed-effects model.

    The model is `y = X beta + offset + Z b + e` with `b ~ N(0, sigma^2 Lambda(theta) Lambda(theta)')` and
    `e ~ N(0, sigma^2 / w)`, independent.

    Parameters
    ----------
    formula : str
        A formula of lme4: ``"y ~ x + (1 + x | g)"``. Functions of the caller's scope can be used in it.
        Factors after a bar outside parentheses are absorbed: ``"y ~ x + (1 | worker) | firm + year"``. Their
        levels are fixed effects of which no column is made, and `m.absorbed()` has their estimates.
    data : table
        pandas, polars or pyarrow, anything narwhals reads, a mapping of arrays; or rows that are read in
        chunks: paths of Parquet or CSV files, lazy tables, and what `interlace.chunks` makes.
    reml : bool
        True: restricted maximum likelihood. False: maximum likelihood.
    weights : str or array-like, optional
        Prior weights, positive: a column name or a value per row.
    offset : str or array-like, optional
        Known part of the mean, added to that of `offset(...)` in the formula.
    contrasts : mapping, optional
        Coding of factors, in the fixed and in the random part: ``{"a": "sum"}``.
    na_action : {"drop", "error"}
        Leave out rows with missing values (the summary counts them), or refuse them.
    n_jobs : int, optional
        Threads at most, here and in all that is computed from the model; -1: one per processor. Without it,
        as many as the BLAS of the process was given (OMP_NUM_THREADS, OPENBLAS_NUM_THREADS, threadpoolctl);
        never more than those. Only large factorisations are shared between threads.
    known : mapping, optional
        Covariances between the levels of grouping factors, known up to a factor that is estimated:
        ``{"id": K}`` makes ``Var(b) = sigma^2 K x T T'`` for the effects of ``(... | id)``, where
        independent levels have I. K is a DataFrame with the levels as index and columns, a pair
        (matrix, labels) with an array or a scipy sparse matrix, or `interlace.Precision(Q, labels)` for its
        sparse inverse. The levels of the model are those of K in its order; some may have no data, and get
        predictions all the same.

    Returns
    -------
    LinearMixedModel

    Raises
    ------
    FormulaError, DataError, ModelError, ConvergenceError
        All are `interlace.errors.InterlaceError`; the message says what is wrong and what to do next.
    TypeError
        For an option that is not there, with the ones that are.

    Examples
    --------
    >>> import interlace
    >>> sleepstudy = interlace.datasets.load("sleepstudy")
    >>> model = interlace.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
    >>> print(model.fixef.round(3).to_string())
    Intercept    251.405
    Days          10.467
    """
    refuse_unknown("lmer", unknown, OPTIONS)
    _check(formula, reml, na_action)
    na_action = word("na_action", na_action, NA_ACTIONS)
    scope = _caller_scope()
    learnt = {"weights": weights, "offset": offset, "contrasts": contrasts, "na_action": na_action}
    fitted = fit_formula(formula, data, reml=reml, n_jobs=n_jobs, context=scope, known=known, **learnt)
    return model_of(fitted, data_name=_name_of(data, scope))


def lm(
    formula: str,
    data: Any,
    *,
    vcov: str | None = None,
    cluster: Any = None,
    ssc: SmallSample | Mapping[str, Any] | None = None,
    weights: Any = None,
    offset: Any = None,
    contrasts: Mapping[str, Any] | None = None,
    singletons: str = "keep",
    na_action: str = "drop",
    n_jobs: int | None = None,
    **unknown: NoReturn,
) -> LinearModel:
    """Fit a linear model by least squares, with factors of any number of levels absorbed.

    The model is `y = X beta + offset + D a + e` with `e ~ N(0, sigma^2 / w)`, independent. D has a column for
    each level of the factors after the bar; it is never made.

    Parameters
    ----------
    formula : str
        ``"y ~ x1 + x2"``, or ``"y ~ x1 + x2 | firm + year"`` with absorbed factors after the bar: columns of
        the data, ``a:b`` or ``a^b`` for their combinations, ``a[x]`` for an intercept and a slope of x in
        each level, ``a[[x]]`` for the slope alone.
    data : table
        As for `lmer`, in memory.
    vcov : {"iid", "HC0", "HC1", "HC2", "HC3", "CR1", "CR3"}, optional
        Covariance of the coefficients: of independent errors with one variance (as without it), robust to
        unequal variances (MacKinnon and White 1985), or to any dependence within clusters: fixest's CR1,
        which is what clusters mean without `vcov`, and the jackknife CR3.
    cluster : str or array-like, or several in a list, optional
        A column of the data, of the model or not, or values per row. Several make covariances of several ways
        (Cameron, Gelbach and Miller 2011).
    ssc : SmallSample or mapping, optional
        Small-sample corrections of HC1 and CR1, from `interlace.ssc`.
    weights, offset, contrasts, na_action
        As for `lmer`.
    singletons : {"keep", "drop"}
        Leave out rows that are the only ones of a level of an absorbed factor, until there are none; the
        summary counts them. They say nothing of the coefficients.
    n_jobs : int, optional
        Threads at most; the numbers do not depend on it.

    Returns
    -------
    LinearModel

    Raises
    ------
    FormulaError, DataError, ModelError, ConvergenceError
        All are `interlace.errors.InterlaceError`; the message says what is wrong and what to do next.

    Warns
    -----
    RankDeficiencyWarning
        Columns depend on others, or do not vary within the levels of the absorbed factors: they are dropped,
        and named.

    Examples
    --------
    >>> import interlace
    >>> machines = interlace.datasets.load("machines")
    >>> model = interlace.lm("score ~ Machine | Worker", machines, cluster="Worker")
    >>> print(model.coef_table()[["estimate", "se", "df"]].round(3))
                  estimate     se   df
    Machine[T.B]     7.967  2.468  5.0
    Machine[T.C]    13.917  1.570  5.0
    """
    refuse_unknown("lm", unknown, LM_OPTIONS)
    if not isinstance(formula, str):
        raise DataError(f"the formula must be text such as 'y ~ x | f', not {type(formula).__name__}")
    kind, small = covariance_kind(vcov, cluster), small_sample(ssc)
    scope, threads = _caller_scope(), thread_count(n_jobs)
    learnt = {
        "weights": weights,
        "offset": offset,
        "contrasts": contrasts,
        "na_action": word("na_action", na_action, NA_ACTIONS),
        "singletons": word("singletons", singletons, SINGLETONS),
    }
    encoding, rows = learn(parse_linear(formula), data, context=scope, room=check_room, **learnt)
    check_columns_room(encoding, rows)
    fitted = least_squares(encoding, rows, threads)
    return LinearModel(fitted, Choice(fitted, kind, cluster, small), data_name=_name_of(data, scope))


def qdrg(
    formula: str,
    data: Any,
    coef: Any,
    vcov: Any,
    df: float | None = None,
    *,
    sigma: float | None = None,
    weights: Any = None,
    contrasts: Mapping[str, Any] | None = None,
    na_action: str = "drop",
    **unknown: NoReturn,
) -> GivenModel:
    """Marginal means, contrasts and slopes of coefficients that were fitted elsewhere.

    The name is that of R's emmeans: a "quick and dirty reference grid". Nothing is fitted here.

    Parameters
    ----------
    formula : str
        Of the fixed part, ``"y ~ A * x"``; a response is not needed, ``"~ A * x"``.
    data : table
        The rows of that fit, as for `lmer`: from them come the levels of factors, the means of covariates,
        and what transforms have learnt.
    coef : array-like, or with names
        A coefficient for each column of X. With names (a pandas Series, a mapping) the order is free, and
        names may be those of statsmodels and patsy or of R, "A[T.b]" or "Ab". Without names they are in the
        order of the columns here: terms by the number of their variables, in the order of the formula. NaN or
        left out: a column that depends on others.
    vcov : array-like, (p, p), or with names
        Their covariance, in the order of `coef`, or by its own names.
    df : float, optional
        Degrees of freedom of all tests; normal ones without it.
    sigma : float, optional
        Residual standard deviation, for bias adjustments.
    weights : str or array-like, optional
        Prior weights: they count in weighted means.
    contrasts : mapping, optional
        Coding of factors in that fit, as for `lmer`.
    na_action : {"drop", "error"}
        What becomes of rows with missing values.

    Returns
    -------
    GivenModel
        With `emmeans`, `emtrends` and `joint_tests` as a fitted model; as an `EMMeans` it is that of all
        combinations of levels.

    Raises
    ------
    FormulaError, DataError
        Lengths or names do not fit the columns that the formula makes, or `vcov` is no covariance matrix.

    Examples
    --------
    >>> import numpy as np
    >>> import interlace
    >>> machines = interlace.datasets.load("machines")
    >>> fit = {"Intercept": 52.356, "Machine[T.B]": 7.967, "Machine[T.C]": 13.917}
    >>> V = 1.5 * (np.eye(3) + 1)
    >>> model = interlace.qdrg("score ~ Machine", machines, fit, V, df=10)
    >>> model.emmeans("Machine").frame["estimate"].round(3).tolist()
    [52.356, 60.323, 66.273]
    """
    refuse_unknown("qdrg", unknown, GIVEN_OPTIONS)
    if not isinstance(formula, str):
        raise DataError(f"the formula must be text such as 'y ~ A * x', not {type(formula).__name__}")
    learnt = {
        "weights": weights,
        "contrasts": contrasts,
        "na_action": word("na_action", na_action, NA_ACTIONS),
    }
    _, rows = learn(parse_fixed(formula), data, context=_caller_scope(), room=check_room, **learnt)
    return GivenModel(*given_fit(rows, coef, vcov, df, sigma))


def fit_formula(
    formula: str,
    data: Any,
    *,
    reml: bool,
    n_jobs: int | None,
    context: Mapping[str, Any],
    known: Mapping[str, Any] | None = None,
    **learnt: Any,
) -> Fit:
    """The fit of a formula whose names are columns of the data, the documented functions, and `context`."""
    threads = thread_count(n_jobs)
    with blas_threads(inf, threads):
        _, rows = learn(parse(formula), data, context=context, room=check_room, **learnt)
        rows = with_known(rows, known)
        fitted = fit(rows.encoding, rows, reml=reml, n_jobs=threads)
    warn_if_unidentified(fitted)
    warn_if_far(fitted)
    return fitted


def _check(formula: object, reml: object, na_action: object) -> None:
    if not isinstance(formula, str):
        raise DataError(f"the formula must be text such as 'y ~ x + (1 | g)', not {type(formula).__name__}")
    if not isinstance(reml, bool | np.bool_):
        raise DataError(f"reml must be True (REML) or False (maximum likelihood), not {shown(reml)}")
    if isinstance(na_action, str) and na_action.lower().removeprefix("na.") in ("omit", "exclude"):
        raise DataError(
            f"na_action {shown(na_action)} is written na_action='drop' here: rows with gaps are left out"
        )


def _caller_scope() -> ChainMap[str, Any]:
    """What the code that called `lmer` can see: its local names before its global ones."""
    frame = sys._getframe(2)
    return ChainMap(frame.f_locals, frame.f_globals)


def _name_of(data: object, scope: ChainMap[str, Any]) -> str:
    """The variable that holds the data, for the line "Data:" of a summary; "" when there is none."""
    for names in scope.maps:
        for name, value in list(names.items()):
            if value is data and not name.startswith("_"):
                return name
    return ""
