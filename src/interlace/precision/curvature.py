"""The curvature of the criterion in the variance parameters, exactly, where its differences are dear."""

from __future__ import annotations

import numpy as np

from interlace.arrays import Array
from interlace.estimation.covariance import Covariance
from interlace.estimation.deviance import ProfiledDeviance
from interlace.estimation.fit import Fit
from interlace.precision.by_factor import operations
from interlace.precision.information import by_factor, parameters
from interlace.precision.marginal import Marginal
from interlace.precision.paired import trace_of_products

GRADIENTS = 4  # by which a difference is made, per parameter
GRADIENT = 3.0  # factorisations that one costs


def exact_hessian(criterion: ProfiledDeviance, par: Array, fit: Fit, marginal: Marginal) -> Array | None:
    """Second derivatives of ``ld(par) + pwrss(par) / sigma^2`` at the fit, (n_par, n_par).

    Of the variances and covariances gamma, in which V is linear, with R and y as in `Moments`: ``tr(R V_j) -
    y'R V_j R y`` and ``2 y'R V_j R V_k R y - tr(R V_j R V_k)``, by maximum likelihood with V^-1 in place of R
    in the traces. Then by the chain rule.

    None where differences of the gradient cost less, or the data say too little of a variance.
    """
    differences = GRADIENTS * GRADIENT * criterion.n_par * criterion.system.flops
    if not all(s.plain for s in criterion.parameters.structures) or operations(fit) > differences:
        return None
    found = parameters(fit)
    sums = by_factor(fit, marginal, found)
    if sums is None:
        return None
    gradient = sums.trace - sums.linear
    hessian = 2 * (sums.quadratic - sums.mixed @ sums.mixed.T) - sums.traces
    if fit.reml:
        order = np.argsort(np.argsort([one.group for one in found], kind="stable"), kind="stable")
        gradient += np.trace(sums.P, axis1=1, axis2=2)
        hessian += 2 * sums.Q.trace[np.ix_(order, order)] - trace_of_products(sums.P)
    first, second = _of_parameters(criterion, par, fit)
    out: Array = first.T @ hessian @ first + np.tensordot(gradient, second, 1)
    return (out + out.T) / 2


def _of_parameters(criterion: ProfiledDeviance, par: Array, fit: Fit) -> tuple[Array, Array]:
    """First and second derivatives of the variances and covariances in the parameters, (m, n_par) and
    (m, n_par, n_par)."""
    p = criterion.parameters
    directions = fit.criterion.parameters.directions(fit.solution.factors)
    first = np.zeros((len(directions), len(par)))
    second = np.zeros((len(directions), len(par), len(par)))
    for i, (s, B, N, at) in enumerate(zip(p.structures, p.basis, p.natural, p.slices, strict=True)):
        rows = [j for j, (block, _, _) in enumerate(directions) if block == i]
        D = np.array([E.ravel() for block, E, _ in directions if block == i])
        dG, ddG = _of_factor(s, np.linalg.solve(N, B), par[at])
        in_directions = np.linalg.pinv(D).T
        first[rows, at] = in_directions @ dG.reshape(len(dG), -1).T
        second[rows, at, at] = np.tensordot(in_directions, ddG.reshape(*ddG.shape[:2], -1), ([1], [2]))
    return first, second


def _of_factor(s: Covariance, C: Array, par: Array) -> tuple[Array, Array]:
    """First and second derivatives of ``C T T'C'`` in the entries of T, (n_par, k, k) and (n_par, n_par, k,
    k)."""
    F = C @ s.factor(par)
    dF = np.zeros((len(s.entries), *F.shape))
    for e, (row, column) in enumerate(s.entries):
        dF[e, :, column] = C[:, row]
    dG = dF @ F.T
    ddG = np.einsum("irk,jsk->ijrs", dF, dF)
    return dG + dG.transpose(0, 2, 1), ddG + ddG.transpose(0, 1, 3, 2)
