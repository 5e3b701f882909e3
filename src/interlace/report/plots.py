"""What the pictures of a model show: values in, axes out."""

from __future__ import annotations

from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.design.values import Factor
from interlace.errors import DataError, shown
from interlace.estimation.fit import Fit
from interlace.inference.estimates import fixed_effects
from interlace.options import count, word
from interlace.pictures import canvas, clouds
from interlace.pictures.dots import Dots, dot_plot
from interlace.pictures.stack import Block, Stack
from interlace.prediction.leverage import block_of
from interlace.prediction.predict import fixed_part
from interlace.prediction.ranef import blocks_by_group, modes_with_sd
from interlace.prediction.residuals import RESIDUAL_KINDS, fitted, residuals
from interlace.refitting.influence import MEASURES, influence
from interlace.refitting.left_out import row_labels
from interlace.report.added import numbers
from interlace.report.envelope import quantile_picture
from interlace.text import did_you_mean, listed

BINS, SPAN, GRID_POINTS = 300, 0.6, 60


def smooth(x: Array, y: Array) -> tuple[Array, Array] | None:
    """A local line through bins of the points (tricube weights over `SPAN` of them); None for too few."""
    if len(np.unique(x)) < 5:
        return None
    order = np.argsort(x, kind="stable")
    parts = np.array_split(order, min(BINS, len(x)))
    at, level = (np.array([values[part].mean() for part in parts]) for values in (x, y))
    weight = np.array([len(part) for part in parts], dtype=float)
    grid = np.linspace(at[0], at[-1], GRID_POINTS)
    near = max(int(SPAN * len(at)), 4)
    found = np.empty(len(grid))
    for i, here in enumerate(grid):
        far = np.abs(at - here)
        width = max(float(np.partition(far, near - 1)[near - 1]), 1e-12 * float(np.ptp(at)))
        w = weight * np.clip(1 - (far / (1.0001 * width)) ** 3, 0, None) ** 3
        mean = float(w @ at) / float(w.sum())
        spread = float(w @ (at - mean) ** 2)
        centre = float(w @ level) / float(w.sum())
        slope = float(w @ ((at - mean) * level)) / spread if spread > 1e-12 * float(np.ptp(at)) ** 2 else 0.0
        found[i] = centre + slope * (here - mean)
    return grid, found


def residual_plot(fit: Fit, x: str | None, kind: str, ax: Any) -> Any:
    """Residuals against the fitted values, or against a column."""
    kind = word("kind", kind, RESIDUAL_KINDS)
    r = residuals(fit, kind=kind)
    label = f"{kind.replace('-', ' ')} residual"
    if x is None:
        f = fitted(fit)
        return clouds.cloud_plot(
            ax, f, r, smooth=smooth(f, r), labels=("fitted value", label), zero=True, words=""
        )
    values = column(fit, x)
    if isinstance(values, Factor):
        there = np.unique(values.codes)
        groups = [r[values.codes == code] for code in there]
        names = [str(values.levels[code]) for code in there]
        return clouds.box_plot(ax, groups, names, x=label, y=x, words="")
    return clouds.cloud_plot(ax, values, r, smooth=smooth(values, r), labels=(x, label), zero=True, words="")


def column(fit: Fit, name: str) -> Array | Factor:
    """A column of the model, as numbers or as a factor.

    Raises
    ------
    DataError
    """
    columns = fit.design.frame.columns
    if not isinstance(name, str) or name not in columns:
        near = did_you_mean(name, list(columns)) if isinstance(name, str) else ""
        raise DataError(
            f"x={shown(name)} is no column of the model ({listed(list(columns))}) {near}".rstrip()
        )
    found = columns[name]
    if isinstance(found, Factor) or found.dtype.kind in "iufb":
        return found if isinstance(found, Factor) else found.astype(np.float64)
    raise DataError(f"x={name!r} is neither made of numbers nor of categories")


def scale_location(fit: Fit, ax: Any) -> Any:
    """Roots of absolute studentized residuals against the fitted values."""
    f, r = fitted(fit), np.sqrt(np.abs(residuals(fit, kind="studentized")))
    known = np.isfinite(r)
    f, r = f[known], r[known]
    labels = ("fitted value", "root of |studentized residual|")
    return clouds.cloud_plot(ax, f, r, smooth=smooth(f, r), labels=labels, zero=False, words="")


