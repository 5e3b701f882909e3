"""Tables with one row per term: F tests of types I, II and III; car's Wald tests of types II and III."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from interlace.arrays import Array
from interlace.errors import DataError
from interlace.estimation.any_fit import AnyFit
from interlace.frozen import dataclass
from interlace.inference.estimates import chi2_p_value, f_p_value
from interlace.inference.hypotheses import type1, type2, type3
from interlace.inference.terms import Terms
from interlace.options import labels, type_number, word
from interlace.precision.df import DdfLike, DdfMethod, VcovLike, ddf_method
from interlace.precision.wald import Ddf, scores, standardized
from interlace.tables.table import Table

TESTS = ("F", "wald", "chisq")
COLUMNS = ("sum_sq", "mean_sq", "num_df", "den_df", "F", "p")
SINGULAR = 1e-14  # share of a variance that others leave: below it the covariance has no inverse
_RATIOS = "likelihood ratios are m.drop1(test='lrt')"
_HYPOTHESES = {1: type1, 2: type2, 3: type3}


@dataclass(frozen=True, slots=True)
class Asked:
    """Which tests a table has: the type of the hypotheses, the test, and the terms (all if None)."""

    type: int
    test: str
    terms: tuple[str, ...] | None

    @classmethod
    def of(cls, type: int | str, test: str, terms: Sequence[str] | None) -> Asked:
        """From options.

        Raises
        ------
        DataError
            An option that is not known, or options that do not go together.
        """
        named = None if terms is None else _labels(terms)
        asked = cls(type_number(type), word("test", test, TESTS, elsewhere=_RATIOS), named)
        if asked.test != "F" and asked.type == 1:
            raise DataError("Wald tests are of type 2 or 3; use test='F' for type 1")
        return asked

    def method(self, ddf: DdfLike | None, vcov: VcovLike) -> DdfMethod:
        """What the tests need to know of the coefficients.

        Raises
        ------
        DataError
            Degrees of freedom were asked for where the test has none.
        """
        if self.test != "chisq":
            return ddf_method("satterthwaite" if ddf is None else ddf, vcov)
        if ddf is not None:
            raise DataError(
                "a chi-square test has no denominator degrees of freedom: leave ddf out (a robust covariance "
                "is asked for by vcov), or use test='F' or 'wald'"
            )
        return ddf_method("asymptotic", vcov)


def anova(fit: AnyFit, asked: Asked, ddf: Ddf) -> Table:
    """The table of `LinearMixedModel.anova`.

    Raises
    ------
    DataError
        A label that is no term.
    """
    return _TABLES[asked.test](fit, asked.type, ddf, asked.terms)


def hypotheses(fit: AnyFit, type: int, labels: tuple[str, ...] | None = None) -> dict[str, Array]:
    """For each term the matrix L, (rows, p), whose `L beta = 0` the row of the table tests."""
    terms = Terms.of(fit)
    return _HYPOTHESES[type](fit, terms, terms.select(labels))


def f_anova(fit: AnyFit, type: int, ddf: Ddf, labels: tuple[str, ...] | None = None) -> Table:
    """F tests of the terms."""
    roman = "I" * type
    heading = f"Type {roman} Analysis of Variance Table with {ddf.name} degrees of freedom"
    L = hypotheses(fit, type, labels)
    return f_table(fit, ddf, L, heading)


def f_table(fit: AnyFit, ddf: Ddf, L: Mapping[str, Array], heading: str) -> Table:
    """One F test per matrix of L; a row of NaN where nothing is left to test.

    The mean square is ``sigma^2`` times the Wald statistic per degree of freedom: F itself, save for
    Kenward-Roger's, whose F is scaled.
    """
    rows, notes = [], []
    for label, one in L.items():
        row, note = _f_row(fit, ddf, one)
        rows.append(row)
        notes += [f"{label}: {note}"] if note else []
    said = [ddf.note, *notes] if L else []
    return Table.of_rows(rows, COLUMNS, list(L), heading=heading, note=said, name="term")


def _f_row(fit: AnyFit, ddf: Ddf, L: Array) -> tuple[tuple[float, ...], str]:
    """The numbers of a row, and what must be said about it."""
    if not len(L) or np.isnan(L).any():
        return (np.nan,) * 6, ""
    t2 = scores(L, ddf.vcov, L @ fit.solution.beta)[1]
    if not t2.size:
        return (np.nan,) * 6, ""
    result = ddf.f_test(L)
    mean_sq = np.nan if np.isnan(ddf.se(L)).any() else fit.scale * float(t2.mean())
    p = float(f_p_value(result.F, result.num_df, result.den_df))
    return (mean_sq * result.num_df, mean_sq, result.num_df, result.den_df, result.F, p), result.note


def wald_anova(fit: AnyFit, type: int, ddf: Ddf, labels: tuple[str, ...] | None = None) -> Table:
    """F tests of the hypotheses of car's `Anova`; columns `num_df, den_df, F, p`."""
    heading = f"Analysis of Deviance Table (Type {'I' * type} Wald F tests with {ddf.name} df)"
    L = wald_hypotheses(fit, type, _known(ddf), labels)
    table = f_table(fit, ddf, L, heading)
    shown = {name: table[name].to_numpy() for name in COLUMNS[2:]}
    return Table.of(shown, table.index, heading=heading, note=table.note, name="term")


