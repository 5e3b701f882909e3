"""What is known of each level of the grouping factors."""

from __future__ import annotations

import numpy as np
import pandas as pd

from interlace.model.fitted import Fitted
from interlace.options import switch
from interlace.prediction import ranef


class Levels(Fitted):
    """What is known of each level of the grouping factors."""

    def ranef(self, *, condvar: bool = False) -> dict[str, pd.DataFrame]:
        """Conditional modes of the random effects: {grouping factor: table of levels by effects}.

        Parameters
        ----------
        condvar : bool
            True adds conditional standard deviations: the columns are then `("mode", effect)` and
            `("sd", effect)`, so that `table["mode"]` is the table of `condvar=False`. `condvar()` has the
            whole covariance matrices.
        """
        return ranef.modes_with_sd(self._fit) if switch("condvar", condvar) else ranef.modes(self._fit)

    def condvar(self) -> dict[str, np.ndarray]:
        """Conditional covariance matrices of the random effects: {grouping factor: array (levels, k, k)}.

        Levels and effects stand in the order of the rows and columns of `ranef()`.
        """
        return ranef.conditional_covariance(self._fit)

    def coef(self) -> dict[str, pd.DataFrame]:
        """Fixed plus random coefficients: {grouping factor: table of levels by coefficients}."""
        return ranef.coefficients(self._fit)
