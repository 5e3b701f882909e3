"""Predictors so far from zero that random effects where they are zero keep no digits."""

from __future__ import annotations

import numpy as np

from interlace import kernel
from interlace.errors import ConvergenceWarning, warn
from interlace.estimation.fit import Fit

# Spreads of a predictor: beyond these, less than four digits are left of what is subtracted.
FAR = 1e-4 / np.finfo(np.float64).eps


def warn_if_far(fit: Fit) -> None:
    """Say which random effects refer to a value that is too far from the data.

    The search works about the means of predictors; an intercept at zero is then ``b0 - mean b1``, whose
    digits are lost where the mean is many times the spread.

    Warns
    -----
    ConvergenceWarning
        Theta and the covariances of a term have less than four digits.
    """
    parameters = fit.criterion.parameters
    for block, z, B in zip(fit.encoding.random, fit.A.origin.z, parameters.natural, strict=True):
        if block.intercept is None:
            continue
        away, j = kernel.farthest(z, B, block.intercept)
        if not away > FAR:
            continue
        column = block.columns[j]
        warn(
            f"the random effects of {block.text()} refer to {column} = 0, which is {away:.1g} times "
            f"the spread of {column} away from the data: their variances, covariances and theta have less "
            "than four digits there, while the criterion, sigma and fitted values are right. Subtract the "
            f"mean first, for example center({column})",
            ConvergenceWarning,
        )
