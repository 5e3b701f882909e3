"""The summary of a model: every answer that is printed, as data, and its text in the layout of lme4."""

from __future__ import annotations

import numpy as np
import pandas as pd

from interlace.estimation import likelihood
from interlace.estimation.fit import Fit
from interlace.hints import says_instead
from interlace.inference.estimates import by_the_model, fixed_effects
from interlace.options import switch
from interlace.other_names import OF_SUMMARIES
from interlace.precision import wald
from interlace.precision.df import Ddf
from interlace.precision.singular import singular_line
from interlace.precision.unidentified import unidentified_line
from interlace.prediction.absorbed_levels import absorbed_lines
from interlace.prediction.ranef import n_groups
from interlace.prediction.residuals import residuals
from interlace.report import notebook as html
from interlace.report import printed as text
from interlace.report.convergence import convergence
from interlace.report.facts import OverviewFacts, SummaryFacts
from interlace.variances.varcorr import components

QUANTILES = {"Min": 0.0, "1Q": 0.25, "Median": 0.5, "3Q": 0.75, "Max": 1.0}


class Overview(OverviewFacts):
    """The short print of a model."""

    __slots__ = ()

    def __str__(self) -> str:
        return text.overview_text(self)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return html.overview_html(self)


@says_instead(**OF_SUMMARIES)
class Summary(SummaryFacts):
    """The summary of a model: its `str` reads like lme4's, and a notebook shows tables."""

    __slots__ = ()

    def __str__(self) -> str:
        return text.summary_text(self)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return html.summary_html(self)


def overview(fit: Fit, *, data_name: str = "") -> Overview:
    """The overview of a fit."""
    estimates = by_the_model(fit)
    nobs = likelihood.n_obs(fit)
    return Overview(
        title=f"Linear mixed model fit by {'REML' if fit.reml else 'maximum likelihood'}",
        formula=fit.encoding.formula.text or str(fit.encoding.formula),
        data=data_name,
        criteria=_criteria(fit),
        components=components(fit),
        sigma=fit.sigma,
        nobs=nobs,
        n_missing=fit.rows.n_read - nobs,
        ngroups=n_groups(fit),
        known=tuple(dict.fromkeys(b.group for b in fit.encoding.random if b.known is not None)),
        fixef=pd.Series(estimates.estimate, index=list(estimates.labels)),
        dropped=fit.dropped,
        singular=singular_line(fit),
        polynomials=fit.encoding.polynomials,
        unidentified=unidentified_line(fit),
        absorbed=absorbed_lines(fit),
    )


def summarise(
    fit: Fit,
    ddf: Ddf,
    *,
    data_name: str = "",
    stars: bool = False,
    correlation: bool | None = None,
) -> Summary:
    """The summary of a fit."""
    asked = None if correlation is None else switch("correlation", correlation)
    estimates = fixed_effects(fit, ddf)
    names = list(estimates.labels)
    return Summary(
        overview=overview(fit, data_name=data_name),
        scaled_residuals=_quantiles(fit) if fit.rows.readable else {},
        coefficients=estimates.table(),
        correlation=pd.DataFrame(wald.correlation(estimates.vcov), index=names, columns=names),
        convergence=convergence(fit),
        tests=ddf.description,
        note=ddf.note if ddf.covariance in ddf.note else "; ".join(filter(None, (ddf.note, ddf.covariance))),
        stars=switch("stars", stars),
        correlation_asked=asked,
    )


def _quantiles(fit: Fit) -> dict[str, float]:
    found = np.quantile(residuals(fit, kind="standardized"), list(QUANTILES.values()))
    return dict(zip(QUANTILES, found.tolist(), strict=True))


def _criteria(fit: Fit) -> dict[str, float]:
    if fit.reml:
        return {"REML criterion": likelihood.reml_criterion(fit)}
    return {
        "AIC": likelihood.aic(fit),
        "BIC": likelihood.bic(fit),
        "logLik": fit.loglik,
        "deviance": likelihood.deviance(fit),
        "df.resid": likelihood.df_resid(fit),
    }
