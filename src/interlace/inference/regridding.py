"""Estimates brought to another scale, as if they were what the model estimates."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from interlace.arrays import Array
from interlace.errors import DataError
from interlace.inference.given_source import GivenSource
from interlace.inference.means_rows import MeansRows
from interlace.inference.means_view import LINK, RESPONSE, View, back, bias_of, way_back
from interlace.inference.response_scale import ResponseScale, named_scale

Means = TypeVar("Means", bound=MeansRows)


def regridded(means: Means, transform: str, view: View) -> Means:
    """The estimates on the scale of the response, or on one that is reached from there.

    Raises
    ------
    DataError
        The way back from the scale of the model is not known; `transform` is no scale, or an estimate has no
        place on it.
    """
    target = None if transform == RESPONSE else named_scale(transform)
    values: Array = means.estimate
    slope: Array = np.ones(len(means))
    said: list[str] = []
    if means.scale is not None:
        scale = way_back(means.scale)
        values, slope = back(scale, values, bias_of(means, view))
        said.append(f"on the scale of the response, back from {scale.name}")
    if target is not None:
        values, slope = _moved(target, values, slope)
        said.append(f"brought to the {target.name} scale")
    covariance = means.source.vcov(means.L) * np.outer(slope, slope)
    return replace(
        means,
        source=GivenSource(values, covariance, means.df, means.source.ddf),
        L=np.eye(len(means)),
        shift=np.zeros(len(means)),
        said=(*means.said, *said),
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