def chisq_anova(fit: AnyFit, type: int, ddf: Ddf, labels: tuple[str, ...] | None = None) -> Table:
    """Wald chi-square tests of the hypotheses of car's `Anova`, by the covariance of `ddf`.

    NaN where that has no inverse, as a robust one from too few clusters.
    """
    rows, notes = [], [ddf.note]
    found = wald_hypotheses(fit, type, _known(ddf), labels)
    for label, L in found.items():
        df, statistic = len(L), _wald(L, ddf)
        rows.append((statistic, float(df), float(chi2_p_value(statistic, df)) if df else np.nan))
        if df and np.isnan(statistic):
            notes.append(f"{label}: no test, for the covariance of its coefficients has no inverse")
    heading = f"Analysis of Deviance Table (Type {'I' * type} Wald chi-square tests)"
    return Table.of_rows(rows, ["chisq", "df", "p"], list(found), heading=heading, note=notes, name="term")


_TABLES = {"F": f_anova, "wald": wald_anova, "chisq": chisq_anova}


def wald_hypotheses(
    fit: AnyFit, type: int, vcov: Array, labels: tuple[str, ...] | None = None
) -> dict[str, Array]:
    """For each term the matrix L of car's `Anova`, (rows, p).

    Type II: the term after all others but those it is marginal to (covariates count as any other variable):
    its coefficients, uncorrelated with theirs (NaN where `vcov` has no inverse). Type III: the coefficients
    of the term, in the coding of the model.
    """
    terms, eye = Terms.of(fit), np.eye(fit.solution.beta.size)
    found: dict[str, Array] = {}
    for term in terms.select(labels):
        own = eye[list(term.columns)]
        others = [j for other in terms.relatives(term) for j in other.columns] if type == 2 else []
        found[term.label] = own - _predicted(vcov, list(term.columns), others) @ eye[others]
    return found


def _predicted(vcov: Array, own: list[int], others: list[int]) -> Array:
    """Coefficients of the regression of the estimates `own` on the estimates `others`; NaN if their
    covariance has no inverse."""
    order = others + own
    C = _correlation_root(vcov[np.ix_(order, order)])
    se, k = standardized(vcov)[1], len(others)
    slopes = np.linalg.solve(C[:k, :k].T, C[k:, :k].T).T
    return slopes * se[own][:, None] / se[others]


def _correlation_root(V: Array) -> Array:
    """Lower triangular root of the correlations of V; NaN if V has no inverse."""
    if np.isnan(V).any():
        return np.full(V.shape, np.nan)
    try:
        C = np.linalg.cholesky(standardized(V)[0])
    except np.linalg.LinAlgError:
        return np.full(V.shape, np.nan)
    return C if np.diagonal(C).min(initial=1.0) ** 2 > SINGULAR else np.full(V.shape, np.nan)


def _wald(L: Array, ddf: Ddf) -> float:
    """``(L beta)' (L vcov L')^-1 L beta``; NaN where nothing is left to test or there is no inverse."""
    if not len(L) or np.isnan(L).any():
        return np.nan
    test = ddf.f_test(L)
    return test.F * test.num_df if test.num_df == len(L) else np.nan


def _known(ddf: Ddf) -> Array:
    """The covariance of beta; NaN for coefficients without a standard error."""
    gone = np.isnan(ddf.se(np.eye(len(ddf.vcov))))
    return np.where(gone[:, None] | gone, np.nan, ddf.vcov) if gone.any() else ddf.vcov


def _labels(terms: Sequence[str]) -> tuple[str, ...]:
    return labels("terms", terms)