def caterpillar(fit: Fit, level: str | None, interval: float, ax: Any) -> Any:
    """Random effects, sorted, with intervals by their conditional standard deviation; a panel for each."""
    from scipy import special  # slow to import

    tables = modes_with_sd(fit)
    if level is not None:
        group = fit.encoding.random[block_of(fit, level)].group
        tables = {group: tables[group]}
    z = float(special.ndtri((1 + interval) / 2))
    parts = [(group, j) for group, table in tables.items() for j in range(table["mode"].shape[1])]
    most = max(len(table) for table in tables.values())
    height = min(9.0, 1.2 + 0.24 * most) if most <= clouds.LABELS else 6.0
    every = panels(ax, len(parts), 4.4, height, columns=min(len(parts), 3))
    for one, (group, j) in zip(every, parts, strict=True):
        mode, sd = (tables[group][part].iloc[:, j] for part in ("mode", "sd"))
        values, error = mode.to_numpy(), sd.to_numpy()
        names = [str(label) for label in mode.index]
        words = f"{interval:.0%} intervals, conditional on the variances"
        clouds.sorted_plot(
            one,
            values,
            values - z * error,
            values + z * error,
            names,
            x=f"{tables[group]['mode'].columns[j]}|{group}",
            y=group,
            words=words,
        )
    return handed(every)


def influence_plot(fit: Fit, level: Any, measure: str, method: str, ax: Any) -> Any:
    """A measure of influence, sorted, with HLMdiag's cut-off."""
    measure = word("measure", measure, MEASURES)
    table = influence(fit, level, method=method, delete=None, parameters=None, n_jobs=1, progress=False)
    values = np.asarray(table[measure], dtype=float)
    names = [str(one) for one in (row_labels(fit) if level is None else table.index)]
    known = np.isfinite(values)
    if not known.any():
        raise DataError(f"measure='{measure}' is known of no deletion: there is nothing to draw")
    values, names = values[known], [one for one, ok in zip(names, known, strict=True) if ok]
    q1, q3 = np.quantile(values, [0.25, 0.75])
    cut = float(q3 + 3 * (q3 - q1))
    what = "rows" if level is None else level if isinstance(level, str) else "levels"
    words = f"method '{method}'; cut-off {cut:.3g}: upper quartile and three times the interquartile range"
    return clouds.outlier_plot(ax, values, names, cut, x=measure, y=str(what), words=words)


def boxes(fit: Fit, level: str, kind: str, ax: Any) -> Any:
    """Residuals by level of a grouping factor."""
    kind = word("kind", kind, RESIDUAL_KINDS)
    i = block_of(fit, level)
    block, codes = fit.encoding.random[i], fit.design.random[i].codes
    r = residuals(fit, kind=kind)
    order = np.argsort(codes, kind="stable")
    there, begins = np.unique(codes[order], return_index=True)
    groups = np.split(r[order], begins[1:])
    names = [str(block.levels[code]) for code in there]
    return clouds.box_plot(ax, groups, names, x=f"{kind.replace('-', ' ')} residual", y=block.group, words="")


def partial(fit: Fit, x: str, ax: Any) -> Any:
    """Residuals and the part of one covariate, against it."""
    covariates = numbers(fit)
    if x not in covariates:
        raise DataError(
            f"x={shown(x)}: choose a column of numbers of the fixed part: {listed(list(covariates))}"
        )
    values, total = covariates[x], np.zeros(fit.A.n)
    X = fit.X
    members = dict(
        zip((name for name, _ in fit.encoding.fixed_terms), fit.encoding.fixed.members, strict=True)
    )
    for name, columns in fit.encoding.fixed_terms:
        if len(members[name]) != 1 or x not in _words(members[name][0]):
            continue
        for j in range(len(fit.encoding.fixed_names))[columns]:
            if j in fit.kept:
                place = fit.kept.index(j)
                total += X[:, place] * fit.solution.beta[place]
    total -= total.mean()
    y = total + residuals(fit)
    ax = clouds.cloud_plot(
        ax,
        values,
        y,
        smooth=smooth(values, y),
        labels=(x, f"part of {x} + residual"),
        zero=False,
        words=f"terms of {x} by itself, about their mean, and the conditional residuals",
    )
    order = np.argsort(values, kind="stable")
    ax.plot(values[order], total[order], color=canvas.INK, linewidth=1.2, linestyle="--", zorder=2.9)
    return ax


def _words(text: str) -> set[str]:
    import re

    return set(re.findall(r"[A-Za-z_.][\w.]*", text))


