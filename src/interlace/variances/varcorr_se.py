"""Standard errors of the variance components, by the delta method."""

from __future__ import annotations

import numpy as np

from interlace.arrays import Array
from interlace.estimation.fit import Fit
from interlace.precision.unidentified import unknown_entries
from interlace.precision.varpar import VarianceParameters
from interlace.precision.wald import rowwise
from interlace.tables.table import Table
from interlace.variances.varcorr import components, varcorr_table

AT_THE_BOUNDARY = 1e-10  # a correlation this near to 1 in size has no standard error


def varcorr_se_table(fit: Fit, parameters: VarianceParameters) -> Table:
    """`varcorr_table` with standard errors `variance_se`, `sd_se` and `corr_se`.

    From the covariance of the parameters of the random effects and log sigma: twice the inverse Hessian of
    the criterion that was minimised. NaN where a variance is zero or a correlation 1: the criterion is not
    quadratic in them there.
    """
    table = varcorr_table(fit)
    layout = fit.layout
    n, unknown = len(parameters.covariance), unknown_entries(fit)
    variance, sd, corr = [], [], []
    parts = dict(zip(layout.theta_order, components(fit), strict=True))
    for i in layout.theta_order:
        S, dS = _covariance(fit, parameters, i)
        dS[:, unknown[i]] = np.nan
        k = len(S)
        with np.errstate(divide="ignore", invalid="ignore"):
            s = np.sqrt(np.diagonal(S))
            ds = np.diagonal(dS, axis1=1, axis2=2) / (2 * s)
            R = S / np.outer(s, s)
            dR = dS / np.outer(s, s) - R * ((ds / s)[:, :, None] + (ds / s)[:, None, :])
            dR[:, np.abs(R) > 1 - AT_THE_BOUNDARY] = np.nan
        pairs = parts[i].pairs
        nothing = np.full(n, np.nan)
        variance += [np.where(s[a] > 0, dS[:, a, a], np.nan) for a in range(k)]
        variance += [np.where(s[a] * s[b] > 0, dS[:, a, b], np.nan) for a, b in pairs]
        sd += [*ds.T, *(nothing for _ in pairs)]
        corr += [*(nothing for _ in range(k)), *(dR[:, a, b] for a, b in pairs)]
    scale = np.zeros(n)
    scale[-1] = 1.0
    variance.append(2 * fit.scale * scale)
    sd.append(fit.sigma * scale)
    corr.append(np.full(n, np.nan))
    columns = {"variance_se": variance, "sd_se": sd, "corr_se": corr}
    errors = {name: _se(rows, parameters.covariance) for name, rows in columns.items()}
    return Table.of({**table, **errors}, note=table.note)


def _covariance(fit: Fit, parameters: VarianceParameters, i: int) -> tuple[Array, Array]:
    """Covariance matrix of term i, (k, k), and its derivatives in all parameters, (n, k, k)."""
    held = parameters.criterion.parameters
    structure, at = held.structures[i], held.slices[i]
    basis = np.linalg.solve(held.shift[i], held.basis[i])
    F = basis @ structure.factor(parameters.par[at])
    S = fit.scale * (F @ F.T)
    derivative = np.zeros((len(parameters.covariance), *S.shape))
    half = fit.scale * (basis @ structure.derivative(parameters.par[at]) @ F.T)
    derivative[at] = half + half.transpose(0, 2, 1)
    derivative[-1] = 2 * S
    return S, derivative


def _se(gradients: list[Array], covariance: Array) -> Array:
    variances = rowwise(np.array(gradients), covariance)
    return np.sqrt(np.where(variances < 0, np.nan, variances))  # below zero there is rounding error only
