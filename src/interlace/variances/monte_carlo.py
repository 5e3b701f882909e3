"""The Monte Carlo error of a fit by the iterative engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from interlace.arrays import Array
from interlace.errors import ModelError
from interlace.estimation.estimated import EstimatedOptimum
from interlace.estimation.fit import Fit
from interlace.estimation.iterative import IterativeSystem
from interlace.estimation.penalized import Solution
from interlace.tables.table import Table
from interlace.variances.natural import parameter_names, parameter_values


def monte_carlo(fit: Fit) -> Table:
    """Estimates and their standard deviations over sets of probes; see `IterativeModel.monte_carlo`.

    Raises
    ------
    ModelError
        The fit is exact.
    """
    optimum = fit.optimum
    if not isinstance(optimum, EstimatedOptimum):
        raise ModelError("the fit is exact: it has no Monte Carlo error")
    names, estimates = parameter_names(fit), parameter_values(fit)
    errors = np.sqrt(_variances(fit, optimum))
    se = np.sqrt(np.diagonal(fit.vcov))
    share = np.full(len(names), np.nan)
    share[len(names) - len(se) :] = errors[len(names) - len(se) :] / se
    criterion = "REML criterion" if fit.reml else "deviance"
    rows = [(optimum.value, optimum.criterion_error, np.nan), *zip(estimates, errors, share, strict=True)]
    system = fit.criterion.system
    assert isinstance(system, IterativeSystem)
    note = [f"{system.solver.probes} probes, seed {system.solver.seed}: four times as many halve the errors"]
    return Table.of_rows(rows, ["estimate", "error", "share"], [criterion, *names], note=note)


def _variances(fit: Fit, optimum: EstimatedOptimum) -> Array:
    """By the delta method: differences along the principal axes of the covariance of the parameters."""
    scale, axes = np.linalg.eigh(optimum.par_covariance)
    total = np.zeros(len(parameter_names(fit)))
    for variance, axis in zip(scale, axes.T, strict=True):
        if variance > 0:
            step = np.sqrt(variance) * axis
            up, down = (parameter_values(_moved(fit, optimum.par + sign * step)) for sign in (1, -1))
            total += ((up - down) / 2) ** 2
    return total


def _moved(fit: Fit, par: Array) -> Fit:
    """The fit at other parameters."""
    criterion = fit.criterion
    system, factors = criterion.system, criterion.parameters.factors(par)
    assert isinstance(system, IterativeSystem)
    with system.threads():
        solution = Solution.from_factor(system, factors, system.solved(factors, log_det=False))
    return replace(fit, solution=solution, sigma=float(np.sqrt(solution.pwrss / criterion.df)))
