"""What the second version of the random effect block bootstrap makes of its draws."""

from __future__ import annotations

import numpy as np

from interlace.arrays import Array
from interlace.errors import ModelError
from interlace.estimation.fit import Fit

ZERO = "a variance is zero, and has no logarithm for kind='reb2'"
# A standard deviation below this share of sigma is a variance of zero.
NOTHING = 1e-6


def adjusted(
    fit: Fit, names: tuple[str, ...], estimate: Array, values: Array
) -> tuple[tuple[str, ...], Array, Array, dict[str, int]]:
    """Coefficients are moved, and variances multiplied, so that their means are the estimates; before that
    the logarithms of the variances lose their correlation and keep their means and standard deviations.

    Correlations of random effects are left out: the definition has none.

    Parameters
    ----------
    names, estimate, values
        All parameters of the model, and their draws.

    Returns
    -------
    names, estimate, values
        Of what is left.
    lost : dict
        How many draws have a variance of zero.

    References
    ----------
    Chambers, R., and Chandra, H. (2013). A random effect block bootstrap for clustered data. Journal of
    Computational and Graphical Statistics, 22, 452-470.
    """
    sizes = [j for j, name in enumerate(names) if name not in fit.names and _is_sd(name)]
    fixed = [j for j, name in enumerate(names) if name in fit.names]
    sigma = values[:, [names.index("sigma")]]
    there = (values[:, sizes] > NOTHING * sigma).all(axis=1)
    lost = {ZERO: int((~there).sum())} if not there.all() else {}
    values = values[there]
    if len(values) <= len(sizes):
        raise ModelError("kind='reb2' needs more draws without a variance of zero than there are variances")
    S = 2 * np.log(values[:, sizes])
    mean, sd = S.mean(axis=0), S.std(axis=0, ddof=1)
    roots, vectors = np.linalg.eigh(np.atleast_2d(np.cov(S, rowvar=False)))
    roots = np.maximum(roots, 1e-12 * roots[-1])
    L = np.exp(mean + (S - mean) @ (vectors / np.sqrt(roots)) @ vectors.T * sd)
    out = np.empty((len(values), len(sizes) + len(fixed)))
    out[:, : len(sizes)] = np.sqrt(L * (estimate[sizes] ** 2 / L.mean(axis=0)))
    beta = values[:, fixed]
    out[:, len(sizes) :] = beta + (estimate[fixed] - beta.mean(axis=0))
    kept = [*sizes, *fixed]
    return tuple(names[j] for j in kept), estimate[kept], out, lost


def _is_sd(name: str) -> bool:
    return name == "sigma" or name.startswith(("sd_", "sd|"))