def lattice(fit: Fit, level: str, x: str, n: int, ax: Any) -> Any:
    """Rows and fitted lines of some levels."""
    i, n = block_of(fit, level), count("n", n)
    values = column(fit, x)
    if isinstance(values, Factor):
        values = values.codes.astype(np.float64)
    block, codes = fit.encoding.random[i], fit.design.random[i].codes
    there = np.unique(codes)
    chosen = there if len(there) <= n else there[np.unique(np.linspace(0, len(there) - 1, n).astype(int))]
    y, own, whole = fit.design.y, fitted(fit), fixed_part(fit, fit.design)
    assert y is not None
    parts = []
    for code in chosen:
        rows = codes == code
        parts.append((str(block.levels[code]), values[rows], y[rows], own[rows], whole[rows]))
    every = panels(ax, len(parts), 1.9, 1.8, columns=min(len(parts), 6), sharex=True)
    words = "" if len(chosen) == len(there) else f"{len(chosen)} of {len(there):,} levels, evenly chosen"
    return handed(
        clouds.lattice_plot(every, parts, labels=(x, str(fit.encoding.formula.response)), words=words)
    )


def coefficients(fit: Fit, ddf: Any, level: float, intercept: bool, ax: Any) -> Any:
    """Coefficients with intervals."""
    estimates = fixed_effects(fit, ddf)
    low, high = estimates.interval(level)
    kept = [j for j, name in enumerate(estimates.labels) if intercept or name != "Intercept"]
    stack = Stack(
        labels=[estimates.labels[j] for j in kept],
        blocks=[Block("", np.arange(len(kept)))],
        x="estimate",
        y="",
        words=f"{level:.12g} intervals; {estimates.ddf.note}".rstrip("; "),
    )
    ax = dot_plot(Dots(stack, estimates.estimate[kept], low[kept], high[kept], None), ax)
    ax.axvline(0.0, color=canvas.SOFT, linewidth=0.9, linestyle="--")
    return ax


def correlations(fit: Fit, level: str | None, ax: Any) -> Any:
    """Random effects of a level against each other, with the ellipses of their estimated covariance."""
    groups = blocks_by_group(fit)
    name = next(iter(groups)) if level is None else fit.encoding.random[block_of(fit, level)].group
    pairs = [(i, a, b) for i in groups[name] for a in range(len(fit.solution.factors[i])) for b in range(a)]
    if not pairs:
        raise DataError(f"'{name}' has no two random effects that may be correlated")
    every = panels(ax, len(pairs), 4.4, 4.2, columns=min(len(pairs), 3))
    for one, (i, a, b) in zip(every, pairs, strict=True):
        T, names = fit.solution.factors[i], fit.encoding.random[i].columns
        S = fit.scale * (T @ T.T)[np.ix_([b, a], [b, a])]
        unit = np.sqrt(np.diagonal(S))
        r = f"{S[0, 1] / unit.prod():.2f}" if unit.all() else "not defined"
        clouds.ellipse_plot(
            one,
            fit.solution.b[i][:, b],
            fit.solution.b[i][:, a],
            S,
            labels=(f"{names[b]}|{name}", f"{names[a]}|{name}"),
            words=f"correlation {r}; half and 95 % of the random effects lie in the ellipses",
        )
    return handed(every)


def sheet(fit: Fit, ax: Any) -> Any:
    """One page: residuals, scale, quantiles, the first random effects, influence, and residuals by level."""
    every = panels(ax, 6, 5.0, 3.9, columns=3)
    group = next(iter(blocks_by_group(fit)))
    residual_plot(fit, None, "standardized", every[0])
    scale_location(fit, every[1])
    quantile_picture(fit, None, None, "normal", 0, None, every[2])
    levels = len(fit.encoding.random[block_of(fit, group)].levels)
    try:
        quantile_picture(fit, group, None, "normal", 0, None, every[3])
    except DataError:
        every[3].set_title("the random effects have no variance", fontsize=8.5, loc="left")
    if levels > 1 and fit.names:
        influence_plot(fit, group if levels <= 5_000 else None, "cooksd", "fixed", every[4])
    else:
        every[4].set_title("no deletion moves a coefficient", fontsize=8.5, loc="left")
    boxes(fit, group, "standardized", every[5])
    return handed(every)


def panels(ax: Any, n: int, width: float, height: float, *, columns: int, sharex: bool = False) -> list[Any]:
    """The axes that were given, or new ones in rows of so many."""
    if ax is not None or n == 1:
        return canvas.panels(ax, n, width, height)
    rows = -(-n // columns)
    figure, found = canvas.pyplot().subplots(
        rows,
        columns,
        figsize=(width * columns, height * rows),
        layout="constrained",
        squeeze=False,
        sharex=sharex,
        sharey=sharex,
    )
    every = list(found.ravel())
    for spare in every[n:]:
        figure.delaxes(spare)
    return every[:n]


def handed(every: Any) -> Any:
    """One axes, or an array of them."""
    return every[0] if len(every) == 1 else np.array(list(every), dtype=object)
