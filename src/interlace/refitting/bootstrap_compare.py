"""Likelihood-ratio test with the null distribution drawn from the smaller model: a parametric bootstrap."""

from __future__ import annotations

import numpy as np

from interlace.errors import ModelError
from interlace.estimation.fit import Fit
from interlace.estimation.likelihood import likelihood_ratio, n_parameters
from interlace.estimation.many import fit_many
from interlace.frozen import dataclass
from interlace.inference.estimates import chi2_p_value, f_p_value, gamma_p_value
from interlace.prediction.simulate import drawn_by
from interlace.refitting.compare import check_known, check_offsets, check_same_data
from interlace.refitting.parallel import (
    Generators,
    check_draws,
    in_blocks,
    jobs_of,
    root_of,
    size_of,
    stopped,
)
from interlace.tables.table import Table

ZERO = 1e-8  # statistics below this are zero: the estimate was on the boundary


@dataclass(frozen=True, slots=True)
class BootstrapComparison:
    """A likelihood-ratio statistic and draws of it under the smaller model, as pbkrtest's `PBmodcomp`.

    Attributes
    ----------
    statistic : float
        Twice the difference of the log-likelihoods (by maximum likelihood).
    df : int
        Difference of the numbers of parameters.
    reference : ndarray, shape (n,)
        The statistic for each simulated response.
    n_failed : int
        Refits that ended without a proof of a minimum; they are in `reference`.
    stopped : str
        What is to be said where somebody stopped it (Ctrl-C) before all samples were drawn; else "".
    """

    statistic: float
    df: int
    reference: np.ndarray
    n_failed: int = 0
    stopped: str = ""

    @property
    def positive(self) -> np.ndarray:
        """The draws above zero, the ones that pbkrtest uses."""
        return self.reference[self.reference > ZERO]

    @property
    def n_extreme(self) -> int:
        """How many draws are larger than the statistic."""
        return int((self.reference > self.statistic).sum())

    @property
    def p(self) -> float:
        """`(1 + extreme) / (1 + positive)`, pbkrtest's `PBtest`; for tests of fixed effects."""
        return (1 + self.n_extreme) / (1 + len(self.positive))

    @property
    def p_all(self) -> float:
        """`(1 + extreme) / (1 + n)`: draws at zero count, as they must when a variance is tested."""
        return (1 + self.n_extreme) / (1 + len(self.reference))

    @property
    def table(self) -> Table:
        """Tests by the same statistic: columns `statistic, df, den_df, p`.

        "LRT": chi-square. "PBtest": `p`. "Gamma": a gamma distribution with the mean E and variance V of the
        positive draws. "Bartlett": the statistic times `df / E`, by chi-square. "F": `statistic / df`, by F
        with the denominator df that make its mean `E / df`, NaN if
        there are none (pbkrtest leaves out this `/ df`).
        """
        draws, t, df = self.positive, self.statistic, self.df
        mean = float(draws.mean()) if draws.size else np.nan
        variance = float(draws.var(ddof=1)) if draws.size > 1 else np.nan
        den_df = 2 * mean / (mean - df) if mean > df else np.nan
        bartlett = df * t / mean
        rows = {
            "LRT": (t, df, np.nan, float(chi2_p_value(t, df))),
            "PBtest": (t, np.nan, np.nan, self.p),
            "Gamma": (t, np.nan, np.nan, float(gamma_p_value(t, mean, variance))),
            "Bartlett": (bartlett, df, np.nan, float(chi2_p_value(bartlett, df))),
            "F": (t / df, df, den_df, float(f_p_value(t / df, df, den_df))),
        }
        n, used = len(self.reference), len(self.positive)
        heading = f"Bootstrap test: {n} samples, {used} above zero, {self.n_extreme} extreme"
        failed = f"{self.n_failed} refits did not converge" if self.n_failed else ""
        columns = ["statistic", "df", "den_df", "p"]
        note = [self.stopped, failed]
        return Table.of_rows(list(rows.values()), columns, list(rows), heading=heading, note=note)

    def __repr__(self) -> str:
        return str(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def bootstrap_compare(
    large: Fit,
    small: Fit,
    *,
    n: int = 1000,
    seed: int | None = None,
    n_jobs: int = 1,
    progress: bool | None = None,
) -> BootstrapComparison:
    """Simulate from the smaller model, fit both models to each draw, and compare the statistics.

    Both models are fitted by maximum likelihood; REML fits are refitted first.

    Parameters
    ----------
    large, small : Fit
        `small` must be nested in `large`.
    n : int
        Number of draws.
    seed : int, optional
        The same seed gives the same numbers for any `n_jobs`.
    n_jobs : int
        Number of threads.
    progress : bool, optional
        Show a bar; by default only where a person watches.

    Raises
    ------
    DataError
        The models are of different data.
    ModelError
        The larger model has no more parameters than the smaller one.
    """
    check_draws(n)
    named = {"the larger model": large, "the smaller one": small}
    check_same_data(named)
    check_offsets(named)
    check_known(named)
    large, small = large.by(reml=False), small.by(reml=False)
    df = n_parameters(large) - n_parameters(small)
    if df < 1:
        raise ModelError(
            f"both models have {n_parameters(large)} parameters, so that neither is a part of the other: the "
            "larger one must have more parameters"
        )

    def draw(generators: Generators) -> list[tuple[float, bool]]:
        Y = drawn_by(small, generators)
        a, b = fit_many(large, Y), fit_many(small, Y)
        for error in (*a.errors, *b.errors):
            if error is not None:
                raise error
        ended = [one == other == "converged" for one, other in zip(a.status, b.status, strict=True)]
        return list(zip((b.value - a.value).tolist(), ended, strict=True))

    draws = in_blocks(
        draw,
        0,
        n,
        root=root_of(seed),
        n_jobs=jobs_of(small.rows, n_jobs),
        progress=progress,
        label="bootstrap",
        size=size_of(large),
    )
    reference = _boundary_at_zero(np.array([value for value, _ in draws]))
    failed = sum(not converged for _, converged in draws)
    statistic = float(_boundary_at_zero(likelihood_ratio(large.loglik, small.loglik)))
    return BootstrapComparison(statistic, df, reference, failed, stopped(len(draws), n))


def _boundary_at_zero(statistics: np.ndarray) -> np.ndarray:
    """Rounding error of either sign is no difference between models."""
    return np.where(np.abs(statistics) < ZERO, 0.0, statistics)
