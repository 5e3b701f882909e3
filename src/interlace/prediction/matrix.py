"""The columns of X, of the rows of the fit and of new ones, in the library of the data."""

from __future__ import annotations

from typing import Any

from interlace.design.frame import Frame, open_table
from interlace.design.rows import per_row
from interlace.estimation.any_fit import AnyFit
from interlace.prediction.per_row import Handed


def model_matrix(fit: AnyFit, newdata: Any, handed: Handed) -> Any:
    """See `LinearMixedModel.model_matrix`.

    Raises
    ------
    DataError
        A column is missing, or a factor has a level that the fit has not seen.
    """
    if newdata is None:
        X = per_row(fit.rows, lambda design: design.selected(fit.kept).X)
    else:
        table = open_table(newdata)  # once: there are streams that can be read once only
        design = fit.encoding.design(table, random={})
        X = design.selected(fit.kept).X
        handed = Handed(Frame.read(table, ()), design.kept)
    return handed.table({name: X[:, j] for j, name in enumerate(fit.names)})
