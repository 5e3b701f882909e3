"""The same model for many responses of its rows (genes, voxels, draws): one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.estimation.answering import Given
from interlace.estimation.fit import Fit
from interlace.estimation.many import Many, fit_many, fits_at
from interlace.inference.adjust import CROSS_METHODS, across
from interlace.inference.estimates import p_values
from interlace.options import word
from interlace.precision.satterthwaite import without_note
from interlace.refitting.parallel import in_threads
from interlace.refitting.refit import read_responses, refit
from interlace.tables.table import Table
from interlace.variances.natural import parameter_names, parameters_of_many

DDF = ("satterthwaite", "asymptotic")
BLOCK = 100  # responses that a thread takes at once


def refit_table(
    fit: Fit, Y: Any, *, reml: bool | None, ddf: str, adjust: str, n_jobs: int, progress: bool | None
) -> Table:
    """See `LinearMixedModel.refit`."""
    ddf, adjust = word("ddf", ddf, DDF), word("adjust", adjust, CROSS_METHODS)
    fit = refit(fit, reml=reml)
    names, values = read_responses(fit.rows, Y)
    responses = Given(values)
    blocks = [responses[start : start + BLOCK] for start in range(0, len(responses), BLOCK)]

    found = in_threads(
        lambda some: fit_many(fit, some),
        blocks,
        len(blocks),
        n_jobs=n_jobs,
        shown=progress,
        label="responses",
    )
    if ddf == "asymptotic":
        df = [np.full(many.beta.shape, np.inf) for many in found]
    else:  # hardly anything of it is done without the lock of the interpreter: two threads take longer
        df = in_threads(
            lambda one: _satterthwaite(fit, *one),
            zip(blocks, found, strict=True),
            len(blocks),
            n_jobs=1,
            shown=progress,
            label="degrees of freedom",
        )
    return _table(fit, names, found, np.vstack(df), adjust)


def _satterthwaite(fit: Fit, responses: Given, many: Many) -> Array:
    df = np.full(many.beta.shape, np.nan)
    for j, again in enumerate(fits_at(fit, responses, many)):
        if again is not None:
            df[j] = without_note(again).df(np.eye(len(fit.names)))
    return df


def _table(fit: Fit, names: Sequence[Any], found: list[Many], df: Array, adjust: str) -> Table:
    beta, se = np.vstack([many.beta for many in found]), np.vstack([many.se for many in found])
    status = [word for many in found for word in many.status]
    errors = [error for many in found for error in many.errors]
    r, p = beta.shape
    parameters = np.vstack([parameters_of_many(fit, many) for many in found])
    random = parameters[:, : parameters.shape[1] - p]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = beta / se
    tested = p_values(t, df)
    family = np.empty((r, p))
    for j in range(p):
        family[:, j] = across(tested[:, j], adjust)
    blank = np.full(random.shape, np.nan)
    terms = [*fit.names, *parameter_names(fit)[: random.shape[1]]]
    columns: dict[str, Any] = {
        "response": np.repeat(np.asarray(names, dtype=object), len(terms)),
        "effect": np.tile(["fixed"] * p + ["random"] * random.shape[1], r),
        "term": np.tile(np.asarray(terms, dtype=object), r),
        "estimate": np.hstack([beta, random]).ravel(),
    }
    tests = {"se": se, "df": df, "t": t, "p": tested, "p_adjusted": family}
    columns |= {name: np.hstack([values, blank]).ravel() for name, values in tests.items()}
    columns["converged"] = np.repeat([one == "converged" for one in status], len(terms))
    failed = [(name, error) for name, error in zip(names, errors, strict=True) if error is not None]
    note = [f"p_adjusted: {adjust} over the {r} responses of each term"] if adjust != "none" else []
    note += [f"{len(failed)} responses were not fitted; {name!r}: {error}" for name, error in failed[:1]]
    return Table.of(columns, note=note)
