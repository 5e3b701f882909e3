"""Pictures of a model, with matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from interlace.hints import methods_answer_options
from interlace.model.fitted import Fitted
from interlace.refitting import profile
from interlace.report import envelope as envelopes
from interlace.report import plots

if TYPE_CHECKING:
    from interlace.pictures.axes import Axes, OneOrMoreAxes
    from interlace.precision.df import DdfLike


@methods_answer_options
class Plots:
    """Pictures of a model; every one takes `ax=` and returns the axes it is drawn on.

    Where a picture has several panels, `ax` is a list or array of as many axes, and an array comes back. More
    than 5,000 rows are shown as hexagons; more than 60 levels without labels. Colours can be told apart by
    people with any colour vision.

    Raises
    ------
    MissingPackageError
        matplotlib is not installed.

    Examples
    --------
    >>> import interlace
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
    >>> m.plot.residuals().get_xlabel()
    'fitted value'
    >>> [ax.get_xlabel() for ax in m.plot.ranef("Subject")]
    ['Intercept|Subject', 'Days|Subject']
    """

    def __call__(self, *given: Any, **options: Any) -> NoReturn:
        """Refused, with the names of pictures."""
        raise TypeError(repr(self))

    def __repr__(self) -> str:
        names = [name for name in dir(type(self)) if not name.startswith("_")]
        return f"m.plot has a method for each picture: m.plot.{names[0]}(), {', '.join(names[1:])}"

    if not TYPE_CHECKING:  # a type checker knows the pictures

        def __getattr__(self, name: str) -> NoReturn:
            said = "" if name.startswith("_") else f"; {self!r}"
            raise AttributeError(f"there is no picture {name!r}{said}")

    def __init__(self, model: Fitted) -> None:
        self._model, self._fit = model, model.fit

    def residuals(self, x: str | None = None, *, kind: str = "standardized", ax: Any = None) -> Axes:
        """Residuals against the fitted values, or a column of the model, with a smooth; boxes of a factor."""
        drawn: Axes = plots.residual_plot(self._fit, x, kind, ax)
        return drawn

    def scale_location(self, *, ax: Any = None) -> Axes:
        """Roots of absolute studentized residuals against the fitted values, with a smooth."""
        drawn: Axes = plots.scale_location(self._fit, ax)
        return drawn

    def qq(
        self,
        level: str | None = None,
        effect: str | None = None,
        *,
        envelope: str | None = None,
        n: int = 200,
        seed: int | None = 1,
        ax: Any = None,
    ) -> OneOrMoreAxes:
        """Normal quantiles of studentized residuals, or of a random effect of a grouping factor over the
        standard deviation of its estimate; points outside the envelope stand out.

        Parameters
        ----------
        level, effect : str, optional
            A grouping factor and one of its random effects (the first by default); residuals without.
        envelope : {"simulated", "refit", "normal"}, optional
            Where 95 % of each quantile lie. "simulated": among `n` responses that the model draws, with new
            random effects, whose residuals and effects are taken at the fitted theta. "refit": the model is
            fitted again to each. "normal": of independent normal values, without simulation. The default is
            "simulated" for up to 20,000 rows, and "normal" for more.
        n : int
            Simulated responses.
        seed : int, optional
            Of these.
        """
        return envelopes.quantile_picture(self._fit, level, effect, envelope, n, seed, ax)

    def ranef(self, level: str | None = None, *, interval: float = 0.95, ax: Any = None) -> OneOrMoreAxes:
        """Random effects, sorted, with intervals (a caterpillar plot); a panel for each effect."""
        return plots.caterpillar(self._fit, level, profile.check_level(interval), ax)

    def influence(
        self, level: Any = None, *, measure: str = "cooksd", method: str = "fixed", ax: Any = None
    ) -> Axes:
        """A measure of `influence`, sorted, with HLMdiag's cut-off and labels of what lies beyond it."""
        drawn: Axes = plots.influence_plot(self._fit, level, measure, method, ax)
        return drawn

    def boxes(self, level: str, *, kind: str = "standardized", ax: Any = None) -> Axes:
        """Residuals by level of a grouping factor, sorted by the median."""
        drawn: Axes = plots.boxes(self._fit, level, kind, ax)
        return drawn

    def partial(self, x: str, *, ax: Any = None) -> Axes:
        """Partial residuals: what the terms of a covariate by itself and the residuals make together."""
        drawn: Axes = plots.partial(self._fit, x, ax)
        return drawn

    def lattice(self, level: str, x: str, *, n: int = 18, ax: Any = None) -> OneOrMoreAxes:
        """Rows and fitted lines of the levels of a grouping factor, `n` of them at most."""
        return plots.lattice(self._fit, level, x, n, ax)

    def coefficients(
        self,
        *,
        ddf: DdfLike = "satterthwaite",
        level: float = 0.95,
        intercept: bool = False,
        ax: Any = None,
    ) -> Axes:
        """Coefficients with their intervals."""
        bound = self._model._memory.ddf(ddf)
        drawn: Axes = plots.coefficients(self._fit, bound, profile.check_level(level), intercept, ax)
        return drawn

    def ranef_correlation(self, level: str | None = None, *, ax: Any = None) -> OneOrMoreAxes:
        """Random effects against each other, with ellipses of their estimated covariance."""
        return plots.correlations(self._fit, level, ax)

    def check(self, *, ax: Any = None) -> OneOrMoreAxes:
        """One page of six pictures, beside the table of `LinearMixedModel.check`."""
        return plots.sheet(self._fit, ax)


class Pictured(Fitted):
    """Pictures of a model."""

    @property
    def plot(self) -> Plots:
        """Pictures: `m.plot.residuals()`, `m.plot.qq()`, `m.plot.ranef()`, `m.plot.check()` and others."""
        return Plots(self)
