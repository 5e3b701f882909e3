"""Each term that may be left out by itself: an F test, or a likelihood ratio against the model without it."""

from __future__ import annotations

import warnings

import numpy as np

from interlace.arrays import Array
from interlace.design.without import Without
from interlace.errors import DataError, RankDeficiencyWarning
from interlace.estimation import likelihood
from interlace.estimation.any_fit import AnyFit
from interlace.estimation.fit import Fit
from interlace.inference.anova import f_table
from interlace.inference.estimates import chi2_p_value
from interlace.inference.hypotheses import difference, type1
from interlace.inference.terms import Term, Terms
from interlace.options import word
from interlace.precision.df import DdfLike, DdfMethod, VcovLike, ddf_method
from interlace.precision.robust import robust_choice
from interlace.precision.unidentified import Resting, no_tests
from interlace.precision.wald import Ddf
from interlace.tables.table import Table

TESTS = ("F", "lrt")


def method(test: str, ddf: DdfLike | None, vcov: VcovLike) -> DdfMethod | None:
    """What F tests need to know of the coefficients; None for likelihood ratios.

    Raises
    ------
    DataError
        An option that is not known, or options that do not go together.
    """
    if word("test", test, TESTS) == "F":
        return ddf_method("satterthwaite" if ddf is None else ddf, vcov)
    if ddf is not None or robust_choice(vcov) is not None:
        raise DataError(
            "a likelihood ratio has neither denominator degrees of freedom nor a covariance: leave ddf and "
            "vcov out, or use test='F'"
        )
    return None


def droppable(terms: Terms) -> tuple[Term, ...]:
    """The terms that no other term has all members of."""
    return tuple(term for term in terms.tested if not terms.relatives(term))


def drop1_f(fit: AnyFit, ddf: Ddf) -> Table:
    """F tests of the model without the term within the model."""
    terms = Terms.of(fit)
    without = Without(fit.rows)
    L = {term.label: hypothesis(fit, terms, term, without) for term in droppable(terms)}
    heading = f"Single term deletions with {ddf.name} degrees of freedom"
    return f_table(fit, ddf, L, heading)


def hypothesis(fit: AnyFit, terms: Terms, term: Term, without: Without) -> Array:
    """The coefficients of the term, unless other columns of X can stand in for some of them."""
    if len(terms.tested) == 1 and not fit.dropped:
        return type1(fit, terms, [term])[term.label]
    if not fit.dropped and without.columns(term.label) is not None:
        return np.eye(fit.solution.beta.size)[list(term.columns)]
    return difference(fit, without.term(term.label))


def drop1_lrt(fit: AnyFit) -> Table:
    """Likelihood ratios of fits by maximum likelihood; `<none>` is the model itself."""
    full = fit.by(reml=False)
    p, ll = full.solution.beta.size, full.loglik
    smaller_ll: dict[str, float] = {}
    rows = [(np.nan, likelihood.aic(full), np.nan, np.nan)]
    labels = ["<none>"]
    terms, without = Terms.of(fit), Without(fit.rows)
    resting, untold = _resting(fit)
    for term in droppable(terms):
        tested = hypothesis(fit, terms, term, without)
        # a term that the others replace: without it the model is the same
        smaller = _by_ml(full, without, term.label) if len(tested) else full
        smaller_ll[term.label] = smaller.loglik
        df = p - smaller.solution.beta.size
        lrt = float(likelihood.likelihood_ratio(ll, smaller_ll[term.label]))
        if resting.weights and resting.rows(tested).any():
            lrt = np.nan
        p_value = float(chi2_p_value(lrt, df)) if df else np.nan
        rows.append((float(df), likelihood.aic(smaller), lrt, p_value))
        labels.append(term.label)
    likelihood.warn_if_lower(ll, smaller_ll)
    refitted = "the model was fitted by REML, and refitted by maximum likelihood for this table"
    return Table.of_rows(
        rows,
        ["df", "aic", "lrt", "p"],
        labels,
        heading="Single term deletions, likelihood ratios of fits by maximum likelihood",
        note=[refitted] * fit.reml + [untold] * bool(untold),
        name="term",
    )


def _resting(fit: AnyFit) -> tuple[Resting, str]:
    """What rests on variances that the data do not tell, and what is said of it; nothing in least squares."""
    if not isinstance(fit, Fit):
        return Resting(np.zeros((0, 0)), (), ()), ""
    resting = Resting.of(fit)
    return resting, no_tests(fit) if resting.weights else ""


def _by_ml(full: AnyFit, without: Without, label: str) -> AnyFit:
    """The model without a term: from the products of the model where it has some of its columns."""
    rows, columns = without.term(label), without.columns(label)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RankDeficiencyWarning)  # it was given when the model was fitted
        if columns is None or not isinstance(full, Fit):
            return full.of_model(rows.encoding, rows)
        return full.of_columns(rows, columns)
