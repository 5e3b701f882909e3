"""What is known of each level of the grouping factors."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from interlace.model.fitted import Fitted
from interlace.options import switch
from interlace.prediction import ranef
from interlace.tables.by_group import ByGroup

if TYPE_CHECKING:
    import pandas as pd

    from interlace.arrays import Array


class Levels(Fitted):
    """What is known of each level of the grouping factors."""

    @overload
    def ranef(self, group: None = None, *, condvar: bool = False) -> ByGroup: ...

    @overload
    def ranef(self, group: str, *, condvar: bool = False) -> pd.DataFrame: ...

    def ranef(self, group: str | None = None, *, condvar: bool = False) -> ByGroup | pd.DataFrame:
        """Conditional modes of the random effects: {grouping factor: table of levels by effects}.

        Parameters
        ----------
        group : str, optional
            A grouping factor: its table alone.
        condvar : bool
            True adds conditional standard deviations: the columns are then `("mode", effect)` and
            `("sd", effect)`, so that `table["mode"]` is the table of `condvar=False`. `condvar()` has the
            whole covariance matrices.

        Returns
        -------
        dict, or DataFrame
            `.long()` of the dict has a row for each number: `group, level, term, estimate` (and `sd`).

        Raises
        ------
        DataError
            There is no such grouping factor.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
        >>> print(m.ranef("Subject").round(2).head(2).to_string())
                 Intercept  Days
        Subject
        308           2.26  9.20
        309         -40.40 -8.62
        >>> print(m.ranef(condvar=True).long().head(2).round(2).to_string())
             group level       term  estimate     sd
        0  Subject   308  Intercept      2.26  12.07
        1  Subject   309  Intercept    -40.40  12.07
        """
        found = ranef.modes_with_sd(self._fit) if switch("condvar", condvar) else ranef.modes(self._fit)
        tables = ByGroup(found)
        return tables if group is None else tables.of(group)

    @property
    def random_effects(self) -> ByGroup:
        """statsmodels' name of ``ranef()``."""
        return self.ranef()

    @overload
    def condvar(self, group: None = None) -> dict[str, Array]: ...

    @overload
    def condvar(self, group: str) -> Array: ...

    def condvar(self, group: str | None = None) -> dict[str, Array] | Array:
        """Conditional covariance matrices of the random effects: {grouping factor: array (levels, k, k)}.

        Levels and effects stand in the order of the rows and columns of `ranef()`; of one grouping factor
        the array alone.
        """
        found = ranef.conditional_covariance(self._fit)
        if group is None:
            return found
        ByGroup(ranef.modes(self._fit)).of(group)
        return found[group]

    @overload
    def coef(self, group: None = None) -> ByGroup: ...

    @overload
    def coef(self, group: str) -> pd.DataFrame: ...

    def coef(self, group: str | None = None) -> ByGroup | pd.DataFrame:
        """Fixed plus random coefficients: {grouping factor: table of levels by coefficients}.

        Of one grouping factor the table alone; `.long()` of the dict has a row for each number.
        """
        tables = ByGroup(ranef.coefficients(self._fit))
        return tables if group is None else tables.of(group)
