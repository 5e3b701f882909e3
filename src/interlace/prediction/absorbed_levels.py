"""The effects of absorbed levels as a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from interlace.arrays import Array
from interlace.design.absorbing import AbsorbedEncoding, numbers
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.errors import DataError
from interlace.estimation.absorbed import Effects
from interlace.estimation.any_fit import AnyFit
from interlace.tables.table import Table

# Of a value of a slope, beside the values of its level.
SAME = 1e-9
NORMALISATION = "in each component the first level of every absorbed factor but the first has the intercept 0"
_HELD = "{} slopes that depend on other coefficients are 0"


def level_table(fit: AnyFit) -> Table:
    """Estimates of all levels of the absorbed factors of a fit, see `effects_table`."""
    return effects_table(fit.encoding.absorbed, fit.absorbed_effects)


def effects_table(factors: Sequence[AbsorbedEncoding], effects: Effects) -> Table:
    """A row for each coefficient of each level: factor, level, coefficient, estimate, component.

    Parameters
    ----------
    factors : sequence of AbsorbedEncoding
    effects : Effects
        Of one response.
    """
    columns: dict[str, list[object]] = {
        name: [] for name in ("factor", "level", "coefficient", "estimate", "component")
    }
    for one, estimates, component in zip(factors, effects.estimates, effects.component, strict=True):
        names = one.term.coefficients
        levels, k = len(component), len(names)
        columns["factor"] += [str(one.term)] * (levels * k)
        columns["level"] += np.repeat(one.grouping.levels, k).tolist()
        columns["coefficient"] += list(names) * levels
        columns["estimate"] += estimates[:, :, 0].ravel().tolist()
        columns["component"] += np.repeat(component, k).tolist()
    held = sum(int(one.held[:, int(one.term.intercept) :].sum()) for one in factors)
    return Table.of(columns, note=[NORMALISATION, *([_HELD.format(held)] if held else [])])


def level_sums(encoding: Encoding, design: Design, estimates: Sequence[Array]) -> Array:
    """The sums over the absorbed factors of the effects of each row, (n, m).

    Parameters
    ----------
    estimates : sequence of ndarray, (levels, k, m)
        By absorbed factor.
    """
    total = np.zeros((design.nrows, estimates[0].shape[2]))
    for one, rows, own in zip(encoding.absorbed, design.absorbed, estimates, strict=True):
        z = rows.z
        if one.term.intercept:  # of levels that are held too, which have another value in this normalisation
            z = np.hstack([np.ones((design.nrows, 1)), z[:, 1:]])
        total += np.einsum("nk,nkm->nm", z, own[rows.codes])
    return total


def refuse_untold(fit: AnyFit, design: Design) -> None:
    """Refuse rows of new data of which the fit knows no mean: those that join levels of different components,
    and those with a slope in a level whose rows do not tell it.

    Raises
    ------
    DataError
        With the first such row.
    """
    if design.absorbed:
        _refuse_apart(fit, design)
        for i, one in enumerate(fit.encoding.absorbed):
            if one.held[:, int(one.term.intercept) :].any():
                _refuse_slopes(fit, design, i)


def _refuse_apart(fit: AnyFit, design: Design) -> None:
    plain = [i for i, one in enumerate(fit.encoding.absorbed) if one.term.intercept]
    if len(plain) < 2:
        return
    found = [fit.absorbed_effects.component[i][design.absorbed[i].codes] for i in plain]
    for i, own in zip(plain[1:], found[1:], strict=True):
        apart = np.flatnonzero(own != found[0])
        if len(apart):
            names = " and ".join(_level(fit, design, j, apart[0]) for j in (plain[0], i))
            raise DataError(
                f"row {_row(design, apart[0])} (counted from 0) joins {names}, levels of absorbed factors "
                "that no chain of rows connects in the data of the fit: how far their effects are apart is "
                f"not known. There are {len(apart)} such rows; leave them out"
            )


def _refuse_slopes(fit: AnyFit, design: Design, i: int) -> None:
    """Where slopes are held, new values must be combinations of those that the level has had."""
    one, codes = fit.encoding.absorbed[i], design.absorbed[i].codes
    known, new = _columns(fit.design, one), _columns(design, one)
    of_level = fit.design.absorbed[i].codes
    doubtful = one.held[codes, int(one.term.intercept) :].any(axis=1)
    for level in np.unique(codes[doubtful]):
        rows = np.flatnonzero(codes == level)
        size = np.abs(known[of_level == level]).max(axis=0)
        size = np.where(size > 0, size, 1.0)
        _, s, directions = np.linalg.svd(known[of_level == level] / size, full_matrices=False)
        directions = directions[s > SAME * s[0]]
        scaled = new[rows] / size
        outside = np.linalg.norm(scaled - (scaled @ directions.T) @ directions, axis=1)
        wrong = rows[outside > SAME * np.linalg.norm(scaled, axis=1)]
        if len(wrong):
            raise DataError(
                f"row {_row(design, wrong[0])} (counted from 0) has {_level(fit, design, i, wrong[0])} and a "
                f"value of {', '.join(one.term.slopes)} that this level has not had: its slope is not known, "
                "as the column is constant there in the data of the fit. Leave such rows out"
            )


def _columns(design: Design, one: AbsorbedEncoding) -> Array:
    """What the coefficients of the rows multiply, held or not, (n, k)."""
    slopes = [numbers(name, design.frame.columns[name], "have a slope") for name in one.term.slopes]
    return np.column_stack([*([np.ones(design.nrows)] if one.term.intercept else []), *slopes])


def _row(design: Design, row: int) -> int:
    return int(row if design.kept is None else design.kept[row])


def _level(fit: AnyFit, design: Design, i: int, row: int) -> str:
    one = fit.encoding.absorbed[i]
    return f"{one.grouping.group} {one.grouping.levels[design.absorbed[i].codes[row]]}"


def absorbed_lines(fit: AnyFit) -> tuple[str, ...]:
    """What a summary says of the absorbed factors."""
    factors = fit.encoding.absorbed
    if not factors:
        return ()
    each = "; ".join(f"{one.term}, {one.grouping.n_levels}" for one in factors)
    rank = sum(one.rank for one in factors)
    connected = ""
    if len(factors) > 1:
        components = 1 + max(int(found.max()) for found in fit.absorbed_effects.component)
        connected = f", in {components} connected component{'s' * (components > 1)}"
    return (f"Absorbed fixed effects (levels):  {each}", f"  (of rank {rank}{connected})")
