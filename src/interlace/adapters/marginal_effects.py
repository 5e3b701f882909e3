"""A fitted model as the package marginaleffects takes models: its fixed part."""

from __future__ import annotations

from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.design.reference import members_of
from interlace.design.values import Factor
from interlace.errors import MissingPackageError
from interlace.estimation.beside_levels import refuse_absorbed
from interlace.formula.names import used_names
from interlace.model import LinearMixedModel


def for_marginaleffects(model: LinearMixedModel) -> Any:
    """The model for the functions of marginaleffects: predictions, comparisons, slopes of the fixed part.

    Standard errors are from ``model.vcov()`` (or from the robust one that ``vcov="CR2"`` names), and tests
    are normal ones: that package asks a model for no degrees of freedom of single rows. `emmeans` and
    `emtrends` have them.

    Parameters
    ----------
    model : LinearMixedModel

    Returns
    -------
    marginaleffects.classes.ModelAbstract
        What ``marginaleffects.avg_slopes(...)`` and its relatives take.

    Raises
    ------
    MissingPackageError
        marginaleffects, or polars, is not installed.
    """
    refuse_absorbed(
        model.fit.encoding,
        "for_marginaleffects",
        "its predictions need the uncertainty of the absorbed levels",
    )
    try:
        import polars as pl
        from marginaleffects.classes import ModelAbstract, ModelVault
    except ImportError as error:
        raise MissingPackageError(
            "the package marginaleffects is not installed: pip install marginaleffects"
        ) from error

    class Adapter(ModelAbstract):
        """The fixed part of a model of interlace."""

        def get_vcov(self, vcov: Any = True) -> Array | None:
            """The covariance of the coefficients, or what was given in its place."""
            if isinstance(vcov, np.ndarray):
                return vcov
            if vcov is None or vcov is False:
                return None
            return np.asarray(model.vcov() if vcov is True else model.vcov(vcov))

        def get_exog(self, newdata: Any) -> Array:
            """The columns of the model for new rows."""
            return np.asarray(model.fit.encoding.design(newdata, random={}).X[:, list(model.fit.kept)])

        def get_predict(self, params: Array, newdata: Any) -> Any:
            """The fixed part by other coefficients."""
            X = newdata if isinstance(newdata, np.ndarray) else self.get_exog(newdata)
            estimate = X @ np.asarray(params)
            rowid = pl.Series(np.arange(len(estimate)), dtype=pl.Int32)
            return pl.DataFrame({"rowid": rowid, "estimate": estimate})

    names = _columns(model)
    frame = model.fit.design.frame
    kinds = {name: _kind(frame.columns[name]) for name in names}
    vault = ModelVault(
        coef=model.fixef.to_numpy(),
        coefnames=np.array(model.fixef.index, dtype=object),
        formula="",  # the package does not read the formula: columns are made here
        modeldata=pl.DataFrame({name: _series(frame.columns[name]) for name in names}),
        package="interlace",
        variable_names=names,
    )
    adapter = Adapter(model, vault)
    vault.variables_type = kinds
    return adapter


def _columns(model: LinearMixedModel) -> list[str]:
    """The response, then the variables of the fixed part."""
    encoding = model.fit.encoding
    columns = model.fit.design.frame.columns
    response = [name for name in used_names(encoding.formula.response) if name in columns][:1]
    fixed = [column for member in members_of(encoding).values() for column in member.columns]
    return list(dict.fromkeys([*response, *fixed]))


def _kind(column: Any) -> str:
    """The kind of a column by the package's words."""
    if isinstance(column, Factor):
        return "character"
    if column.dtype.kind == "b":
        return "boolean"
    if np.isin(column, (0, 1)).all():
        return "binary"
    return "integer" if column.dtype.kind in "iu" else "numeric"


def _series(column: Any) -> Any:
    """A column as polars has it, levels in their order."""
    import polars as pl

    if not isinstance(column, Factor):
        return pl.Series(np.asarray(column))
    levels = [str(level) for level in column.levels]
    return pl.Series([levels[code] for code in column.codes], dtype=pl.Enum(levels))
