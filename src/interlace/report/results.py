"""All results of a fit as plain data, ready for strict JSON: no NaN, no infinity, no numpy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from interlace.estimation import likelihood
from interlace.estimation.fit import Fit
from interlace.inference.estimates import by_the_model, fixed_effects
from interlace.precision.df import Ddf
from interlace.precision.singular import is_singular
from interlace.prediction.ranef import conditional_covariance, modes, n_groups
from interlace.report.convergence import convergence
from interlace.variances.varcorr import varcorr_table


def results(fit: Fit, ddf: Ddf) -> dict[str, Any]:
    """Every result of the fit; numbers that do not exist (NaN, infinite) are None."""
    estimates = by_the_model(fit)
    tested = fixed_effects(fit, ddf).table()
    facts = convergence(fit)
    found = {
        "formula": fit.encoding.formula.text or str(fit.encoding.formula),
        "method": "REML" if fit.reml else "ML",
        "nobs": likelihood.n_obs(fit),
        "n_missing": fit.rows.n_read - likelihood.n_obs(fit),
        "ngroups": n_groups(fit),
        "criterion": fit.optimum.value,
        "loglik": fit.loglik,
        "deviance": likelihood.deviance(fit),
        "aic": likelihood.aic(fit),
        "bic": likelihood.bic(fit),
        "df_resid": likelihood.df_resid(fit),
        "sigma": fit.sigma,
        "theta": fit.solution.theta,
        "fixef": dict(zip(estimates.labels, estimates.estimate, strict=True)),
        "se": dict(zip(estimates.labels, estimates.se, strict=True)),
        "vcov": {"names": estimates.labels, "values": estimates.vcov},
        "coefficients": {
            "ddf": ddf.name,
            **dict(tested),
            "names": estimates.labels,
            "note": tested.note,
        },
        "dropped": fit.dropped,
        "absorbed": {
            str(one.term): {"levels": one.grouping.n_levels, "rank": one.rank}
            for one in fit.encoding.absorbed
        },
        "varcorr": varcorr_table(fit).to_dict("records"),
        "ranef": _random_effects(fit),
        "is_singular": is_singular(fit),
        "convergence": {
            "status": facts.status,
            "scaled_gradient": facts.scaled_gradient,
            "smallest_eigenvalue": facts.smallest_eigenvalue,
            "evaluations": facts.evaluations,
            "singular": facts.singular,
            "unidentified": facts.unidentified,
        },
    }
    said: dict[str, Any] = plain(found)
    return said


def plain(value: Any) -> Any:
    """`value` with mappings as dicts, sequences and arrays as lists, and only finite numbers.

    >>> plain({"a": np.array([1.0, np.nan]), 2: ("b", np.int64(3))})
    {'a': [1.0, None], '2': ['b', 3]}
    """
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple | pd.Index | pd.Series):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)


def _random_effects(fit: Fit) -> dict[str, Any]:
    covariance = conditional_covariance(fit)
    return {
        group: {
            "levels": table.index,
            "names": table.columns,
            "modes": table.to_numpy(),
            "sd": np.sqrt(np.diagonal(covariance[group], axis1=1, axis2=2)),
        }
        for group, table in modes(fit).items()
    }
