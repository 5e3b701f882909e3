"""How much the terms of the fixed part share: generalised variance inflation."""

from __future__ import annotations

import numpy as np

from interlace.estimation.fit import Fit
from interlace.refitting.profile import check_level
from interlace.tables.table import Table

LARGEST = 500.0  # a logit


def collinearity(fit: Fit, level: object = 0.95) -> Table:
    """GVIF of each term of the fixed part, by Fox and Monette; intervals by Marcoulides and Raykov.

    ``det R_t det R_-t / det R`` for the correlation matrix R of the coefficients without the intercept, those
    of the term and the others.

    Raises
    ------
    DataError
        `level` is not between 0 and 1.
    """
    from scipy import special  # slow to import

    level = check_level(level)
    terms = [(name, _kept(fit, columns)) for name, columns in fit.encoding.fixed_terms if name != "1"]
    terms = [(name, places) for name, places in terms if places]
    every = [place for _, places in terms for place in places]
    values, labels, df = [], [], []
    if len(terms) > 1:
        C = fit.vcov[np.ix_(every, every)]
        unit = 1 / np.sqrt(np.diagonal(C))
        R = C * np.outer(unit, unit)
        for name, places in terms:
            own = [every.index(place) for place in places]
            rest = [j for j in range(len(every)) if j not in own]
            log = [np.linalg.slogdet(R[np.ix_(some, some)])[1] for some in (own, rest, range(len(every)))]
            values.append(np.exp(log[0] + log[1] - log[2]))
            labels.append(name)
            df.append(len(own))
    found = np.array(values)
    n, p = fit.A.n, len(fit.names)
    low, high = np.full(len(found), np.nan), np.full(len(found), np.nan)
    more = found > 1 + 1e-12
    r = 1 - 1 / found[more]
    se = np.sqrt((1 - r**2) ** 2 * (n - p - 1) ** 2 / ((n**2 - 1) * (n + 3))) / (r * (1 - r))
    half = special.ndtri((1 + level) / 2) * se
    low[more], high[more] = (  # 1 / (1 - expit(v)) = 1 + exp(v)
        1 + np.exp(np.minimum(special.logit(r) + side * half, LARGEST)) for side in (-1, 1)
    )
    columns = {"vif": found, "lower": low, "upper": high, "df": np.array(df, dtype=float)}
    columns["gvif_root"] = found ** (1 / (2 * np.maximum(columns["df"], 1)))
    return Table.of(columns, labels, name="term", note=f"{level:.12g} intervals; gvif_root: vif^(1 / (2 df))")


def _kept(fit: Fit, columns: slice) -> list[int]:
    """Places among the coefficients of the columns of X of a term that are in the model."""
    wanted = range(len(fit.encoding.fixed_names))[columns]
    return [place for place, j in enumerate(fit.kept) if j in wanted]
