"""Estimates brought to another scale, as if they were what the model estimates."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from interlace.arrays import Array
from interlace.errors import DataError
from interlace.inference.given_source import GivenSource
from interlace.inference.means_rows import MeansRows
from interlace.inference.means_view import LINK, MEANS, RESPONSE, View, back, bias_of, labels_there, way_back
from interlace.inference.response_scale import ResponseScale, named_scale

Means = TypeVar("Means", bound=MeansRows)


def regridded(means: Means, transform: str, view: View) -> Means:
    """The estimates on the scale of the response, or on one that is reached from there.

    Raises
    ------
    DataError
        The way back from the scale of the model is not known; `transform` is no scale, or an estimate has no
        place on it; contrasts are to be brought to a scale of their own.
    """
    target = None if transform == RESPONSE else named_scale(transform)
    if target is not None and means.kind != MEANS:
        raise DataError(
            f"{means.kind} have no {target.name} scale of their own: regrid the means, and take them "
            "from what comes out"
        )
    values: Array = means.estimate
    slope: Array = np.ones(len(means))
    labels, said = means.labels, ""
    if means.scale is not None:
        scale = way_back(means.scale)
        values, slope = back(scale, values, bias_of(means, view))
        labels = labels_there(means.kind, labels)
        said = f"on the scale of the response, back from {scale.name}"
    if target is not None:
        values, slope = _moved(target, values, slope)
        said = f"brought to the {target.name} scale by way of the response"
    covariance = means.source.vcov(means.L) * np.outer(slope, slope)
    return replace(
        means,
        source=GivenSource(values, covariance, means.df, means.source.ddf),
        L=np.eye(len(means)),
        shift=np.zeros(len(means)),
        labels=labels,
        said=(*means.said, *([said] if said else [])),
        scale=target,
        view=replace(view, type=view.type if target is not None else LINK, bias_adjust=False),
    )


def _moved(target: ResponseScale, values: Array, slope: Array) -> tuple[Array, Array]:
    there = target.transform(values)
    lost = np.isnan(values) < ~np.isfinite(there)
    if lost.any():
        raise DataError(
            f"the estimate {values[lost][0]:.6g} has no place on the {target.name} scale: leave such rows out"
        )
    return there, slope / target.slope(there)
