"""What an `EMMeans` can be asked to draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlace.errors import DataError
from interlace.inference import means_pictures as pictures
from interlace.inference.means_list import MeansList
from interlace.inference.means_pictures import Drawn
from interlace.inference.means_rows import MeansRows
from interlace.options import number, switch
from interlace.tables.table import Table

if TYPE_CHECKING:
    from interlace.pictures.axes import Axes, OneOrMoreAxes


class Pictures(MeansRows):
    """Pictures of the rows, and of the differences of them.

    They need matplotlib (``pip install 'interlace[plot]'``). Each takes the axes to draw in, or makes new
    ones, and gives them back.
    """

    def plot(
        self: Drawn,
        *,
        comparisons: bool = False,
        alpha: float = 0.05,
        adjust: str | None = None,
        ax: Any = None,
    ) -> Axes:
        """A dot with its interval for each row, on the scale of `confint`, in the groups of `by`.

        Parameters
        ----------
        comparisons : bool
            With an arrow from each mean towards those that are smaller, and one towards those that are
            larger: where two arrows that point at each other do not meet, the means differ (the arrows of R's
            emmeans). Where not all pairs can be shown so, the words above the picture say which.
        alpha, adjust
            Of the tests behind the arrows: p-values below it tell means apart, by Tukey's method unless
            another is chosen.
        ax : matplotlib.axes.Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        MissingPackageError
            matplotlib is not installed.
        DataError
            An option is not understood.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("score ~ Machine + (1 | Worker)", interlace.datasets.load("machines"))
        >>> ax = m.emmeans("Machine").plot(comparisons=True)
        >>> [label.get_text() for label in ax.get_yticklabels()]
        ['A', 'B', 'C']
        """
        drawn: Axes = pictures.dots(self, switch("comparisons", comparisons), _share(alpha), adjust, ax)
        return drawn

    def emmip(
        self: Drawn, formula: str | None = None, *, intervals: bool = True, ax: Any = None
    ) -> OneOrMoreAxes:
        """An interaction plot: the means along a variable, a line for each level of others.

        Parameters
        ----------
        formula : str, optional
            ``"A ~ x | B"``: lines for A along x, a panel for each B; ``"~ x"`` is one line. By default the
            first column goes along, the others make lines, groups make panels.
        intervals : bool
            With the intervals of `confint`.
        ax : matplotlib.axes.Axes, or an array of them, optional
            Where to draw: as many as there are panels.

        Returns
        -------
        matplotlib.axes.Axes
            An array of them where there are several panels.

        Raises
        ------
        MissingPackageError, DataError
            As for `plot`; a column of the means has no place in `formula`.

        Examples
        --------
        >>> import interlace
        >>> oats = interlace.datasets.load("oats")
        >>> m = interlace.lmer("yield ~ factor(nitro) * Variety + (1 | Block/Variety)", oats)
        >>> ax = m.emmeans(["nitro", "Variety"]).emmip("Variety ~ nitro")
        >>> [line.get_label() for line in ax.get_lines()]
        ['Golden Rain', 'Marvellous', 'Victory']
        """
        roles = pictures.roles_of(self.labels, formula)
        return pictures.interaction_plot(self, roles, switch("intervals", intervals), ax)

    def pwpp(self: Drawn, *, adjust: str | None = None, alpha: float = 0.05, ax: Any = None) -> Axes:
        """The p-values of all differences: a line at each of them that links the two means.

        Parameters
        ----------
        adjust : str, optional
            As for `pairs`.
        alpha : float
            Where a dashed line stands.
        ax : matplotlib.axes.Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        MissingPackageError, DataError
            As for `plot`.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("score ~ Machine + (1 | Worker)", interlace.datasets.load("machines"))
        >>> ax = m.emmeans("Machine").pwpp()
        >>> [label.get_text() for label in ax.get_yticklabels()]
        ['C  [66.3]', 'B  [60.3]', 'A  [52.4]']
        """
        drawn: Axes = pictures.p_value_plot(self, _share(alpha), adjust, ax)
        return drawn

    def pwpm(self: Drawn, *, adjust: str | None = None) -> Table | MeansList[Table]:
        """Means, their differences and p-values as one square table of text.

        Parameters
        ----------
        adjust : str, optional
            As for `pairs`.

        Returns
        -------
        Table
            Means on the diagonal, p-values above it, differences below it; one for each group.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("score ~ Machine + (Machine | Worker)", interlace.datasets.load("machines"))
        >>> m.emmeans("Machine").pwpm(adjust="none")
          A       B        C
        A [52.36] 0.021693 0.000277
        B -7.967  [60.32]  0.059229
        C -13.917 -5.950   [66.27]
        means on the diagonal, p-values above it, differences (column less row) below it
        """
        return pictures.p_value_matrix(self, adjust)


def _share(alpha: Any) -> float:
    if not 0 < number("alpha", alpha) < 1:
        raise DataError(f"alpha must lie between 0 and 1, not {alpha:g}")
    return float(alpha)
