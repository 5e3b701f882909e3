"""Standard errors of the parameters of the random effects, and Wald intervals on scales that suit them."""

from __future__ import annotations

import numpy as np

from interlace.arrays import Array
from interlace.estimation.fit import Fit
from interlace.precision.varpar import VarianceParameters
from interlace.variances.natural import in_order, parameter_names, parameter_values
from interlace.variances.scales import scales
from interlace.variances.varcorr import components
from interlace.variances.varcorr_se import varcorr_se_table

Interval = tuple[str, float, float, float]


def wald_intervals(fit: Fit, parameters: VarianceParameters, level: float) -> list[Interval]:
    """Name, estimate, lower and upper end of each, in the order of lme4's theta; sigma last.

    Standard deviations by their logarithms, correlations by Fisher's z. NaN where there is no standard error:
    at a standard deviation of zero and a correlation of 1 in size.
    """
    from scipy import special  # slow to import

    z = special.ndtri((1 + level) / 2)
    errors, values = variance_errors(fit, parameters), parameter_values(fit)
    rows = zip(parameter_names(fit), values, errors, scales(fit), strict=False)  # sigma is the last of these
    ends = [(name, value, scale.around(value, se * np.array([-z, z]))) for name, value, se, scale in rows]
    return [(name, float(value), float(lower), float(upper)) for name, value, (lower, upper) in ends]


def variance_errors(fit: Fit, parameters: VarianceParameters) -> Array:
    """Standard errors of standard deviations, correlations and sigma, in the order of `parameter_names`; NaN
    for a standard deviation of zero and a correlation of 1 in size."""
    table = varcorr_se_table(fit, parameters)
    errors, at = list[float](), 0
    for component in components(fit):
        k, pairs = len(component.names), len(component.pairs)
        sd, corr = table["sd_se"][at : at + k], table["corr_se"][at + k : at + k + pairs]
        errors += in_order(component, sd.to_numpy(), corr.to_numpy())
        at += k + pairs
    return np.array([*errors, float(table["sd_se"].iloc[-1])])
