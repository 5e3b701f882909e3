"""`lmer`, `lm` and `qdrg`: options are checked, then the rooms are called in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from interlace.callers import caller_scope, name_of
from interlace.design.design import Source
from interlace.design.foreign import ACCEPTED
from interlace.design.learning_rows import learn
from interlace.errors import DataError, shown
from interlace.estimation.capacity import check_room
from interlace.estimation.solver import PROBES, Solver
from interlace.formula.parser import parse_fixed
from interlace.hints import refuse_unknown
from interlace.inference import given_fit
from interlace.model import LinearMixedModel, given, least
from interlace.model.choice import Choice, covariance_kind, plain_choice
from interlace.model.with_absorbed import model_of
from interlace.options import word
from interlace.precision.small_sample import SmallSample, small_sample
from interlace.progress import working
from interlace.refitting.specification import NA_ACTIONS, LinearSpecification, MixedSpecification

if TYPE_CHECKING:
    from interlace.model.given import GivenModel
    from interlace.model.least import LinearModel

OPTIONS = (
    "formula", "data", "reml", "weights", "offset", "contrasts", "na_action", "n_jobs", "known", "solver",
    "probes", "seed",
)  # fmt: skip
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
    solver: str = "auto",
    probes: int = PROBES,
    seed: int = 1,
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
        chunks: paths of Parquet or CSV files, lazy tables, a function that opens a
        `pyarrow.RecordBatchReader`, a pair of a DuckDB connection and a query, and what `interlace.chunks`
        makes.
    reml : bool
        True: restricted maximum likelihood. False: maximum likelihood.
    weights : str or array-like, optional
        Prior weights, positive: a column name or a value per row.
    offset : str or array-like, optional
        Known part of the mean, added to that of `offset(...)` in the formula.
    contrasts : mapping, optional
        Coding of factors, in the fixed and in the random part: ``{"a": "sum"}``.
    na_action : {"drop", "exclude", "error"}
        Leave out rows with missing values (the summary counts them), or refuse them. With "exclude" answers
        for each row (`fitted`, `residuals()`, `predict()`, `leverage()`, `simulate()`, ...) have a row for
        each row of the data, missing (null, and NaN in pandas and arrays) where one was left out.
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
    solver : {"auto", "exact", "iterative"}
        How the system of the random effects is solved. "exact": by a Cholesky factor. "iterative", for
        crossed factors with so many levels that there is no room or time for it: by conjugate gradients, with
        log determinants and traces estimated from random vectors (Kündig and Sigrist 2025). All estimates
        then have a Monte Carlo error, which `m.monte_carlo()` reports, and what rests on the factor is
        refused. "auto": exact, unless the factor does not fit in memory or would take hours.
    probes : int
        Number of these vectors: four times as many halve the Monte Carlo error.
    seed : int
        What they are drawn by; the same seed gives the same numbers, whatever `n_jobs` is.

    Returns
    -------
    LinearMixedModel
        An `IterativeModel` where there is no factor.

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
    if unknown:
        refuse_unknown("lmer", unknown, OPTIONS)
    _check(formula, na_action, data)
    scope = caller_scope()
    asked = MixedSpecification(
        Source(data),
        weights=weights,
        offset=offset,
        contrasts=contrasts,
        na_action=word("na_action", na_action, NA_ACTIONS),
        n_jobs=n_jobs,
        context=scope,
        data_name=name_of(data, scope),
        reml=reml,
        known=known,
        solver=Solver.of(solver, probes, seed),
    )
    with working("lmer"):
        return model_of(asked.fit(formula), asked)


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
        As for `lmer`; absorbed factors, clusters and the covariances HC0 to CR3 need a table in memory.
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
    _check_formula(formula, "y ~ x | f")
    _check(formula, na_action, data)
    vcov, cluster = plain_choice(vcov, cluster)
    kind, small = covariance_kind(vcov, cluster), small_sample(ssc)
    scope = caller_scope()
    asked = LinearSpecification(
        Source(data),
        weights=weights,
        offset=offset,
        contrasts=contrasts,
        na_action=word("na_action", na_action, NA_ACTIONS),
        n_jobs=n_jobs,
        context=scope,
        data_name=name_of(data, scope),
        singletons=singletons,
    )
    with working("lm"):
        fitted = asked.fit(formula)
    return least.LinearModel(fitted, Choice(fitted, kind, cluster, small), asked)


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
    _check_formula(formula, "y ~ A * x")
    learnt = {
        "weights": weights,
        "contrasts": contrasts,
        "na_action": word("na_action", na_action, ("drop", "error")),
    }
    _, rows = learn(parse_fixed(formula), data, context=caller_scope(), room=check_room, **learnt)
    return given.GivenModel(*given_fit.given_fit(rows, coef, vcov, df, sigma))


def _check_formula(formula: object, such_as: str) -> None:
    if not isinstance(formula, str):
        order = "; it comes first, and the data after it" if hasattr(formula, "columns") else ""
        raise DataError(f"the formula must be text such as '{such_as}', not {type(formula).__name__}{order}")


def _check(formula: object, na_action: object, data: object) -> None:
    _check_formula(formula, "y ~ x + (1 | g)")
    if data is None:
        raise DataError(f"the data are None; {ACCEPTED}")
    if isinstance(na_action, str) and na_action.lower().removeprefix("na.") == "omit":
        raise DataError(
            f"na_action {shown(na_action)} is written na_action='drop' here: rows with gaps are left out"
        )
