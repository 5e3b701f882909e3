"""Models side by side, for a paper."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from interlace.errors import DataError, shown
from interlace.formula.tree import label
from interlace.frozen import dataclass
from interlace.hints import answers_options
from interlace.inference.estimates import fixed_effects
from interlace.model import LinearMixedModel
from interlace.model.least import LinearModel
from interlace.options import count, labels, switch, word
from interlace.precision.wald import Ddf
from interlace.refitting.profile import check_level
from interlace.tables.format import STARS_LEGEND, significance_stars
from interlace.tables.side_by_side import Block, ModelTable
from interlace.tables.table import Table
from interlace.variances.natural import parameter_names, parameter_values

AnyModel = LinearMixedModel | LinearModel

BELOW = ("se", "interval", "t", "p", "nothing")
SAID_BELOW = {
    "se": "standard errors in parentheses",
    "interval": "{level:g} % confidence intervals in brackets",
    "t": "t statistics in parentheses",
    "p": "p-values in parentheses",
}
STATISTICS = {
    "nobs": "Rows",
    "groups": "Levels of {}",
    "sigma": "Residual standard deviation",
    "loglik": "Log-likelihood",
    "aic": "AIC",
    "bic": "BIC",
    "r2": "R²",
    "icc": "ICC",
}
DEFAULT = ("nobs", "groups", "loglik", "aic", "bic")


@answers_options
def modeltable(
    models: AnyModel | Sequence[AnyModel] | Mapping[str, AnyModel],
    *others: AnyModel,
    names: Sequence[str] | None = None,
    below: str = "se",
    stars: bool = False,
    random: bool = True,
    statistics: Sequence[str] = DEFAULT,
    rename: Mapping[str, str] | None = None,
    keep: Sequence[str] | None = None,
    digits: int = 3,
    ddf: Any = None,
    vcov: Any = None,
    cluster: Any = None,
    level: float = 0.95,
) -> ModelTable:
    """Coefficients, absorbed factors, variances and facts of several models, a column for each.

    Parameters
    ----------
    models : sequence of LinearMixedModel and LinearModel
        Or a mapping from names to models, or a model.
    *others : LinearMixedModel and LinearModel
        After a model: the next ones.
    names : sequence of str, optional
        Of the models; "(1)", "(2)", ... otherwise.
    below : {"se", "interval", "t", "p", "nothing"}
        What stands below each estimate.
    stars : bool
        Stars beside small p-values.
    random : bool
        Standard deviations and correlations of the random effects.
    statistics : sequence of str
        Of "nobs", "groups", "sigma", "loglik", "aic", "bic", "r2" and "icc".
    rename : mapping, optional
        Names of coefficients as they shall be printed.
    keep : sequence of str, optional
        Coefficients to show, in this order; all without it.
    digits : int
        Significant digits of the smaller of an estimate and its standard error.
    ddf, vcov, cluster
        As for `coef_table`, of all models; without them, as each model has them. Linear models have the
        degrees of freedom of their residuals or clusters. A note says what standard errors and tests are by,
        where that is not the model's own covariance or where the models differ.
    level : float
        Of intervals.

    Returns
    -------
    ModelTable
        `print` and notebooks show it; `to_html()`, `to_latex()`, `to_markdown()`; `.frame` has all cells.

    Raises
    ------
    DataError
        There is no model, names are not as many and different, or an option is not known.

    Examples
    --------
    >>> import interlace
    >>> sleepstudy = interlace.datasets.load("sleepstudy")
    >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
    >>> print(interlace.modeltable([m.update("~ . - Days"), m], statistics=["nobs"]))
                                    (1)    (2)
    ------------------------------------------
    Fixed effects
      Intercept                  257.76 251.41
                                 (6.76) (6.82)
      Days                               10.47
                                        (1.55)
    Random effects
      sd_Intercept|Subject         25.5   24.7
      cor_Days.Intercept|Subject -0.182 0.0656
      sd_Days|Subject              11.9   5.92
      sigma                        25.6   25.6
    Fit
      Rows                          180    180
    ------------------------------------------
    standard errors in parentheses; fitted by REML
    """
    given = _named([models, *others] if others else models, names)
    asked = _Asked(
        word("below", below, BELOW), switch("stars", stars), count("digits", digits), check_level(level),
        {name: value for name, value in (("ddf", ddf), ("vcov", vcov), ("cluster", cluster))
         if value is not None},
        dict(rename or {}),
    )  # fmt: skip
    wanted = [word("statistics", one, STATISTICS) for one in labels("statistics", statistics)]
    found = list(given.values())
    tests = {name: model._tests(**asked.options) for name, model in given.items()}
    estimates = [
        fixed_effects(model._fit, one).whole_table(asked.level)
        for model, one in zip(found, tests.values(), strict=True)
    ]
    blocks = [_coefficients(estimates, asked, keep), _absorbed(found)]
    if switch("random", random):
        blocks.append(_variances(found, asked))
    blocks.append(_statistics(found, wanted, asked))
    responses = tuple(label(m.fit.encoding.formula.response) for m in found)
    return ModelTable(tuple(given), responses, tuple(b for b in blocks if b.rows), asked.notes(found, tests))


@dataclass(frozen=True, slots=True)
class _Asked:
    """How cells are printed."""

    below: str
    stars: bool
    digits: int
    level: float
    options: dict[str, Any]
    rename: dict[str, str]

    def cells(self, row: Mapping[str, float]) -> tuple[str, str]:
        """An estimate, and what stands below it."""
        size = row["se"] if np.isfinite(row["se"]) and row["se"] > 0 else row["estimate"]
        decimals = _decimals(size, self.digits)
        estimate = f"{row['estimate']:.{decimals}f}"
        estimate += significance_stars(row["p"]).replace(".", "") if self.stars else ""
        if self.below == "nothing" or not np.isfinite(row["se"]):
            return estimate, ""
        if self.below == "se":
            return estimate, f"({row['se']:.{decimals}f})"
        if self.below == "interval":
            return estimate, f"[{row['lower']:.{decimals}f}, {row['upper']:.{decimals}f}]"
        value = row[self.below]
        return estimate, f"({value:.3f})" if self.below == "p" and value >= 0.0005 else f"({value:.2g})"

    def notes(self, models: Sequence[AnyModel], tests: Mapping[str, Ddf]) -> tuple[str, ...]:
        """What a reader must know."""
        said = SAID_BELOW.get(self.below, "").format(level=100 * self.level)
        methods = dict.fromkeys("REML" if m.reml else "maximum likelihood" for m in models if _mixed(m))
        fits = [f"fitted by {' and '.join(methods)}"] if methods else []
        legend = [STARS_LEGEND.replace(", . p < 0.1", "")] if self.stars else []
        by = self._covariances(tests), self._tests(tests)
        return tuple(one for one in ("; ".join(filter(None, [said, *fits])), *by, *legend) if one)

    def _covariances(self, tests: Mapping[str, Ddf]) -> str:
        """Which covariance is behind what is shown, unless it is that of each model."""
        if (self.below == "nothing" and not self.stars) or not any(one.covariance for one in tests.values()):
            return ""
        words = {name: one.covariance or "covariance of the model" for name, one in tests.items()}
        return f"standard errors: {_by_columns(words)}"

    def _tests(self, tests: Mapping[str, Ddf]) -> str:
        """What p-values and intervals are by, where there are any."""
        if self.below not in ("p", "interval") and not self.stars:
            return ""
        what = "intervals" if self.below == "interval" and not self.stars else "p-values"
        return f"{what}: {_by_columns({name: one.description for name, one in tests.items()})}"


def _by_columns(words: Mapping[str, str]) -> str:
    """Once where all columns have the same, and otherwise column by column."""
    if len(set(words.values())) == 1:
        return next(iter(words.values()))
    columns = {said: [name for name in words if words[name] == said] for said in words.values()}
    return "; ".join(f"{', '.join(names)} {said}" for said, names in columns.items())


def _mixed(model: AnyModel) -> bool:
    return isinstance(model, LinearMixedModel)


def _named(models: Any, names: Sequence[str] | None) -> dict[str, AnyModel]:
    if isinstance(models, LinearMixedModel | LinearModel):
        models = [models]
    if isinstance(models, Mapping):
        if names is not None:
            raise DataError("the mapping names the models already: leave names out")
        names, models = list(map(str, models)), list(models.values())
    if not isinstance(models, Sequence) or not models:
        raise DataError("modeltable takes a list of models: interlace.modeltable([m1, m2])")
    for model in models:
        if not isinstance(model, LinearMixedModel | LinearModel):
            raise DataError(f"modeltable takes models of interlace.lmer and interlace.lm, not {shown(model)}")
    given = tuple(f"({i + 1})" for i in range(len(models))) if names is None else labels("names", names)
    if len(given) != len(models) or len(set(given)) != len(given):
        raise DataError(f"{len(models)} models need as many different names, not {list(given)}")
    return dict(zip(given, models, strict=True))


def _coefficients(tables: Sequence[Table], asked: _Asked, keep: Sequence[str] | None) -> Block:
    known = list(dict.fromkeys(str(name) for table in tables for name in table.index))
    shown_names = known if keep is None else list(labels("keep", keep))
    for name in (*shown_names, *asked.rename):
        if name not in known:
            raise DataError(f"no model has a coefficient '{name}'; there are {', '.join(known)}")
    rows: list[tuple[str, tuple[str, ...]]] = []
    for name in shown_names:
        pairs = [asked.cells(dict(table.loc[name])) if name in table.index else ("", "") for table in tables]
        rows.append((asked.rename.get(name, name), tuple(first for first, _ in pairs)))
        if any(second for _, second in pairs):
            rows.append(("", tuple(second for _, second in pairs)))
    return Block("Fixed effects", tuple(rows))


def _absorbed(models: Sequence[AnyModel]) -> Block:
    """Which factors have effects without columns, and which slopes vary over their levels."""
    levels, slopes = [], []
    for model in models:
        absorbed = model.fit.encoding.absorbed
        levels.append([one.grouping.group for one in absorbed if one.term.intercept])
        slopes.append([f"{x} by {one.grouping.group}" for one in absorbed for x in one.term.slopes])
    rows = [
        (name, tuple("yes" if name in one else "no" for one in found))
        for found in (levels, slopes)
        for name in dict.fromkeys(name for one in found for name in one)
    ]
    return Block("Absorbed factors", tuple(rows))


def _variances(models: Sequence[AnyModel], asked: _Asked) -> Block:
    """Standard deviations and correlations, by the names of `confint`."""
    found: list[dict[str, float]] = []
    for model in models:
        if not isinstance(model, LinearMixedModel):
            found.append({"sigma": model.sigma})
            continue
        names = parameter_names(model.fit)[: -len(model.fit.names) or None]
        found.append(dict(zip(names, parameter_values(model.fit), strict=False)))
    every = list(dict.fromkeys(name for one in found for name in one if name != "sigma"))
    rows = [
        (name, tuple(_number(one[name], asked) if name in one else "" for one in found))
        for name in (*every, "sigma")
    ]
    return Block("Random effects" if every else "", tuple(rows))


def _number(value: float, asked: _Asked) -> str:
    return f"{value:.{_decimals(value, asked.digits)}f}" if np.isfinite(value) else ""


def _decimals(size: float, digits: int) -> int:
    """Decimals by which a number of this size has so many significant digits."""
    if not np.isfinite(size) or size == 0:
        return digits
    return max(0, digits - 1 - math.floor(math.log10(abs(size))))


def _statistics(models: Sequence[AnyModel], wanted: Sequence[str], asked: _Asked) -> Block:
    rows: list[tuple[str, tuple[str, ...]]] = []
    for name in wanted:
        rows += _ROWS.get(name, _one_number)(name, models, asked)
    return Block("Fit", tuple(rows))


_Rows = list[tuple[str, tuple[str, ...]]]


def _whole(name: str, models: Sequence[AnyModel], asked: _Asked) -> _Rows:
    return [(STATISTICS[name], tuple(str(getattr(m, name)) for m in models))]


def _one_number(name: str, models: Sequence[AnyModel], asked: _Asked) -> _Rows:
    return [(STATISTICS[name], tuple(_number(getattr(m, name), asked) for m in models))]


def _one_decimal(name: str, models: Sequence[AnyModel], asked: _Asked) -> _Rows:
    return [(STATISTICS[name], tuple(f"{getattr(m, name):.1f}" for m in models))]


def _groups(name: str, models: Sequence[AnyModel], asked: _Asked) -> _Rows:
    levels = [m.ngroups if isinstance(m, LinearMixedModel) else {} for m in models]
    every = dict.fromkeys(group for one in levels for group in one)
    return [(STATISTICS[name].format(g), tuple(str(one.get(g, "")) for one in levels)) for g in every]


def _r2(name: str, models: Sequence[AnyModel], asked: _Asked) -> _Rows:
    shares = [m.r2() for m in models]
    kinds = dict.fromkeys(kind for one in shares for kind in one)
    return [
        (f"R² ({kind.replace('_', ' ')})" if kind != "r2" else "R²",
         tuple(_number(one[kind], asked) if kind in one else "" for one in shares))
        for kind in kinds
    ]  # fmt: skip


def _icc(name: str, models: Sequence[AnyModel], asked: _Asked) -> _Rows:
    found = [m.icc()["adjusted"] if isinstance(m, LinearMixedModel) else None for m in models]
    cells = [_number(float(value), asked) if isinstance(value, float) else "" for value in found]
    return [(STATISTICS[name], tuple(cells))]


_ROWS: dict[str, Callable[[str, Sequence[AnyModel], _Asked], _Rows]] = {
    "nobs": _whole,
    "groups": _groups,
    "loglik": _one_decimal,
    "aic": _one_decimal,
    "bic": _one_decimal,
    "r2": _r2,
    "icc": _icc,
}
