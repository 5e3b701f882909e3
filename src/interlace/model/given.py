"""A model that was fitted elsewhere, as far as marginal means go."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from interlace.errors import DataError, shown
from interlace.estimation.fit import Fit
from interlace.inference import emmeans, grid, means_labels, variables
from interlace.model.means import Means
from interlace.options import MODEL
from interlace.precision import memory
from interlace.tables import markup
from interlace.text import listed

if TYPE_CHECKING:
    from interlace.inference.emmeans import EMMeans
    from interlace.inference.given_fit import GivenDdf, GivenFit
    from interlace.precision.df import DdfLike, VcovLike
    from interlace.precision.wald import Ddf

DEFAULT = "satterthwaite"


class GivenMemory:
    """The one covariance and the degrees of freedom that were given."""

    def __init__(self, given: GivenDdf) -> None:
        self._given = given

    def ddf(self, ddf: DdfLike, vcov: VcovLike = MODEL, cluster: Any = None) -> Ddf:
        """What was given.

        Raises
        ------
        DataError
            Another covariance or other degrees of freedom are asked for.
        """
        if vcov != MODEL or ddf != DEFAULT or cluster is not None:
            asked = (
                f"ddf={shown(ddf)}"
                if ddf != DEFAULT
                else f"cluster={shown(cluster)}"
                if cluster is not None
                else f"vcov={shown(vcov)}"
            )
            raise DataError(
                f"{asked} cannot be had of coefficients that were fitted elsewhere: give qdrg another vcov, "
                "or another df"
            )
        return self._given


class GivenModel(Means):
    """Coefficients and their covariance from elsewhere, as `interlace.qdrg` takes them.

    `emmeans`, `emtrends`, `joint_tests` and `emmip` are those of fitted models. All else that an `EMMeans`
    has, such as `frame`, `contrast` and `test`, is that of `grid`.
    """

    def __init__(self, fit: GivenFit, ddf: GivenDdf) -> None:
        self._given = fit
        self._fit = cast(Fit, fit)  # marginal means ask nothing else of a fit
        self._memory = cast(memory.Memory, GivenMemory(ddf))

    @cached_property
    def grid(self) -> EMMeans:
        """The fixed part at all combinations of the levels of its variables."""
        found = self.emmeans(list(self._variables()) or "1")
        assert isinstance(found, emmeans.EMMeans)
        return found

    def _variables(self) -> dict[str, tuple[Any, ...]]:
        found = grid.ReferenceGrid.of(self._fit, variables.Asked({}))
        return {name: variable.levels for name, variable in found.variables.items()}

    def __len__(self) -> int:
        return len(self.grid)

    def __getitem__(self, rows: Any) -> EMMeans:
        """Some rows of `grid`."""
        return self.grid[rows]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not (
            hasattr(emmeans.EMMeans, name) or name in emmeans.EMMeans.__dataclass_fields__
        ):
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return getattr(self.grid, name)

    def __repr__(self) -> str:
        heading, rows, note = self._said()
        return "\n".join([f"{heading}, with the variables", *(f"    {a} = {b}" for a, b in rows), note])

    def _repr_html_(self) -> str:
        heading, rows, note = self._said()
        return markup.page(
            markup.table_html(heading, ("variable", "levels"), rows, "ll"), markup.paragraphs([note])
        )

    def _said(self) -> tuple[str, list[tuple[str, str]], str]:
        """What the coefficients are of, the variables with their levels, and the degrees of freedom."""
        rows = [(name, listed(list(map(means_labels.text, v)))) for name, v in self._variables().items()]
        note = f"degrees of freedom: {self._memory.ddf(DEFAULT).name}"
        return f"Coefficients of {self._given.encoding.formula.text}", rows, note
