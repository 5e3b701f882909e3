"""`compare`, `aic_table`, `compare_cv` and `bootstrap_compare`: several models at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from interlace.errors import DataError
from interlace.estimation.beside_levels import ROWS_LEAVE, refuse_absorbed
from interlace.estimation.fit import Fit
from interlace.estimation.likelihood import n_parameters
from interlace.hints import answers_options
from interlace.model import LinearMixedModel
from interlace.model.least import LinearModel
from interlace.options import SCORES, labels
from interlace.refitting import bootstrap_compare as bootstrap
from interlace.refitting import compare as tables
from interlace.refitting import compare_cv as cross_validated
from interlace.refitting.bootstrap_compare import BootstrapComparison
from interlace.tables.table import Table


@answers_options
def compare(
    *models: LinearMixedModel | LinearModel, refit: bool = True, names: Sequence[str] | None = None
) -> Table:
    """Likelihood-ratio tests of nested models of the same data, as lme4's `anova(m1, m2, ...)`.

    Each model is tested against the one before it, by number of parameters. Whether they are nested is for
    the caller to know.

    Parameters
    ----------
    *models : LinearMixedModel or LinearModel
    refit : bool
        True: models fitted by REML are fitted again by maximum likelihood first, and the column `criterion`
        says so. False: the likelihoods are compared as they are; by REML only with the same fixed part.
    names : sequence of str, optional
        Names of the rows; "m1", "m2", ... in the order given otherwise.

    Returns
    -------
    DataFrame
        Columns `npar, aic, bic, loglik, deviance, lrt, df, p, criterion, formula`.

    Raises
    ------
    DataError
        Fewer than two models, or models of different rows, responses or weights, or of offsets whose
        difference the larger model does not explain.
    ModelError
        With `refit=False`: REML beside ML, or REML fits with different fixed parts.

    Examples
    --------
    >>> import interlace
    >>> sleepstudy = interlace.datasets.load("sleepstudy")
    >>> small = interlace.lmer("Reaction ~ Days + (1 | Subject)", sleepstudy)
    >>> large = interlace.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
    >>> interlace.compare(small, large)
    Likelihood-ratio tests, each model against the one before
    m1: Reaction ~ Days + (1 | Subject)
    m2: Reaction ~ Days + (Days | Subject)
       npar    aic    bic  loglik deviance    lrt df         p     criterion
    m1    4 1802.1 1814.8 -897.04   1794.1                     ML (refitted)
    m2    6 1763.9 1783.1 -875.97   1751.9 42.139  2 7.072e-10 ML (refitted)
    fitted by REML, and refitted by maximum likelihood for this table: m1, m2
    """
    return tables.compare(_named(models, names), refit=refit)


@answers_options
def aic_table(
    *models: LinearMixedModel, by: str = "aic", refit: bool = True, names: Sequence[str] | None = None
) -> Table:
    """Models of the same data by an information criterion, best first; they need not be nested.

    Parameters
    ----------
    *models : LinearMixedModel
    by : {"aic", "aicc", "bic"}
        What `delta` and `weight` are made of.
    refit, names
        As for `compare`.

    Returns
    -------
    DataFrame
        Columns `npar, loglik, aic, aicc, bic, delta, weight, criterion, formula`; the weights are
        `exp(-delta / 2)`, scaled to sum to one.
    """
    return tables.aic_table(_named(models, names), by=by, refit=refit)


@answers_options
def bootstrap_compare(
    small: LinearMixedModel,
    large: LinearMixedModel,
    *,
    n: int = 1000,
    seed: int | None = None,
    n_jobs: int = 1,
    progress: bool | None = None,
) -> BootstrapComparison:
    """Likelihood-ratio test with a null distribution drawn from the smaller model: pbkrtest's `PBmodcomp`.

    Parameters
    ----------
    small, large : LinearMixedModel
        `small` must be nested in `large`; the one with fewer parameters is taken for it, in whatever order
        they are given. REML fits are refitted by maximum likelihood.
    n : int
        Number of simulated responses.
    seed : int, optional
        The same seed gives the same numbers for any number of workers.
    n_jobs : int
        Number of threads; -1 for one per processor.
    progress : bool, optional
        Show a bar; by default only where a person watches.

    Returns
    -------
    BootstrapComparison
        `table` has the chi-square test, the bootstrap test and the approximations of pbkrtest's summary; `p`
        is the bootstrap p-value, `p_all` the one to use when a variance is tested; `reference` has the draws.
    """
    b, a = sorted((_fit(small), _fit(large)), key=n_parameters)
    return bootstrap.bootstrap_compare(a, b, n=n, seed=seed, n_jobs=n_jobs, progress=progress)


@answers_options
def compare_cv(
    models: Sequence[LinearMixedModel] | Mapping[str, LinearMixedModel],
    by: Any = None,
    *,
    k: Any = None,
    repeats: int = 1,
    scores: Any = SCORES,
    seed: Any = None,
    n_jobs: int = 1,
    transforms: str = "fold",
    progress: bool | None = None,
    names: Sequence[str] | None = None,
) -> Table:
    """Models of the same rows by their predictions of the same folds; they need not be nested.

    Parameters
    ----------
    models : sequence of LinearMixedModel
        Or a mapping from names to models.
    by, k, repeats, scores, seed, n_jobs, transforms, progress
        As for `LinearMixedModel.cross_validate`; groups are looked up in the first model.
    names : sequence of str, optional
        Names of the models; "m1", "m2", ... otherwise.

    Returns
    -------
    DataFrame
        A row for each score and model with columns `model, estimate, se, difference, se_difference`: the
        difference from the first model, and its standard error, from the differences of the groups (or rows)
        that were predicted.

    Raises
    ------
    DataError
        Fewer than two models, or models of different rows or responses.

    Examples
    --------
    >>> import interlace
    >>> sleepstudy = interlace.datasets.load("sleepstudy")
    >>> small = interlace.lmer("Reaction ~ 1 + (Days | Subject)", sleepstudy)
    >>> large = interlace.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
    >>> interlace.compare_cv([small, large], by="Subject", scores=["rmse", "elpd"])
    Cross-validation: each of the 18 groups of 'Subject' held out
         model estimate       se difference se_difference
    rmse m1      70.391    6.823
    rmse m2      49.604    6.219    -20.787        7.0880
    elpd m1    -901.621   30.124
    elpd m2    -891.335   29.758     10.286        3.1588
    differences from m1; standard errors from 18 groups of 'Subject'
    """
    if isinstance(models, Mapping):
        if names is not None:
            raise DataError("the mapping names the models already: leave names out")
        names, models = list(map(str, models)), list(models.values())
    if isinstance(models, LinearMixedModel) or not isinstance(models, Sequence):
        raise DataError("compare_cv takes a list of models: interlace.compare_cv([m1, m2], by=...)")
    fits = _named(models, names, _fit)
    for fit in fits.values():
        refuse_absorbed(fit.encoding, "compare_cv", ROWS_LEAVE)
    return cross_validated.compare_cv(
        fits,
        by=by,
        k=k,
        repeats=repeats,
        seed=seed,
        scores=scores,
        n_jobs=n_jobs,
        transforms=transforms,
        progress=progress,
    )


def _named(
    models: Sequence[LinearMixedModel | LinearModel],
    names: Sequence[str] | None,
    fit_of: Callable[[Any], Fit] | None = None,
) -> dict[str, Fit]:
    given = tuple(f"m{i + 1}" for i in range(len(models))) if names is None else labels("names", names)
    if len(given) != len(models) or len(set(given)) != len(given):
        raise DataError(f"{len(models)} models need as many different names, not {list(given)}")
    return {label: (fit_of or _any_fit)(model) for label, model in zip(given, models, strict=True)}


def _any_fit(model: LinearMixedModel | LinearModel) -> Fit:
    if isinstance(model, LinearModel):
        return cast(Fit, model.fit)  # a comparison asks nothing that it does not answer
    return _fit(model)


def _fit(model: LinearMixedModel) -> Fit:
    if not isinstance(model, LinearMixedModel):
        raise DataError(f"models fitted by interlace.lmer can be compared, not {type(model).__name__}")
    return model.fit
