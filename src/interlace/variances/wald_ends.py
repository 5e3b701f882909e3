"""Wald intervals of the parameters of the random effects, on scales where they are nearly symmetric."""

from __future__ import annotations

import numpy as np

from interlace.estimation.fit import Fit
from interlace.precision.varpar import VarianceParameters
from interlace.variances.natural import in_order, parameter_names, parameter_values
from interlace.variances.varcorr import components
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
    errors, at = list[float](), 0
    for component in components(fit):
        k, pairs = len(component.names), len(component.pairs)
        sd, corr = table["sd_se"][at : at + k], table["corr_se"][at + k : at + k + pairs]
        errors += in_order(component, sd.to_numpy(), corr.to_numpy())
        at += k + pairs
    names, values = parameter_names(fit), parameter_values(fit)
    errors.append(float(table["sd_se"].iloc[-1]))
    rows = zip(names[: len(errors)], values, errors, strict=False)
    ends = {True: _by_fisher, False: _by_log}
    return [(name, *ends[name.startswith(("cor_", "rho|"))](value, se, z)) for name, value, se in rows]


def _by_log(sd: float, se: float, z: float) -> _Ends:
    if not sd > 0 or not np.isfinite(se):
        return sd, np.nan, np.nan
    with np.errstate(
        over="ignore", under="ignore"
    ):  # a deviation next to zero: the ends are zero and infinite
        return sd, float(sd * np.exp(-z * se / sd)), float(sd * np.exp(z * se / sd))


def _by_fisher(r: float, se: float, z: float) -> _Ends:
    if not np.isfinite(se) or not abs(r) < 1:
        return r, np.nan, np.nan
    middle, half = np.arctanh(r), z * se / (1 - r**2)
    return r, float(np.tanh(middle - half)), float(np.tanh(middle + half))
