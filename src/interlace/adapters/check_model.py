"""A fitted model as the package checkmodel takes models."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.errors import MissingPackageError
from interlace.estimation.beside_levels import refuse_absorbed
from interlace.model import LinearMixedModel


class _Answers:
    """What checkmodel asks of a model."""

    model: LinearMixedModel

    def model_type(self) -> Any:
        """A linear mixed model."""
        from checkmodel import ModelType

        return ModelType("gaussian", "identity", "interlace", "LinearMixedModel", is_mixed=True)

    def get_response(self) -> Array:
        """The response."""
        return np.array(self.model.fit.design.y)

    def get_fitted(self) -> Array:
        """Conditional on the random effects."""
        predicted = np.asarray(self.model.predict(), dtype=np.float64)
        return np.asarray(predicted[self._used])

    def get_model_matrix(self) -> Array:
        """The columns of X."""
        return np.array(self.model.fit.X)

    def column_names(self) -> list[str]:
        """Names of these columns, with R's name of the intercept."""
        return ["(Intercept)" if name == "Intercept" else name for name in self.model.fit.names]

    def prior_weights(self) -> Array | None:
        """As they were given."""
        weights = self.model.fit.design.weights
        return None if weights is None else np.array(weights)

    @property
    def _used(self) -> Any:
        kept = self.model.fit.design.kept
        return slice(None) if kept is None or self.model._handed.kept is None else kept

    @cached_property
    def hat(self) -> Array:
        """Leverages, with the random effects."""
        leverage = np.asarray(self.model.leverage()["overall"], dtype=np.float64)
        return np.asarray(leverage[self._used])

    @cached_property
    def scale(self) -> float:
        """The residual variance."""
        return self.model.sigma**2

    @property
    def df_resid(self) -> int:
        """Rows less parameters."""
        return self.model.df_resid

    @cached_property
    def vcov_unscaled(self) -> Array:
        """The covariance of the coefficients."""
        return np.asarray(self.model.vcov())

    @property
    def is_reml(self) -> bool:
        """Whether it was fitted by REML."""
        return self.model.reml

    @cached_property
    def loglik(self) -> float:
        """By the criterion of the fit."""
        return self.model.loglik

    @property
    def loglik_df(self) -> int:
        """Parameters, sigma among them."""
        return self.model.nobs - self.model.df_resid

    @cached_property
    def random_effects(self) -> Any:
        """Of the first grouping factor."""
        return next(iter(self.model.ranef().values()))


def for_checkmodel(model: LinearMixedModel) -> Any:
    """The model for the functions of checkmodel, a port of R's performance: `check_model` and its parts.

    Fitted values and residuals are conditional on the random effects; leverages, the likelihood, its degrees
    of freedom and the covariance of the coefficients are the model's own. `m.check()` has these checks and
    those of levels without that package.

    Parameters
    ----------
    model : LinearMixedModel

    Returns
    -------
    checkmodel.BaseAdapter
        What ``checkmodel.check_collinearity(...)`` and its relatives take.

    Raises
    ------
    MissingPackageError
        checkmodel is not installed.
    ModelError
        The model has absorbed factors.
    """
    refuse_absorbed(model.fit.encoding, "for_checkmodel", "leverages beside absorbed levels are not computed")
    try:
        from checkmodel import BaseAdapter
    except ImportError as error:
        raise MissingPackageError(
            "the package checkmodel is not installed: pip install checkmodel"
        ) from error

    return type("Adapter", (_Answers, BaseAdapter), {"__doc__": "A model of interlace."})(model)
