"""Tests of the random part: each term, or each of its slopes, is dropped in turn."""

from __future__ import annotations

import numpy as np

from interlace.design.reduced import Reduction, without_block, without_columns, without_slopes
from interlace.errors import ModelError
from interlace.estimation.fit import Fit
from interlace.estimation.fit import fit as fit_model
from interlace.estimation.likelihood import likelihood_ratio, n_parameters, warn_if_lower
from interlace.inference.estimates import chi2_p_value
from interlace.options import word
from interlace.precision.unidentified import unidentified_line
from interlace.tables.table import Table

DROPS = {"slopes": without_slopes, "terms": lambda *model: [without_block(*model)]}
NOTE = (
    "a variance is not negative, so that the chi-square p is too large; p_mixture is of chi-squares with "
    "df - 1 and df, 50:50, where one variance is dropped"
)
NOT_NESTED = (
    "{label}: {stranger}, which is left, is no part of the larger term, so that the models are not nested "
    "and have no likelihood ratio; the whole term is dropped as well"
)
NOTHING = 1e-6  # a likelihood-ratio statistic below this is rounding error


def ranova(fit: Fit, *, drop: str = "slopes") -> Table:
    """Likelihood-ratio tests of random terms, by the criterion of the fit, as lmerTest's `ranova`.

    Parameters
    ----------
    drop : {"slopes", "terms"}
        "slopes": a term with slopes loses one slope at a time, and an intercept stays when the only slope
        goes, even in `(0 + x | g)` (lmerTest's `reduce.terms = TRUE`). A term with a structured correlation,
        `cs` or `ar1`, loses that, and leaves as a whole. "terms": each term leaves as a whole.

    Returns
    -------
    Table
        One row for the model, "<none>", and one for each smaller model: `npar, loglik, aic, lrt, df, p,
        p_mixture`. Where the intercept that stays is no combination of the columns of the term, as in
        `(0 + x | g)`, the models are not nested: `lrt, df` and both p are NaN, and a row for the model
        without the whole term follows. `p` is the tail of chi-square with `df` degrees of freedom. As a
        variance cannot be negative, the statistic is smaller than that under the null; where one variance is
        dropped (with its covariances), `p_mixture` is the tail of the 50:50 mixture of chi-squares with
        `df - 1` and `df` degrees of freedom. It is NaN where more than one variance is dropped: no simple
        mixture holds there.
    """
    smaller, fits, untested = _fitted(fit, reductions(fit, drop=drop))
    npar = np.array([n_parameters(fit), *(n for n, _, _ in fits)])
    told = np.array([fit.identification.n_parameters, *(n for _, n, _ in fits)])
    ll = np.array([fit.loglik, *(value for _, _, value in fits)])
    labels = ["<none>", *(r.label for r in smaller)]
    nested = np.array([False, *(not r.stranger for r in smaller)])
    warn_if_lower(ll[0], {labels[i]: float(ll[i]) for i in np.flatnonzero(nested)})
    lrt, df = likelihood_ratio(ll[0], ll), told[0] - told
    variances = np.array([0, *(r.variances for r in smaller)])
    criterion = "REML" if fit.reml else "maximum likelihood"
    strangers = [NOT_NESTED.format(label=r.label, stranger=r.stranger) for r in smaller if r.stranger]
    told_words = [] if fit.identification.complete else [f"{unidentified_line(fit)}: df count what they tell"]
    tested = nested & (df > 0)
    return Table.of(
        {
            "npar": npar,
            "loglik": ll,
            "aic": 2 * npar - 2 * ll,
            "lrt": np.where(nested, lrt, np.nan),
            "df": np.where(nested, df, np.nan),
            "p": np.where(tested, chi2_p_value(lrt, df), np.nan),
            "p_mixture": np.where(tested & (variances == 1), mixture_p_value(lrt, df), np.nan),
        },
        labels,
        heading=f"Single random term deletions, likelihood ratios by {criterion}",
        note=[NOTE, *strangers, *untested, *told_words],
    )


def reductions(fit: Fit, *, drop: str = "slopes") -> list[Reduction]:
    """The smaller models, as for `ranova`."""
    reduced = DROPS[word("drop", drop, DROPS)]
    rows = without_columns(fit.rows, fit.kept)
    return [r for i in range(len(rows.encoding.random)) for r in reduced(rows, i)]


_Facts = tuple[int, int, float]


def _fitted(fit: Fit, tried: list[Reduction]) -> tuple[list[Reduction], list[_Facts], list[str]]:
    """The smaller models, what `_likelihood` says of them, and words about those without a fit: independent
    effects may be residuals by another name."""
    smaller: list[Reduction] = []
    facts: list[_Facts] = []
    words: list[str] = []
    for reduction in tried:
        try:
            facts.append(_likelihood(fit, reduction))
        except ModelError as error:
            if reduction.variances:
                raise
            words.append(f"{reduction.label} has no test of its own: without it {error}")
        else:
            smaller.append(reduction)
    return smaller, facts, words


def mixture_p_value(lrt: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Tail of the 50:50 mixture of chi-squares with `df - 1` and `df` degrees of freedom.

    With 0 degrees of freedom a chi-square is a point mass at zero.
    """
    lower = np.where(df > 1, chi2_p_value(lrt, np.maximum(df - 1, 1)), 0.0)
    return np.where(lrt > NOTHING, (lower + chi2_p_value(lrt, df)) / 2, 1.0)


def _likelihood(fit: Fit, smaller: Reduction) -> _Facts:
    """Of a smaller model: number of parameters, of those of the random part that the data tell, and
    (restricted) log-likelihood."""
    if not smaller.rows.encoding.random:  # the linear model is the mixed model at theta = 0
        value = fit.criterion.value(np.zeros(fit.criterion.n_par))
        return fit.criterion.system.fixed_effects + 1, 0, -value / 2
    if smaller.chosen is None or fit.encoding.absorbed:
        reduced = fit_model(smaller.rows.encoding, smaller.rows, reml=fit.reml, n_jobs=fit.n_jobs)
    else:
        reduced = fit.of_blocks(smaller.rows, smaller.chosen)
    return n_parameters(reduced), reduced.identification.n_parameters, reduced.loglik
