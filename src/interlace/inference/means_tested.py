"""Intervals and tests of rows of means."""

from __future__ import annotations

from interlace.errors import DataError
from interlace.inference import adjust as adjusting
from interlace.inference import families, means_tables
from interlace.inference.families import NONE, TWO_SIDED
from interlace.inference.means_rows import MeansRows
from interlace.inference.means_view import confidence
from interlace.options import number, switch, word
from interlace.tables.table import Table


class Tested(MeansRows):
    """Intervals and tests of rows of means."""

    @property
    def frame(self) -> Table:
        """A row per mean: its factors, `estimate`, `se`, `df`, `lower`, `upper`, without adjustment."""
        return means_tables.intervals(self, means_tables.Limits(self.level, NONE), self.view)

    def to_frame(self) -> Table:
        """`frame`."""
        return self.frame

    def confint(
        self,
        level: float | None = None,
        *,
        adjust: str | None = None,
        side: str = TWO_SIDED,
        interval: str = means_tables.CONFIDENCE,
        type: str | None = None,
        bias_adjust: bool | None = None,
        sigma: float | None = None,
    ) -> Table:
        """Confidence intervals, or prediction intervals: the columns of `frame`.

        Parameters
        ----------
        level : float, optional
            That of the means by default.
        adjust : str, optional
            How the intervals of a group are adjusted for being several; see `test`. By default as the kind of
            contrast has it, and not at all for means.
        side : {"two-sided", ">", "<"}
            ">" gives lower limits alone, "<" upper limits alone.
        interval : {"confidence", "prediction"}
            "prediction": of a new observation, with the root of ``se^2 + sigma^2`` in place of `se`.
        type : {"link", "response"}, optional
            The scale of the model, or that of the response; see `LinearMixedModel.emmeans`.
        bias_adjust : bool, optional
            Means of the response in place of medians, where the response is transformed.
        sigma : float, optional
            The standard deviation of an observation on the scale of the model, for prediction intervals and
            `bias_adjust`. Random effects of a new group belong to it; by default it is that of the residuals.

        Raises
        ------
        DataError
            An option is not understood; the way back to the response is not known; or prediction intervals
            of contrasts are asked for.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("log(score) ~ Machine + (1 | Worker)", interlace.datasets.load("machines"))
        >>> m.emmeans("Machine").confint(type="response")["upper"].round(1).tolist()
        [57.6, 65.8, 72.9]
        >>> m.emmeans("Machine").confint(interval="prediction", sigma=0.1)["upper"].round(2).tolist()
        [4.22, 4.35, 4.46]
        """
        asked = means_tables.Limits(
            self.level if level is None else confidence(level),
            families.method(adjust, self.adjust),
            families.side(side),
            word("interval", interval, means_tables.INTERVALS),
        )
        return means_tables.intervals(self, asked, self.view.asked(type, bias_adjust, sigma))

    def test(
        self,
        null: float = 0.0,
        *,
        side: str = TWO_SIDED,
        delta: float = 0.0,
        adjust: str | None = None,
        cross_adjust: str | None = None,
        joint: bool = False,
        type: str | None = None,
        bias_adjust: bool | None = None,
        sigma: float | None = None,
    ) -> Table:
        """Tests of each row, or of all rows of a group at once.

        Parameters
        ----------
        null : float
            The value under the hypothesis, on the scale of the model.
        side : {"two-sided", ">", "<"}
            What the alternative is. "greater" and "less" are known too.
        delta : float
            Above zero: a test of equivalence (two-sided), of non-inferiority (">") or of non-superiority
            ("<") with this threshold.
        adjust : str, optional
            How p-values of a group are adjusted for being several: "none", "tukey", "bonferroni", "holm", ...
            By default as the kind of contrast has it, and not at all for means.
        cross_adjust : str, optional
            How p-values are adjusted once more over the groups, each test with the same test of the others:
            "none", "bonferroni", "sidak", "holm", ... Intervals know no such thing.
        joint : bool
            One F test of all rows of a group.
        type, bias_adjust, sigma
            As for `confint`. Tests are made on the scale of the model, whatever `type` says.

        Returns
        -------
        Table
            The factors, then `estimate`, `se`, `df`, `t`, `p`; or `F`, `num_df`, `den_df`, `p` if joint.
        """
        null = number("null", null)
        if switch("joint", joint):
            return means_tables.joint_tests(self, null)
        threshold = number("delta", delta)
        if threshold < 0:
            raise DataError(f"delta must not be below zero, and is {threshold:g}")
        asked = means_tables.Hypotheses(
            null,
            families.side(side),
            threshold,
            families.method(adjust, self.adjust),
            adjusting.cross_method(self.cross_adjust if cross_adjust is None else cross_adjust),
        )
        return means_tables.tests(self, asked, self.view.asked(type, bias_adjust, sigma))
