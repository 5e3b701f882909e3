"""The effects of absorbed levels as a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from interlace.design.absorbing import AbsorbedEncoding
from interlace.estimation.absorbed import Effects
from interlace.estimation.fit import Fit
from interlace.tables.table import Table

NORMALISATION = "in each component the first level of every absorbed factor but the first has the intercept 0"


def level_table(fit: Fit) -> Table:
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


def absorbed_lines(fit: Fit) -> tuple[str, ...]:
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
