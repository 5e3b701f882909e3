"""Models of the same data side by side: likelihood-ratio tests and information criteria."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd

from interlace.design.design import Design
from interlace.design.rows import per_row, selected
from interlace.errors import DataError, ModelError
from interlace.estimation.fit import Fit
from interlace.estimation.likelihood import is_lower, likelihood_ratio, n_obs, n_parameters
from interlace.inference.estimates import chi2_p_value
from interlace.inference.hypotheses import difference
from interlace.options import switch, word
from interlace.precision.unidentified import Resting, unidentified_line
from interlace.tables.table import Table

CRITERIA = ("aic", "aicc", "bic")
REFITTED = "ML (refitted)"
UNEXPLAINED = 1e-8  # share of an offset that the columns of X leave: above it they do not explain it


def compare(fits: Mapping[str, Fit], *, refit: bool = True) -> Table:
    """Likelihood-ratio table as lme4's `anova(m1, m2, ...)`: models by number of parameters, each against the
    one before.

    Parameters
    ----------
    fits : mapping of str to Fit
    refit : bool
        Fit those that were fitted by REML again by maximum likelihood. Without it all must be fitted by the
        same criterion, and by REML only models with the same fixed part can be compared.

    Returns
    -------
    DataFrame
        Columns `npar, aic, bic, loglik, deviance, lrt, df, p, criterion, formula`. `deviance` is -2
        `loglik`; `criterion` says what was compared: "ML", "ML (refitted)" or "REML".

    Raises
    ------
    DataError
        Fewer than two models, or models of different data.
    ModelError
        REML fits that cannot be compared.
    """
    if len(fits) < 2:
        raise DataError(f"a comparison needs two models or more, not {len(fits)}")
    table = _criteria(fits, refit=refit).sort_values("npar", kind="stable")
    ll, npar = table["loglik"].to_numpy(), table["npar"].to_numpy()
    for one, other in pairwise(table.index):
        check_offsets({one: fits[one], other: fits[other]})
        check_known({one: fits[one], other: fits[other]})
    df = np.diff(npar).astype(np.float64)
    lrt = likelihood_ratio(ll[1:], ll[:-1])
    untold = [_untold(fits[one], fits[other]) for one, other in pairwise(table.index)]
    tested = (df > 0) & np.array([not note for note in untold])
    table["lrt"] = np.r_[np.nan, lrt]
    table["df"] = np.r_[np.nan, df]
    table["p"] = np.r_[np.nan, np.where(tested, chi2_p_value(lrt, df), np.nan)]
    columns = ["npar", "aic", "bic", "loglik", "deviance", "lrt", "df", "p", "criterion", "formula"]
    return Table.of(
        {name: table[name].to_numpy() for name in columns},
        table.index,
        heading="Likelihood-ratio tests, each model against the one before",
        note=[table.attrs["note"], *_not_nested(table), *untold],
    )


def aic_table(fits: Mapping[str, Fit], *, by: str = "aic", refit: bool = True) -> Table:
    """Models by an information criterion, best first.

    Parameters
    ----------
    by : {"aic", "aicc", "bic"}
        `aic = 2 k - 2 loglik` for k parameters, `aicc = aic + 2 k (k + 1) / (n - k - 1)`,
        `bic = k log(n) - 2 loglik`.
    refit : bool
        As for `compare`.

    Returns
    -------
    DataFrame
        Columns `npar, loglik, aic, aicc, bic, delta, weight, criterion, formula`: `delta` is the distance of
        `by` from the smallest, `weight` is `exp(-delta / 2)`, scaled to sum to one.
    """
    by = word("criterion", by, CRITERIA)
    if not fits:
        raise DataError("a table of models needs a model")
    table = _criteria(fits, refit=refit).sort_values(by, kind="stable")
    table["delta"] = table[by] - table[by].min()
    likelihood = np.exp(-table["delta"] / 2)
    table["weight"] = likelihood / likelihood.sum()
    columns = ["npar", "loglik", "aic", "aicc", "bic", "delta", "weight", "criterion", "formula"]
    return Table.of(
        {name: table[name].to_numpy() for name in columns},
        table.index,
        heading=f"Models by {by.upper().replace('AICC', 'AICc')}, best first",
        note=table.attrs["note"],
    )


def check_same_data(fits: Mapping[str, Fit]) -> None:
    """Refuse models of different rows, responses or weights, and say what differs."""
    (first, one), *others = fits.items()
    for name, other in others:
        if difference := _difference(one, other):
            raise DataError(f"{first} and {name} were not fitted to the same data: {difference}")


def check_offsets(fits: Mapping[str, Fit]) -> None:
    """Refuse two models with offsets whose difference the larger does not explain: they are not nested."""
    (one, a), (other, b) = sorted(fits.items(), key=lambda item: n_parameters(item[1]))
    difference = _offsets(a) - _offsets(b)
    if not difference.any():
        return
    X = b.X
    X = X / np.linalg.norm(X, axis=0)
    left = difference - X @ np.linalg.lstsq(X, difference, rcond=None)[0]
    if np.linalg.norm(left) > UNEXPLAINED * np.linalg.norm(difference):
        raise DataError(
            f"{one} and {other} have different offsets, and the fixed part of {other} does not make up for "
            "it: neither model is nested in the other. Give both the same offset, or use aic_table"
        )


def check_known(fits: Mapping[str, Fit]) -> None:
    """Refuse two models that do not say the same of the covariance of levels: they are not nested."""
    (one, a), (other, b) = fits.items()
    first, second = _level_covariances(a), _level_covariances(b)
    for group in first.keys() & second.keys():
        if not _same_levels(first[group], second[group]):
            raise DataError(
                f"{one} and {other} have different covariances between the levels of '{group}': neither "
                "model is nested in the other. Give both the same known=, or use aic_table"
            )


def _level_covariances(fit: Fit) -> dict[str, np.ndarray | None]:
    """Per grouping factor the log determinant and the variances of a known covariance, or None."""
    if not fit.encoding.random:
        return {}
    layout, found = fit.criterion.system.A.layout, {}
    for f in layout.varying:
        Q, blocks = fit.criterion.system.precisions[f], layout.blocks[f]
        found[fit.encoding.random[blocks[0]].group] = (
            None if Q is None else np.append(np.sort(Q.variance), Q.log_det)
        )
    return found


def _same_levels(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-6, atol=0.0)


def _offsets(fit: Fit) -> np.ndarray:
    return per_row(
        fit.rows, lambda design: np.zeros(design.nrows) if design.offset is None else design.offset
    )


def _weights(fit: Fit) -> np.ndarray:
    return per_row(
        fit.rows, lambda design: np.ones(design.nrows) if design.weights is None else design.weights
    )


def _response(design: Design) -> np.ndarray:
    assert design.y is not None
    return design.y


def _difference(a: Fit, b: Fit) -> str:
    advice = "leave out rows with missing values beforehand"
    if n_obs(a) != n_obs(b):
        return f"{n_obs(a)} and {n_obs(b)} rows were used; {advice}"
    if a.rows.n_read == b.rows.n_read and not np.array_equal(_rows(a), _rows(b)):
        rows = np.setdiff1d(_rows(a), _rows(b))
        return f"{len(rows)} of {n_obs(a)} rows are others (first: row {rows[0]}, counted from 0); {advice}"
    names = sorted({str(a.encoding.formula.response), str(b.encoding.formula.response)})
    unequal = np.flatnonzero(per_row(a.rows, _response) != per_row(b.rows, _response))
    if unequal.size:
        what = f"the responses {' and '.join(names)} differ" if len(names) > 1 else "the responses differ"
        return f"{what} in {unequal.size} of {n_obs(a)} rows (first: row {unequal[0]}, counted from 0)"
    unequal = np.flatnonzero(_weights(a) != _weights(b))
    if unequal.size:
        return f"the weights differ in {unequal.size} of {n_obs(a)} rows (first: row {unequal[0]})"
    return ""


def _rows(fit: Fit) -> np.ndarray:
    """Which rows of the data were used."""
    return per_row(fit.rows, lambda design: np.arange(design.nrows) if design.kept is None else design.kept)


def _criteria(fits: Mapping[str, Fit], *, refit: bool) -> pd.DataFrame:
    """One row per model, in the order given; REML fits are refitted or checked."""
    refit = switch("refit", refit)
    check_same_data(fits)
    if not refit:
        _check_comparable(fits)
    said = [REFITTED if f.reml and refit else "REML" if f.reml else "ML" for f in fits.values()]
    used = [f.by(reml=False) if refit else f for f in fits.values()]
    k, ll = np.array([n_parameters(f) for f in used]), np.array([f.loglik for f in used])
    n = n_obs(used[0])
    aic = 2 * k - 2 * ll
    with np.errstate(divide="ignore"):
        aicc = np.where(n - k - 1 > 0, aic + 2 * k * (k + 1) / np.maximum(n - k - 1, 0), np.nan)
    table = pd.DataFrame(
        {
            "npar": k,
            "loglik": ll,
            "deviance": -2 * ll,
            "aic": aic,
            "aicc": aicc,
            "bic": np.log(n) * k - 2 * ll,
            "criterion": said,
            "formula": [f.encoding.formula.text or str(f.encoding.formula) for f in fits.values()],
        },
        index=list(fits),
    )
    table.attrs["note"] = _note(dict(zip(fits, said, strict=True)))
    return table


def _note(said: Mapping[str, str]) -> str:
    """By what the models were fitted."""
    refitted = [name for name, criterion in said.items() if criterion == REFITTED]
    if refitted:
        return f"fitted by REML, and refitted by maximum likelihood for this table: {', '.join(refitted)}"
    return "all fitted by REML" if "REML" in said.values() else "all fitted by maximum likelihood"


def _not_nested(table: pd.DataFrame) -> list[str]:
    """Which rows cannot be read as tests of a model within a larger one."""
    words = []
    for (one, small), (other, large) in pairwise(table.iterrows()):
        if small["npar"] == large["npar"]:
            words.append(
                f"{one} and {other} have as many parameters: neither is a part of the other, and there is no "
                "test between them; aic_table puts them side by side"
            )
        elif is_lower(large["loglik"], small["loglik"]):
            words.append(
                f"{other} has more parameters than {one} and a lower likelihood: {one} is not nested in it, "
                "or its search did not find the maximum"
            )
    return words


def _untold(small: Fit, large: Fit) -> str:
    """Why there is no test of a model within a larger one; "" if there is one.

    The difference rests on variances that the data cannot tell, or is nothing else.
    """
    if large.identification.complete:
        return ""
    told = [fit.identification.n_parameters for fit in (small, large)]
    resting = Resting.of(large).rows(difference(large, selected(small.rows, small.kept)))
    same = len(small.kept) == len(large.kept) and told[0] == told[1]
    return f"{unidentified_line(large)}, on which the difference rests" if resting.any() or same else ""


def _check_comparable(fits: Mapping[str, Fit]) -> None:
    (first, one), *others = fits.items()
    for name, other in others:
        if one.reml != other.reml:
            kinds = [f"{n} by {'REML' if f.reml else 'ML'}" for n, f in ((first, one), (name, other))]
            raise ModelError(f"{' and '.join(kinds)} cannot be compared; use refit=True")
        if one.reml and not _same_fixed(one, other):
            raise ModelError(
                f"{first} and {name} were fitted by REML with different fixed parts: their restricted "
                "likelihoods are of different data; use refit=True"
            )


def _same_fixed(a: Fit, b: Fit) -> bool:
    if sorted(a.names) != sorted(b.names) or _absorbed(a) != _absorbed(b):
        return False
    order = [b.names.index(name) for name in a.names]
    return bool(np.allclose(a.X, b.X[:, order], rtol=1e-12, atol=0.0))


def _absorbed(fit: Fit) -> set[str]:
    return {str(one.term) for one in fit.encoding.absorbed}
