"""The normal equations of absorbed levels, factored whole: what inverses of ``D'WD`` are asked for.

Projections need no factor (`Absorbed`). Leverages, and averages over levels with their variances, do: it is
that of the mixed models' engine, with no prior and no columns of X.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from interlace import kernel
from interlace.arrays import Array
from interlace.design.encoding import Encoding
from interlace.design.rows import Rows
from interlace.errors import ModelError
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.penalized import System
from interlace.frozen import dataclass

# Of one factorisation; the inverse of its pattern takes a few times as many: minutes together.
MOST_FLOPS = 5e11


@dataclass(frozen=True)
class LevelSystem:
    """The factor of ``D'WD``, for the columns D of the levels of all absorbed factors that are not held.

    Attributes
    ----------
    system : System
    factor : kernel.Cholesky
    rows : Rows
    """

    system: System
    factor: kernel.Cholesky
    rows: Rows

    @classmethod
    def of(cls, encoding: Encoding, rows: Rows, n_jobs: int | None, purpose: str) -> LevelSystem:
        """Of the absorbed factors of a model, whatever else it has.

        Parameters
        ----------
        encoding : Encoding
        rows : Rows
            In memory.
        n_jobs : int or None
        purpose : str
            What needs it and what to do instead, for errors: "HC2 needs a factor: {}; use 'HC1'".

        Raises
        ------
        ModelError
            The factor would need more memory or time than there is.
        """
        bare = replace(encoding, formula=replace(encoding.formula, random=()), random=())
        design = replace(rows.design.selected(()), random=())
        own = rows.changed(bare, lambda _: design)
        A = CrossProducts.of(bare, own)
        try:
            system = System.of(bare, A, n_jobs)
        except ModelError as error:
            raise ModelError(purpose.format("it does not fit in memory")) from error
        if system.flops > MOST_FLOPS:
            raise ModelError(purpose.format(f"{system.flops:.1g} operations, too many"))
        with system.threads():
            return cls(system, system.factorize(()), own)

    def leverages(self) -> Array:
        """``w_i d_i'(D'WD)^- d_i``, (n,)."""
        with self.system.threads():
            overall, _, _ = self.factor.leverage(
                self.factor.joint_inverse(), **self.system.A.rows(self.rows.design)
            )
        return np.asarray(overall)

    def solved(self, c: Sequence[Array]) -> tuple[Array, float]:
        """``D g``, (n,), and ``c'g``, for ``D'WD g = c``.

        Parameters
        ----------
        c : sequence of ndarray, (levels, k)
            By absorbed factor; what stands at a coefficient that is held does not count.
        """
        layout, encoded = self.system.A.layout, self.system.encoding.absorbed
        order = [at for at in layout.absorbed if at is not None]
        right = [np.where(encoded[at].held, 0.0, c[at])[:, :, None] for at in order]
        with self.system.threads():
            found = [np.asarray(one) for one in self.factor.solve(right)]
        explained = np.zeros(self.rows.n)
        for at, g in zip(order, found, strict=True):
            rows = self.rows.design.absorbed[at]
            explained += np.einsum("nk,nk->n", rows.z, g[rows.codes, :, 0])
        return explained, float(sum(np.vdot(a, g) for a, g in zip(right, found, strict=True)))
