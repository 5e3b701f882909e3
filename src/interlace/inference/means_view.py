"""The scale that tables of means are on: that of the model, or that of the response."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from interlace.arrays import Array
from interlace.errors import DataError, shown
from interlace.frozen import dataclass
from interlace.inference.means_labels import RowLabels, holds_contrasts
from interlace.inference.response_scale import NoWayBack, ResponseScale
from interlace.options import number, switch, word

MEANS, CONTRASTS, TRENDS = "means", "contrasts", "trends"
LINK, RESPONSE = "link", "response"
TYPES = (LINK, RESPONSE)
BENT_STEP = 3e-5  # of the derivative of a second derivative, which may be one by differences itself


@dataclass(frozen=True, slots=True)
class View:
    """How estimates are shown.

    Attributes
    ----------
    type : {"link", "response"}
    bias_adjust : bool
        Whether what is back on the scale of the response are means, and not medians.
    sigma : float or None
        The standard deviation on the scale of the model that a user gave.
    residual : float or None
        That of the residuals, which takes its place.
    """

    type: str = LINK
    bias_adjust: bool = False
    sigma: float | None = None
    residual: float | None = None

    def asked(self, type: Any, bias_adjust: Any, sigma: Any) -> View:
        """Another view; None leaves an option as it is.

        Raises
        ------
        DataError
            An option is not understood.
        """
        found = self
        if type is not None:
            found = replace(found, type=word("type", type, TYPES))
        if bias_adjust is not None:
            found = replace(found, bias_adjust=switch("bias_adjust", bias_adjust))
        if sigma is not None:
            found = replace(found, sigma=_positive(sigma))
        return found

    @property
    def spread(self) -> float:
        """The standard deviation that counts.

        Raises
        ------
        DataError
            There is none.
        """
        found = self.residual if self.sigma is None else self.sigma
        if found is None:
            raise DataError(
                "sigma is needed: the standard deviation of an observation on the scale of the model"
            )
        return found

    @property
    def bias(self) -> float:
        """The standard deviation of the bias adjustment, 0 without one."""
        return self.spread if self.bias_adjust else 0.0

    @property
    def words(self) -> str:
        """What `spread` is, for notes."""
        own = "" if self.sigma is not None else ", that of the residuals (sigma= gives another)"
        return f"sigma = {self.spread:.5g}{own}"


def _positive(sigma: Any) -> float:
    value = number("sigma", sigma)
    if not value >= 0:
        raise DataError(f"sigma must not be below zero, and is {shown(sigma)}")
    return value


def way_back(scale: ResponseScale | NoWayBack) -> ResponseScale:
    """The scale, if its way back is known.

    Raises
    ------
    DataError
        It is not.
    """
    if isinstance(scale, NoWayBack):
        raise DataError(
            f"{scale.reason}, so that there is no way back to the scale of the response: tell it by "
            "interlace.register_scale(...)"
        )
    return scale


def back(scale: ResponseScale, value: Array, bias: float) -> tuple[Array, Array]:
    """Values on the scale of the response, (m,), and their derivatives, (m,).

    With a standard deviation `bias` half the second derivative of the inverse times its square is added.
    """
    found, slope = scale.inverse(value), scale.slope(value)
    if not bias:
        return found, slope
    half = bias**2 / 2
    step = BENT_STEP * np.maximum(np.abs(value), 1.0)
    bent = (scale.curvature(value + step) - scale.curvature(value - step)) / (2 * step)
    return found + half * scale.curvature(value), slope + half * bent


class Viewed(Protocol):
    """What is shown."""

    @property
    def kind(self) -> str:
        """Means, contrasts or trends."""
        ...

    @property
    def scale(self) -> ResponseScale | NoWayBack | None:
        """How the response was transformed."""
        ...


def bias_of(means: Viewed, view: View) -> float:
    """The standard deviation of the bias adjustment; 0 for ratios, which it leaves as they are."""
    return view.bias if means.kind == MEANS else 0.0


def on_view(means: Viewed, view: View, columns: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The columns of a table on the scale that is wanted, and what is said of it.

    Raises
    ------
    DataError
        The way back is not known.
    """
    if means.scale is None:
        return columns, []
    if view.type == LINK:
        return columns, [f"on the {means.scale.name} scale, not that of the response"]
    scale, bias = way_back(means.scale), bias_of(means, view)
    estimate, slope = back(scale, columns["estimate"], bias)
    found = columns | {"estimate": estimate, "se": np.abs(slope) * columns["se"]}
    if "lower" in columns:
        ends = [back(scale, columns[name], bias)[0] for name in ("lower", "upper")]
        found |= {"lower": np.minimum(*ends), "upper": np.maximum(*ends)}
    what = scale.ratios if means.kind == CONTRASTS else "values"
    said = [f"{what} back from the {scale.name} scale"]
    if bias:
        said.append(f"bias adjustment by {view.words}")
    elif view.bias_adjust and means.kind == CONTRASTS:
        said.append(f"bias adjustment leaves {scale.ratios} as they are")
    for name in columns if means.kind == CONTRASTS else ():
        if holds_contrasts(name):
            found[name] = [as_ratio(label) for label in columns[name]]
    return found, said


def labels_there(kind: str, labels: RowLabels) -> RowLabels:
    """What stands beside estimates that are back: differences are ratios then."""
    if kind != CONTRASTS:
        return labels
    columns = {
        name: tuple(map(as_ratio, values)) if holds_contrasts(name) else values
        for name, values in labels.columns.items()
    }
    return replace(labels, columns=columns)


def as_ratio(label: str) -> str:
    """``a / b`` for ``a - b``, but for what stands in parentheses."""
    depth, found = 0, ""
    for i, character in enumerate(label):
        depth += (character == "(") - (character == ")")
        minus = character == "-" and label[i - 1 : i + 2] == " - " and not depth
        found += "/" if minus else character
    return found


def confidence(level: Any) -> float:
    """A confidence level.

    Raises
    ------
    DataError
        It does not lie between 0 and 1.
    """
    if not 0 < number("level", level) < 1:
        raise DataError(f"level must lie between 0 and 1, not {shown(level)}")
    return float(level)
