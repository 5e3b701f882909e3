"""Wald intervals of the parameters of the random effects, on scales where they are nearly symmetric."""

from __future__ import annotations

import numpy as np

from interlace.estimation.fit import Fit
from interlace.precision.varpar import VarianceParameters
from interlace.variances.varcorr import Component, components, groups_of_blocks
from interlace.variances.varcorr_se import varcorr_se_table

Interval = tuple[str, float, float, float]
_Ends = tuple[float, float, float]


def wald_intervals(fit: Fit, parameters: VarianceParameters, level: float) -> list[Interval]:
    """Name, estimate, lower and upper end of each, in the order of lme4's theta; sigma last.

    Standard deviations by their logarithms, correlations by Fisher's z. NaN where there is no standard error:
    at a standard deviation of zero and a correlation of 1 in size.
    """
    from scipy import special  # slow to import

    z = special.ndtri((1 + level) / 2)
    table = varcorr_se_table(fit, parameters)
    sd = [_by_log(row.sd, row.sd_se, z) for row in table.itertuples()]
    corr = [_by_fisher(row.corr, row.corr_se, z) for row in table.itertuples()]
    out: list[Interval] = []
    at = 0
    for component, (_, label) in zip(components(fit), groups_of_blocks(fit.encoding), strict=True):
        own = slice(at, at + len(component.names) + len(component.pairs))
        out += _of_component(component, label, sd[own], corr[own])
        at = own.stop
    out.append(("sigma", *sd[at]))
    return out


def _of_component(component: Component, label: str, sd: list[_Ends], corr: list[_Ends]) -> list[Interval]:
    names, k = component.names, len(component.names)
    of_pair = {pair: corr[k + p] for p, pair in enumerate(component.pairs)}
    if component.shared:
        out: list[Interval] = [(f"sd|{label}", *sd[0])]
    elif component.rho is not None:
        out = [(f"sd_{name}|{label}", *sd[j]) for j, name in enumerate(names)]
    else:
        out = []
        for col in range(k):
            out.append((f"sd_{names[col]}|{label}", *sd[col]))
            below = [row for row in range(col + 1, k) if (col, row) in of_pair]
            out += [(f"cor_{names[row]}.{names[col]}|{label}", *of_pair[col, row]) for row in below]
    if component.rho is not None:
        out.append((f"rho|{label}", *of_pair[0, 1]))
    return out


def _by_log(sd: float, se: float, z: float) -> _Ends:
    if not sd > 0 or not np.isfinite(se):
        return sd, np.nan, np.nan
    return sd, float(sd * np.exp(-z * se / sd)), float(sd * np.exp(z * se / sd))


def _by_fisher(r: float, se: float, z: float) -> _Ends:
    if not np.isfinite(se):
        return r, np.nan, np.nan
    middle, half = np.arctanh(r), z * se / (1 - r**2)
    return r, float(np.tanh(middle - half)), float(np.tanh(middle + half))
