"""The fitted model with absorbed factors: what it answers, and what it refuses to answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from interlace.estimation.beside_levels import ROWS_LEAVE, refuse_absorbed
from interlace.estimation.fit import Fit
from interlace.model.linear import LinearMixedModel
from interlace.prediction import absorbed_levels
from interlace.tables.table import Table

if TYPE_CHECKING:
    from interlace.refitting.specification import MixedSpecification

_NO_SPLIT = "the share of the absorbed levels in it is not computed"

#: Methods whose answer would be wrong beside absorbed factors, or is not known to be right, and why.
REFUSED: dict[str, str] = {
    **dict.fromkeys(("influence", "dfbetas", "case_delete", "cross_validate"), ROWS_LEAVE),
    **dict.fromkeys(("hlm_resid", "compare_eb_ls", "rotate_ranef", "leverage"), _NO_SPLIT),
    **dict.fromkeys(
        ("check", "augment", "quantile_residuals"), "some of its parts are of single rows or levels"
    ),
    "stream": "its rows are in memory, and m.fitted and m.residuals() have them",
    "collinearity": "it is that of the columns of X before the absorbed factors are taken from them",
    "permutation_test": "rows would be permuted as if there were no absorbed factors",
    "multistart": "it is not tried beside absorbed factors",
    "emmip": "its means are not looked at beside absorbed levels; ask for .emmeans(...) or emtrends",
}


def _refused(name: str, why: str) -> Callable[..., None]:
    def method(self: Any, *args: Any, **options: Any) -> None:
        refuse_absorbed(self.fit.encoding, f"m.{name}", why)

    method.__name__ = name
    method.__doc__ = f"Refused: {why}."
    return method


class AbsorbedModel(LinearMixedModel):
    """A linear mixed model with absorbed factors, `lmer("y ~ x + (1 | worker) | firm + year", data)`.

    The levels of the factors after the bar are fixed effects of which no column is made. All that is said of
    the other coefficients is what the model with a dummy variable for each level says. There is no
    coefficient "Intercept" where an absorbed factor has intercepts.

    Methods that would need more than that raise a `ModelError` that says why.
    """

    def absorbed(self) -> Table:
        """The estimated effects of the levels of the absorbed factors.

        Returns
        -------
        Table
            A row for each coefficient of each level: `factor, level, coefficient, estimate, component`.
            `component` numbers sets of levels that no chain of rows connects to each other: effects are
            comparable within one. The note states the normalisation: in each component the first level of
            every factor with intercepts, but the first such factor, has the intercept 0, and slopes that
            depend on other coefficients are 0.

        Notes
        -----
        The estimates are those of least squares of ``y - X beta - Z b`` on the levels, at the estimates of
        beta and the conditional modes of b: what the mixed model equations give.
        """
        return absorbed_levels.level_table(self._fit)

    @property
    def plot(self) -> Any:
        """Refused: pictures are of diagnostics that are not there."""
        refuse_absorbed(self.fit.encoding, "m.plot", "its pictures are of diagnostics that are not computed")


for _name, _why in REFUSED.items():
    setattr(AbsorbedModel, _name, _refused(_name, _why))


def model_of(fit: Fit, asked: MixedSpecification) -> LinearMixedModel:
    """The model that a user holds of a fit, and of what was asked for."""
    model: LinearMixedModel = LinearMixedModel._holding(fit, asked)
    return model
