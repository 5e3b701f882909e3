"""A linear model as tables with the column names of R's broom."""

from __future__ import annotations

from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.estimation import likelihood
from interlace.estimation.ols_fit import LeastSquaresFit
from interlace.inference.estimates import LinearEstimates, fixed_effects
from interlace.options import switch
from interlace.precision.ols_covariance import ResidualDdf
from interlace.prediction.ols_rows import residuals_of
from interlace.report.results import plain
from interlace.tables.table import Table


def tidy(estimates: LinearEstimates, *, conf_int: bool, conf_level: float) -> Table:
    """A row for each coefficient; see `LinearModel.tidy`."""
    found = estimates.table()
    columns: dict[str, Any] = {
        "term": list(estimates.labels),
        "estimate": found["estimate"].to_numpy(),
        "std.error": found["se"].to_numpy(),
        "statistic": found["t"].to_numpy(),
        "df": found["df"].to_numpy(),
        "p.value": found["p"].to_numpy(),
    }
    if switch("conf_int", conf_int):
        columns["conf.low"], columns["conf.high"] = estimates.interval(conf_level)
    return Table.of(columns, note=found.note)


def glance(fit: LeastSquaresFit, r2: dict[str, float]) -> Table:
    """One row about the model as a whole."""
    named = {"r2": "r.squared", "adjusted": "adj.r.squared", "within": "within.r.squared"}
    columns = {
        **{named[name]: value for name, value in r2.items() if name in named},
        "sigma": fit.sigma,
        "logLik": fit.loglik,
        "AIC": likelihood.aic(fit),
        "BIC": likelihood.bic(fit),
        "deviance": fit.rss,
        "df.residual": fit.df_resid,
        "nobs": fit.n,
    }
    return Table.of({name: [value] for name, value in columns.items()})


def row_columns(fit: LeastSquaresFit) -> dict[str, Array]:
    """What `augment` adds to the rows, (n,) each."""
    hat, studentized = fit.leverages, residuals_of(fit, "studentized")
    left = np.where(np.isnan(studentized), np.nan, 1 - hat)
    return {
        ".fitted": fit.fitted,
        ".resid": fit.residuals,
        ".hat": hat,
        ".std.resid": studentized,
        ".cooksd": studentized**2 * hat / left / fit.rank,
    }


def results(fit: LeastSquaresFit, ddf: ResidualDdf, r2: dict[str, float]) -> dict[str, Any]:
    """Every result of the fit; numbers that do not exist (NaN, infinite) are None."""
    tested = fixed_effects(fit, ddf).table()
    names = list(fit.names)
    said: dict[str, Any] = plain(
        {
            "formula": fit.encoding.formula.text or str(fit.encoding.formula),
            "nobs": fit.n,
            "n_missing": fit.n_missing,
            "n_singletons": fit.n_singletons,
            "loglik": fit.loglik,
            "aic": likelihood.aic(fit),
            "bic": likelihood.bic(fit),
            "df_resid": fit.df_resid,
            "sigma": fit.sigma,
            "r2": r2,
            "fixef": dict(zip(names, fit.solution.beta, strict=True)),
            "vcov": {"kind": ddf.kind, "names": names, "values": ddf.vcov},
            "coefficients": {**dict(tested), "names": names, "note": tested.note},
            "dropped": fit.dropped,
            "absorbed": {
                str(one.term): {"levels": one.grouping.n_levels, "rank": one.rank}
                for one in fit.encoding.absorbed
            },
        }
    )
    return said
