"""`power`: how large a study has to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from interlace.errors import DataError, shown
from interlace.estimation.beside_levels import refuse_absorbed
from interlace.hints import answers_options
from interlace.model import LinearMixedModel
from interlace.precision.df import DdfLike, ddf_method
from interlace.refitting import power as simulated
from interlace.refitting.power import Power


@answers_options
def power(
    model: LinearMixedModel,
    *,
    effect: Mapping[str, float] | None = None,
    n_groups: Any = None,
    n_per_group: Any = None,
    along: str | Mapping[str, Any] | None = None,
    values: Any = None,
    test: str | Callable[[LinearMixedModel], float] | Any = None,
    ddf: DdfLike = "satterthwaite",
    n: int = 1000,
    alpha: float = 0.05,
    level: float = 0.95,
    seed: int | None = None,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> Power:
    """Power of a test by simulation from a fitted model, as R's simr computes it.

    The design is extended by copies of levels and rows, responses are simulated with the variances of the
    model and the effects that are asked about, the model is fitted to each, and the share of significant
    tests is counted.

    Parameters
    ----------
    model : LinearMixedModel
        Of a pilot study, or of made-up data.
    effect : mapping of str to float, optional
        Values of coefficients in place of the estimates: ``{"x": 0.5}``.
    n_groups : int, several, or a mapping of a grouping factor to them, optional
        Numbers of levels: ``[10, 20, 40]``, or ``{"school": [10, 20]}`` where there are several factors.
        Level j is a copy of level j modulo the number there is, with all its rows and the levels within it.
    n_per_group : int, several, or a mapping of a factor to them, optional
        Rows in each level of the innermost grouping factor, or in each combination of columns ``{"school +
        treatment": [5, 10]}``: copies of its rows in the order of the data.
    along : mapping of a covariate to an int or several, or str, optional
        Numbers of values of a covariate: ``{"Days": [5, 10, 20]}``. Of fewer than there are the first are
        taken; more continue them at their distance. A value that is in the data has their rows, in each
        group that has it; value j that is not has the rows of value j modulo the number there is. Levels that
        lie within one value (of "Subject:Days", say) are new levels in a copy. With `n_groups` and
        `n_per_group`, all combinations.
    values : several values, optional
        Those of the covariate, the first of which are taken, or all where `along` is its name alone:
        ``along="Days", values=[0, 2, 4, 8]``. Of a factor they are some of its levels.
    test : str, list of str, mapping, array or callable, optional
        A coefficient, a term of the fixed part, a contrast as for `contrast_test`, or a function of a
        refitted model that gives a p-value. By default that the coefficients in `effect` are zero, or else
        the first one but the intercept.
    ddf : {"satterthwaite", "kenward-roger", "asymptotic"} or an object such as KenwardRoger()
        Of the test, if it is no function.
    n : int
        Simulations at each size.
    alpha, level : float
        Of the test, and of the intervals of its power.
    seed : int, optional
        The same seed gives the same simulations for any `n_jobs`.
    n_jobs : int, optional
        Number of workers; -1 for one per processor, None for what joblib's `parallel_config` says.
    progress : bool, optional
        Show a bar; by default only where a person watches.

    Returns
    -------
    Power
        `.table` has a row for each size with Wilson's interval (1927), `.plot()` draws the curve. Simulations
        whose fit or test fails are counted as not significant.

    Raises
    ------
    DataError
        There is no such coefficient, factor or test.
    ModelError
        A design that is too small for the model.

    References
    ----------
    Green, P., and MacLeod, C. J. (2016). SIMR: an R package for power analysis of generalized linear mixed
    models by simulation. Methods in Ecology and Evolution, 7, 493-498.

    Examples
    --------
    >>> import interlace
    >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
    >>> found = interlace.power(m, effect={"Days": 4.0}, n_groups=[10, 30], n=50, seed=1)
    >>> found.table["power"].tolist()
    [0.34, 0.92]
    """
    if not isinstance(model, LinearMixedModel):
        raise DataError(f"power is of a model that lmer fitted, not of {shown(model)}")
    refuse_absorbed(model.fit.encoding, "power", "other rows and groups would have other levels of these")
    asked = simulated.read_asked(
        model.fit, LinearMixedModel, ddf_method(ddf), effect=effect, n_groups=n_groups,
        n_per_group=n_per_group, along=along, values=values, test=test, n=n, alpha=alpha, level=level,
        seed=seed, n_jobs=n_jobs, progress=progress,
    )  # fmt: skip
    return simulated.power(model.fit, asked)
