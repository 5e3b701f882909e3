"""What a model assumes, and whether the data speak against it: one line for each assumption."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.errors import DataError, shown
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.options import number
from interlace.precision.singular import is_singular
from interlace.precision.varpar import VarianceParameters
from interlace.prediction.ranef import blocks_by_group, conditional_covariance
from interlace.prediction.residuals import marginal_fitted, residuals
from interlace.refitting.deleted import method_of
from interlace.refitting.deletion import Piece
from interlace.refitting.left_out import cases, row_labels
from interlace.report.added import added, constant, numbers
from interlace.report.check_tests import (
    autocorrelation,
    breusch_pagan,
    influenced,
    means_of,
    normality,
    standardized_modes,
)
from interlace.report.collinearity import collinearity
from interlace.report.named import Named, levels_apart, outlying_levels, outlying_rows
from interlace.report.simulated import Simulated
from interlace.tables.table import Table
from interlace.text import listed
from interlace.variances.varcorr_se import varcorr_se_table

FINE, LOOK, SEEN, SAID = "ok", "look", "see", "-"
MANY_LEVELS = 3_000  # of a factor: beyond this its influence is not asked for
VIF, WEAK = 10.0, 0.5
DRAWS = 2e7  # numbers that simulated responses may be

Without = tuple[str, Callable[[], tuple[float, float]]]


@dataclass(frozen=True, slots=True)
class Line:
    """One check."""

    check: str
    about: str
    statistic: str
    value: float
    p: float
    verdict: str
    reading: str


@dataclass(frozen=True, slots=True)
class Checks:
    """All checks of a fit, at a level `alpha` each."""

    fit: Fit
    alpha: float
    order: Any
    n: int
    seed: object
    parameters: VarianceParameters
    named: Named

    def table(self) -> Table:
        """A row for each line."""
        lines = [line for part in self._parts() for line in part]
        names = ("about", "statistic", "value", "p", "verdict", "reading")
        columns = {name: [getattr(line, name) for line in lines] for name in names}
        note = (
            f"look: p < {self.alpha:g}, or the cut-off that the reading states; each line by itself. "
            "see: so far as rows or levels that other lines name make it so"
        )
        return Table.of(columns, [line.check for line in lines], name="check", note=note)

    def _parts(self) -> Iterator[Iterator[Line]]:
        yield self._residuals()
        yield self._random_effects()
        yield self._spread_by_group()
        yield self._covariates()
        yield self._order()
        yield self._levels()
        yield self._terms()
        yield self._collinear()
        yield self._simulations()

    def _tested(
        self,
        check: str,
        about: str,
        statistic: str,
        found: tuple[float, float],
        bad: str,
        good: str,
        without: Without | None = None,
    ) -> Line:
        """The line of a test; `without` names rows or levels, and has the test without them."""
        value, p = found
        if not np.isfinite(p):
            return Line(check, about, statistic, value, p, SAID, "not tested: too little to test it by")
        if not p < self.alpha:
            return Line(check, about, statistic, value, p, FINE, good)
        if without is not None and without[1]()[1] >= self.alpha:
            return Line(check, about, statistic, value, p, SEEN, f"{bad}; this comes from {without[0]} alone")
        return Line(check, about, statistic, value, p, LOOK, bad)

    # ---- rows ---

    def _residuals(self) -> Iterator[Line]:
        fit, named = self.fit, self.named
        r = residuals(fit, kind="studentized")
        other = np.isfinite(r) & ~named.any
        name, found = normality(r[np.isfinite(r)])
        yield self._tested(
            "normality", "residuals", name, found, "tails or skewness are not normal", "normal",
            self._without(lambda: normality(r[other])[1]),
        )  # fmt: skip
        yield self._tested(
            "heteroscedasticity", "fitted values", "chisq(1)", breusch_pagan(fit),
            "the variance changes with the fitted value", "the variance is the same for all fitted values",
            self._without(lambda: breusch_pagan(fit, ~named.any)),
        )  # fmt: skip
        yield self._outlying_rows()

    def _outlying_rows(self) -> Line:
        t, p = outlying_rows(self.fit)
        worst = np.argsort(-np.nan_to_num(np.abs(t)), kind="stable")
        inside = self.named.spread
        wild = [i for i in worst[: int(self.named.rows.sum())] if not inside[i]]
        labels = row_labels(self.fit)
        bad, within = f"rows {listed([str(labels[i]) for i in wild], 5)}, by Bonferroni's rule", ""
        if count := int((self.named.rows & inside).sum()):
            within = f"{count} in levels of another variance"
            bad = f"{bad}; {within}" if wild else f"rows, {within}"
        found = float(abs(t[worst[0]])), float(p[worst[0]])
        line = self._tested("outlying rows", "residuals", "max |t|", found, bad, "no row lies outside")
        return line if wild or not within else replace(line, verdict=SEEN)

    def _without(self, test: Callable[[], tuple[float, float]]) -> Without | None:
        """The test without the rows that are named, where there are any."""
        if self.named.spread.any():
            return "the outlying rows and the levels of another variance", test
        return ("the outlying rows", test) if self.named.rows.any() else None

    # ---- levels ---

    def _random_effects(self) -> Iterator[Line]:
        fit = self.fit
        for group, blocks in blocks_by_group(fit).items():
            z, distance, k = standardized_modes(fit, blocks)
            for j, column in enumerate(name for i in blocks for name in fit.encoding.random[i].columns):
                there = np.isfinite(z[:, j])
                others = z[there & ~self.named.levels[group], j]
                name, found = normality(z[there, j])
                bad, about = "the random effects are not normal", f"{column}|{group}"
                yield self._tested(
                    "normality",
                    about,
                    name,
                    found,
                    bad,
                    "normal",
                    _normality_of("levels that other lines name", others),
                )
            labels = fit.encoding.random[blocks[0]].levels
            yield self._outlying(group, labels, distance, k)
            yield from self._reliability(group, blocks)

    def _outlying(self, group: str, labels: Array, distance: Array, k: int) -> Line:
        p = outlying_levels(distance, k)
        if not np.isfinite(distance).any():
            found, names = (np.nan, np.nan), ""
        else:
            worst = int(np.nanargmax(distance))
            found = float(distance[worst]), float(p[worst])
            names = listed([str(x) for x in labels[p < self.alpha]], 5)
        codes = self.fit.design.random[blocks_by_group(self.fit)[group][0]].codes
        line = self._tested(
            "outlying levels", group, f"max chisq({k})", found,
            f"levels {names}, by Bonferroni's rule", "no level lies outside",
        )  # fmt: skip
        wild = np.isin(codes, np.flatnonzero(p < self.alpha))
        if wild.any() and self.named.spread[wild].all():
            return replace(line, verdict=SEEN, reading=f"{line.reading}; in levels of another variance")
        return line

    def _reliability(self, group: str, blocks: list[int]) -> Iterator[Line]:
        covariance, j = conditional_covariance(self.fit)[group], 0
        for i in blocks:
            T = self.fit.solution.factors[i]
            prior = self.fit.scale * np.einsum("ab,ab->a", T, T)
            for column, variance in zip(self.fit.encoding.random[i].columns, prior, strict=True):
                share = 1 - covariance[:, j, j].mean() / variance if variance > 0 else np.nan
                about, j = f"{column}|{group}", j + 1
                yield Line("reliability", about, "share", float(share), np.nan, SAID,
                           "of the variance of the estimated effects that is not error")  # fmt: skip

    def _spread_by_group(self) -> Iterator[Line]:
        for group, blocks in blocks_by_group(self.fit).items():
            found, apart, looked = levels_apart(self.fit, group, self.alpha, slice(None))
            names = listed([str(x) for x in self.fit.encoding.random[blocks[0]].levels[apart]], 5)
            yield self._tested(
                "heteroscedasticity", group, f"chisq({max(looked - 1, 0)})", found,
                f"levels differ in variance{': ' * bool(names)}{names}", "levels have one variance",
                self._without_rows(group),
            )  # fmt: skip

    def _without_rows(self, group: str) -> Without | None:
        """Bartlett's test without rows that are named by themselves, where there are any."""
        rows = self.named.alone[group]
        if not rows.any():
            return None
        return "the outlying rows", lambda: levels_apart(self.fit, group, self.alpha, ~rows)[0]

    def _levels(self) -> Iterator[Line]:
        """Levels whose absence moves the coefficients by more than the model allows of."""
        fit = self.fit
        for group, blocks in blocks_by_group(fit).items():
            labels = fit.encoding.random[blocks[0]].levels
            if not 2 <= len(labels) <= MANY_LEVELS or not len(fit.names):
                continue
            chosen, without = cases(fit, group, None), method_of(fit, "fixed")(Piece.of(fit))
            rows = [influenced(fit, without(one)) for one in chosen.rows]
            cook, p = np.array(rows).T
            p = np.minimum(1.0, p * len(p))
            cut = 4 / len(cook)
            wrong = (p < self.alpha) & (cook > cut)
            names = listed([str(x) for x, bad in zip(chosen.labels, wrong, strict=True) if bad], 5)
            worst = int(np.nanargmax(cook))
            reading = f"levels {names}: cooksd above 4/{len(cook)} = {cut:.3g}, and more than chance allows"
            good = f"no level has cooksd above 4/{len(cook)} by more than chance"
            verdict = LOOK if wrong.any() else FINE
            if wrong.any() and self.named.levels[group][wrong].all():
                verdict, reading = SEEN, f"{reading}; other lines name these, or rows of them"
            yield Line("influential levels", group, "max cooksd", float(cook[worst]), float(np.nanmin(p)),
                       verdict, reading if wrong.any() else good)  # fmt: skip

    # ---- the fixed part ---

    def _covariates(self) -> Iterator[Line]:
        fit = self.fit
        for name, x in numbers(fit).items():
            if len(np.unique(x)) > 2:
                t, df, p = added(fit, (x - x.mean()) ** 2)
                if np.isfinite(t):
                    yield self._tested("linearity", name, f"t({df:.0f})", (t, p),
                                       f"a square of {name} is missing", "straight")  # fmt: skip
            for group, blocks in blocks_by_group(fit).items():
                codes = fit.design.random[blocks[0]].codes
                if constant(x, codes):
                    continue
                t, df, p = added(fit, means_of(x, codes))
                if np.isfinite(t):
                    yield self._tested(
                        "heterogeneity bias", f"{name} within {group}", f"t({df:.0f})", (t, p),
                        f"slopes within and between levels differ: add the means of {name} by {group}",
                        "one slope within and between levels",
                    )  # fmt: skip

    def _collinear(self) -> Iterator[Line]:
        for name, row in collinearity(self.fit).iterrows():
            wrong = row["gvif_root"] ** 2 > VIF
            where = f"{'above' if wrong else 'below'} {VIF:g} (vif^(1/df))"
            reading = f"{where}, interval {row['lower']:.3g} to {row['upper']:.3g}"
            yield Line(
                "collinearity", str(name), "vif", float(row["vif"]), np.nan, LOOK if wrong else FINE, reading
            )

    # ---- the random part ---

    def _terms(self) -> Iterator[Line]:
        table = varcorr_se_table(self.fit, self.parameters)
        rows = table[table["term2"].isna()].iloc[:-1]
        for _, row in rows.iterrows():
            about, sd, se = f"{row['term1']}|{row['group']}", float(row["sd"]), float(row["sd_se"])
            if not sd > 0 or not np.isfinite(se):
                yield Line("random part", about, "sd", sd, np.nan, LOOK, "no variance: leave the term out")
            else:
                weak = se > WEAK * sd
                reading = (
                    f"standard error {se:.3g}: {'hardly known' if weak else 'known'} (cut-off {WEAK:g} sd)"
                )
                yield Line("random part", about, "sd", sd, np.nan, LOOK if weak else FINE, reading)
        if is_singular(self.fit) and all(rows["sd"] > 0):
            yield Line("random part", "correlations", "", np.nan, np.nan, LOOK,
                       "singular: some combination of the random effects has no variance")  # fmt: skip

    # ---- order and simulation ---

    def _order(self) -> Iterator[Line]:
        if self.order is None:
            yield Line("autocorrelation", "order of rows", "r", np.nan, np.nan, SAID,
                       "not tested: name a column by order=")  # fmt: skip
            return
        found = autocorrelation(self.fit, self.order)
        about = self.order if isinstance(self.order, str) else "the given order"
        bad, good = "neighbours within levels are alike or opposed", "neighbours are independent"
        others = self._without(lambda: autocorrelation(self.fit, self.order, ~self.named.any))
        yield self._tested("autocorrelation", about, "r", found, bad, good, others)

    def _simulations(self) -> Iterator[Line]:
        fit, m = self.fit, int(max(99, min(self.n, DRAWS // self.fit.A.n)))
        drawn = Simulated.of(fit, "rotated", m, self.seed)
        about = "rotated quantile residuals"
        others = self._without(lambda: drawn.uniformity_of(~self.named.any))
        yield self._tested("uniformity", about, "D", drawn.uniformity(), "not uniform", "uniform", others)
        yield self._tested("dispersion", f"{m} new responses", "ratio", drawn.dispersion(fit),
                           "the variance is not that of the model", "as the model has it")  # fmt: skip
        bad, good = "more or fewer rows beyond all draws than by chance", "as many as by chance"
        near = ~(self.named.any | self.named.far)
        others = (
            None
            if near.all()
            else ("the rows and levels that other lines name", lambda: drawn.outliers_of(near))
        )
        yield self._tested(
            "outliers", f"{m} new responses", "rows beyond", drawn.outliers(), bad, good, others
        )
        bad, good = "quantiles change with the prediction", "the same for all predictions"
        found = drawn.quantiles(marginal_fitted(fit))
        yield self._tested("quantiles", f"{about} by prediction", "chisq", found, bad, good)
        for name, found in drawn.predictive().items():
            yield self._tested("posterior predictive", name, name, found,
                               f"the response has another {name} than what the model draws",
                               "among what the model draws")  # fmt: skip


def _normality_of(words: str, values: Array) -> Without:
    return words, lambda: normality(values)[1]


def checks(
    fit: Fit, *, order: Any, alpha: object, n: int, seed: object, parameters: VarianceParameters
) -> Table:
    """See `LinearMixedModel.check`."""
    level = number("alpha", alpha)
    if not 0 < level < 1:
        raise DataError(f"alpha must lie between 0 and 1, not {shown(alpha)}")
    return Checks(fit, level, order, n, seed, parameters, Named.of(fit, level)).table()
