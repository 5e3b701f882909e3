"""The effects of absorbed levels as a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from interlace.arrays import Array
from interlace.design.absorbing import AbsorbedEncoding
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.errors import DataError
from interlace.estimation.absorbed import Effects
from interlace.estimation.any_fit import AnyFit
from interlace.tables.table import Table

NORMALISATION = "in each component the first level of every absorbed factor but the first has the intercept 0"


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
    return Table.of(columns, note=NORMALISATION)


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


def refuse_apart(fit: AnyFit, design: Design) -> None:
    """Refuse rows of new data that join levels of different components: how far these are apart is not known.

    Raises
    ------
    DataError
        With the first such row.
    """
    plain = [i for i, one in enumerate(fit.encoding.absorbed) if one.term.intercept]
    if len(plain) < 2 or not design.absorbed:
        return
    found = [fit.absorbed_effects.component[i][design.absorbed[i].codes] for i in plain]
    for i, own in zip(plain[1:], found[1:], strict=True):
        apart = np.flatnonzero(own != found[0])
        if len(apart):
            row = int(apart[0] if design.kept is None else design.kept[apart[0]])
            both = [fit.encoding.absorbed[j] for j in (plain[0], i)]
            names = " and ".join(
                f"{one.term} {one.grouping.levels[design.absorbed[j].codes[apart[0]]]}"
                for one, j in zip(both, (plain[0], i), strict=True)
            )
            raise DataError(
                f"row {row} (counted from 0) joins {names}, levels of absorbed factors that no chain of rows "
                f"connects in the data of the fit: how far their effects are apart is not known. There are "
                f"{len(apart)} such rows; leave them out"
            )


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
