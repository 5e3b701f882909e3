"""A model as tables with the column names of R's broom.mixed, for programs that read any model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from interlace.errors import DataError, shown
from interlace.estimation import likelihood
from interlace.estimation.fit import Fit
from interlace.inference.estimates import fixed_effects
from interlace.options import switch, word
from interlace.precision.df import Ddf
from interlace.precision.varpar import VarianceParameters
from interlace.prediction.leverage import leverage
from interlace.prediction.ranef import coefficients, modes_with_sd
from interlace.prediction.residuals import fitted, marginal_fitted, residuals
from interlace.tables.table import Table
from interlace.variances.varcorr import components, groups_of_blocks
from interlace.variances.varcorr_se import varcorr_se_table
from interlace.variances.wald_ends import wald_intervals

EFFECTS = ("fixed", "ran_pars", "ran_vals", "ran_coefs")
FIRST = ("effect", "group", "level", "term")


def tidy(
    fit: Fit,
    effects: str | Iterable[str],
    *,
    conf_int: bool,
    conf_level: float,
    ddf: Callable[[], Ddf],
    parameters: Callable[[], VarianceParameters],
) -> Table:
    """A row for each parameter or random effect; see `LinearMixedModel.tidy`."""
    chosen = _effects(effects)
    ends, notes = switch("conf_int", conf_int), list[str]()
    rows: list[dict[str, Any]] = []
    for effect in chosen:
        if effect == "fixed":
            found, note = _fixed(fit, ddf(), conf_level)
            notes.append(note)
        elif effect == "ran_pars":
            found = _random_parameters(fit, parameters(), conf_level)
        elif effect == "ran_vals":
            found = _random_effects(fit, conf_level)
        else:
            found = _coefficients(fit)
        rows += [{"effect": effect, **row} for row in found]
    table = pd.DataFrame(rows)
    if not ends:
        table = table.drop(columns=["conf.low", "conf.high"], errors="ignore")
    order = [name for name in FIRST if name in table] + [name for name in table if name not in FIRST]
    return Table.of({name: table[name].to_numpy() for name in order}, note=notes)


def _effects(given: str | Iterable[str]) -> list[str]:
    if isinstance(given, str):
        return [word("effects", given, EFFECTS)]
    if not isinstance(given, Iterable):
        raise DataError(f"effects must be words among {', '.join(EFFECTS)}, not {shown(given)}")
    chosen = [word("effects", one, EFFECTS) for one in given]
    if not chosen:
        raise DataError(f"effects is empty: choose from {', '.join(EFFECTS)}")
    return list(dict.fromkeys(chosen))


def _fixed(fit: Fit, ddf: Ddf, level: float) -> tuple[list[dict[str, Any]], str]:
    estimates = fixed_effects(fit, ddf)
    table, (low, high) = estimates.table(), estimates.interval(level)
    rows = [
        {
            "term": name,
            "estimate": row["estimate"],
            "std.error": row["se"],
            "statistic": row["t"],
            "df": row["df"],
            "p.value": row["p"],
            "conf.low": low[j],
            "conf.high": high[j],
        }
        for j, (name, row) in enumerate(table.iterrows())
    ]
    return rows, table.note


def _random_parameters(fit: Fit, parameters: VarianceParameters, level: float) -> list[dict[str, Any]]:
    """Standard deviations and correlations, lower triangles by column; the residual one last."""
    table = varcorr_se_table(fit, parameters)
    ends = {name: (low, high) for name, _, low, high in wald_intervals(fit, parameters, level)}
    rows: list[dict[str, Any]] = []
    at = 0
    for component, (_, group) in zip(components(fit), groups_of_blocks(fit.encoding), strict=True):
        k, pairs = len(component.names), list(component.pairs)
        for a, name in enumerate(component.names):
            key = f"sd_{name}|{group}"
            rows.append(_parameter(group, f"sd__{name}", table.iloc[at + a], "sd", ends.get(key)))
            for place, (first, second) in enumerate(pairs):
                if first == a:
                    other = component.names[second]
                    row = table.iloc[at + k + place]
                    key = f"cor_{other}.{name}|{group}"
                    rows.append(_parameter(group, f"cor__{name}.{other}", row, "corr", ends.get(key)))
        at += k + len(pairs)
    rows.append(_parameter("Residual", "sd__Observation", table.iloc[-1], "sd", ends.get("sigma")))
    return rows


def _parameter(
    group: str, term: str, row: Any, kind: str, ends: tuple[float, float] | None
) -> dict[str, Any]:
    low, high = (np.nan, np.nan) if ends is None else ends
    return {
        "group": group,
        "term": term,
        "estimate": row[kind],
        "std.error": row[f"{kind}_se"],
        "conf.low": low,
        "conf.high": high,
    }


def _random_effects(fit: Fit, level: float) -> list[dict[str, Any]]:
    from scipy import special  # slow to import

    z = float(special.ndtri((1 + level) / 2))
    rows = []
    for group, table in modes_with_sd(fit).items():
        mode, sd = table["mode"], table["sd"]
        for j, term in enumerate(mode.columns):
            rows += [
                {
                    "group": group,
                    "level": label,
                    "term": term,
                    "estimate": value,
                    "std.error": error,
                    "conf.low": value - z * error,
                    "conf.high": value + z * error,
                }
                for label, value, error in zip(mode.index, mode.iloc[:, j], sd.iloc[:, j], strict=True)
            ]
    return rows


def _coefficients(fit: Fit) -> list[dict[str, Any]]:
    return [
        {"group": group, "level": label, "term": term, "estimate": value}
        for group, table in coefficients(fit).items()
        for j, term in enumerate(table.columns)
        for label, value in zip(table.index, table.iloc[:, j], strict=True)
    ]


def glance(fit: Fit) -> Table:
    """One row about the model as a whole."""
    criterion = {"REMLcrit" if fit.reml else "deviance": fit.optimum.value}
    columns = {
        "nobs": likelihood.n_obs(fit),
        "sigma": fit.sigma,
        "logLik": fit.loglik,
        "AIC": likelihood.aic(fit),
        "BIC": likelihood.bic(fit),
        **criterion,
        "df.residual": likelihood.df_resid(fit),
    }
    return Table.of({name: [value] for name, value in columns.items()})


def row_columns(fit: Fit) -> dict[str, Any]:
    """What `augment` adds to the rows, (n,) each."""
    hat = leverage(fit)["overall"]
    standardized, p = residuals(fit, kind="standardized"), len(fit.names)
    left = np.where(hat < 1, 1 - hat, np.nan)
    return {
        ".fitted": fitted(fit),
        ".resid": residuals(fit),
        ".hat": hat,
        ".cooksd": (standardized / left) ** 2 * hat / p if p else np.full(len(hat), np.nan),
        ".fixed": marginal_fitted(fit),
    }
