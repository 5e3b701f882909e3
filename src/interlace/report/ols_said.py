"""A linear model in words: what was fitted, what was found, and what a reader must know."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from interlace.estimation.ols_fit import LeastSquaresFit
from interlace.formula.tree import label
from interlace.precision.ols_covariance import ResidualDdf
from interlace.report import said
from interlace.text import listed


def sentences(
    fit: LeastSquaresFit, tests: pd.DataFrame, ddf: ResidualDdf, r2: dict[str, float], level: float
) -> Iterator[tuple[str, list[str]]]:
    """Headings with their sentences.

    Parameters
    ----------
    fit : LeastSquaresFit
    tests : DataFrame
        Of the coefficients, with `lower` and `upper`.
    ddf : ResidualDdf
        What the tests use.
    r2 : dict of str to float
    level : float
        Of the intervals.
    """
    yield "What was fitted", list(_fitted(fit))
    yield "Coefficients in words", list(said.coefficients(tests, ddf.description, level))
    yield "Residuals", list(_residuals(fit, r2))
    if warned := list(_warned(fit, ddf)):
        yield "What to keep in mind", warned


def _fitted(fit: LeastSquaresFit) -> Iterator[str]:
    gone = {"because of missing values": fit.n_missing, "as singletons of absorbed factors": fit.n_singletons}
    parts = [f"{said.left_out(count)} {why}" for why, count in gone.items() if count]
    rows = f"{fit.n:,} rows" + (f" ({listed(parts)})" if parts else "")
    yield f"A linear model of {label(fit.encoding.formula.response)} was fitted by least squares to {rows}."
    yield said.fixed_part(fit.encoding)
    yield from said.beside(fit.encoding)


def _residuals(fit: LeastSquaresFit, r2: dict[str, float]) -> Iterator[str]:
    df = f"{fit.df_resid:,} degrees of freedom"
    yield f"The standard deviation of the residuals is {fit.sigma:.4g}, with {df}."
    yield f"The model explains {100 * r2['r2']:.1f} % of the variation of the response."
    if "within" in r2:
        yield f"Of what the absorbed factors leave of it, it explains {100 * r2['within']:.1f} %."


def _warned(fit: LeastSquaresFit, ddf: ResidualDdf) -> Iterator[str]:
    for note in ddf.note.split("; ")[1:]:
        if note:
            yield f"{note[0].upper()}{note[1:]}."
    if fit.dropped:
        yield f"Others or the absorbed factors explain {listed(list(fit.dropped))}: it has no coefficient."
