"""Every parameter of a model as people read it, by lme4's names and in its order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from interlace.arrays import Array
from interlace.estimation.fit import Fit
from interlace.estimation.many import Many
from interlace.estimation.scaled import Scaled
from interlace.variances.varcorr import Component, groups_of_blocks, plain_components


def names_of(component: Component, group: str) -> list[str]:
    """Of one term: standard deviations and correlations, each column of the lower triangle; of a structure
    "sd" where effects share one, and "rho"."""
    names, k = component.names, len(component.names)
    if component.shared:
        out = [f"sd|{group}"]
    elif component.rho is not None:
        out = [f"sd_{name}|{group}" for name in names]
    else:
        pairs, out = component.pairs, list[str]()
        for col in range(k):
            out.append(f"sd_{names[col]}|{group}")
            below = [row for row in range(col + 1, k) if (col, row) in pairs]
            out += [f"cor_{names[row]}.{names[col]}|{group}" for row in below]
    return [*out, *([f"rho|{group}"] if component.rho is not None else [])]


def in_order(component: Component, sd: Array, of_pairs: Array) -> list[float]:
    """Numbers of the effects, (k,), and of their pairs, in the order of `names_of`."""
    if component.shared:
        out = [float(sd[0])]
    elif component.rho is not None:
        out = sd.tolist()
    else:
        found, out = dict(zip(component.pairs, of_pairs, strict=True)), list[float]()
        for col in range(len(sd)):
            out.append(float(sd[col]))
            out += [float(found[col, row]) for row in range(col + 1, len(sd)) if (col, row) in found]
    return [*out, *([float(of_pairs[0])] if component.rho is not None else [])]


def values_of(component: Component) -> list[float]:
    """The estimates; NaN for the correlation with an effect that has no variance."""
    pairs = component.pairs
    correlation = component.correlation if pairs else component.covariance
    return in_order(component, component.sd, np.array([correlation[pair] for pair in pairs]))


def parameter_names(fit: Fit) -> list[str]:
    """Standard deviations and correlations, sigma, and the coefficients."""
    groups = [group for _, group in groups_of_blocks(fit.encoding)]
    random = [
        name
        for component, group in zip(plain_components(fit), groups, strict=True)
        for name in names_of(component, group)
    ]
    return [*random, "sigma", *fit.names]


def parameter_values(fit: Fit) -> Array:
    """Their estimates."""
    random = [value for component in plain_components(fit) for value in values_of(component)]
    return np.array([*random, fit.sigma, *fit.solution.beta])


def parameter_limits(fit: Fit) -> Array:
    """The least and the greatest that each can be, (m, 2)."""
    structures = fit.criterion.parameters.structures
    out = list[float]()
    for component, (i, _) in zip(plain_components(fit), groups_of_blocks(fit.encoding), strict=True):
        s, k, pairs = structures[i], len(component.names), len(component.pairs)
        low, high = s.correlation.limits(k) if isinstance(s, Scaled) and s.correlation.n_par else (-1.0, 1.0)
        lowest = in_order(component, np.zeros(k), np.full(pairs, low))
        highest = in_order(component, np.full(k, np.inf), np.full(pairs, high))
        out += [end for both in zip(lowest, highest, strict=True) for end in both]
    out += [0.0, np.inf] + [-np.inf, np.inf] * len(fit.names)
    return np.array(out).reshape(-1, 2)


def parameters_of_many(fit: Fit, many: Many) -> Array:
    """The same for the model of a fit with r responses, (r, m)."""
    r, columns = len(many.sigma), list[Array]()
    of_block = dict(groups_of_blocks(fit.encoding))
    for component, i in zip(plain_components(fit), of_block, strict=True):
        F = many.factors[i] * many.sigma[:, None, None]
        columns.append(_of_component(component, F @ F.transpose(0, 2, 1)))
    return np.hstack([*columns, many.sigma.reshape(r, 1), many.beta])


def _of_component(component: Component, covariance: Array) -> Array:
    """Of one term, covariances (r, k, k)."""
    if component.shared or component.rho is not None:
        rows = [values_of(replace(component, covariance=one)) for one in covariance]
        return np.array(rows, dtype=np.float64).reshape(len(covariance), -1)
    sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    with np.errstate(divide="ignore", invalid="ignore"):
        between = covariance / (sd[:, :, None] * sd[:, None, :])
    between = np.where(np.isfinite(between), np.clip(between, -1.0, 1.0), np.nan)
    out = []
    for col in range(sd.shape[1]):
        out.append(sd[:, col])
        out += [between[:, row, col] for row in range(col + 1, sd.shape[1]) if (col, row) in component.pairs]
    return np.column_stack(out)
