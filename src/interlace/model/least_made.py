"""What a linear model is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from interlace.estimation.fit import Fit
from interlace.estimation.ols_fit import LeastSquaresFit
from interlace.model.choice import Choice
from interlace.options import MODEL
from interlace.precision import memory

if TYPE_CHECKING:
    from interlace.precision.df import VcovLike
    from interlace.precision.ols_covariance import ResidualDdf
    from interlace.prediction.per_row import Handed
    from interlace.refitting.specification import LinearSpecification


class LeastMade:
    """What a linear model is made of."""

    def __init__(
        self,
        fit: LeastSquaresFit,
        choice: Choice,
        asked: LinearSpecification,
        handed: Handed | None = None,
    ) -> None:
        self._fit = cast(Fit, fit)  # the rooms ask nothing that it does not answer
        self._least, self._choice = fit, choice
        self._asked = asked.changed(context=fit.encoding.memory.context, at_once=False)
        self._memory = cast(memory.Memory, choice)
        self._handed = handed or self._asked.handed(fit.rows)

    def _tests(self, *, ddf: object = None, vcov: VcovLike = MODEL, cluster: Any = None) -> ResidualDdf:
        """What coefficients are tested by: degrees of freedom are those of residuals or of clusters, whatever
        is asked of mixed models."""
        return self._choice.of(vcov, cluster)
