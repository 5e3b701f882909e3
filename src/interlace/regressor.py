"""`LMERegressor`: a linear mixed model as an estimator of scikit-learn."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd

from interlace.api import fit_formula
from interlace.design.frame import Frame, open_table
from interlace.errors import DataError, MissingPackageError, ModelError
from interlace.model import LinearMixedModel
from interlace.options import switch, word
from interlace.prediction.predict import NEW_LEVELS

RESPONSE = "y"


class LMERegressor:
    """A linear mixed model for pipelines, grid searches and cross-validation of scikit-learn.

    Rows are tables with named columns, as a formula needs them, among them the grouping factors. With
    scikit-learn's `GroupKFold` give the groups to `cross_val_score` as well: it splits by them.

    Parameters
    ----------
    formula : str
        The right-hand side, ``"x + (x | g)"``, or all of it, ``"y ~ x + (x | g)"``: the response is what
        `fit` gets as y, under that name.
    groups : str, optional
        A column of groups: adds ``(1 | groups)`` to the formula.
    reml : bool
        REML, or maximum likelihood.
    contrasts : mapping, optional
        As for `interlace.lmer`.
    random : str or sequence of str
        The random effects of predictions, as for `LinearMixedModel.predict`.
    new_levels : {"population", "error"}
        What is predicted for levels that the fit has not seen.

    Attributes
    ----------
    model_ : LinearMixedModel
        After `fit`: everything that a model answers.
    feature_names_in_ : ndarray of str
    n_features_in_ : int

    Examples
    --------
    >>> import interlace
    >>> data = interlace.datasets.load("sleepstudy")
    >>> r = interlace.LMERegressor("Days", groups="Subject").fit(data[["Days", "Subject"]], data["Reaction"])
    >>> r.predict(data.head(2)).round(1).tolist()
    [292.2, 302.7]
    >>> round(r.score(data, data["Reaction"]), 3)
    0.726
    """

    def __init__(
        self,
        formula: str = "1",
        *,
        groups: str | None = None,
        reml: bool = True,
        contrasts: Mapping[str, Any] | None = None,
        random: Any = "all",
        new_levels: str = "population",
    ) -> None:
        self.formula = formula
        self.groups = groups
        self.reml = reml
        self.contrasts = contrasts
        self.random = random
        self.new_levels = new_levels

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to a table of columns and a response; `sample_weight` are prior weights.

        Raises
        ------
        FormulaError, DataError, ModelError
            As `interlace.lmer`; rows with missing values are refused.
        """
        reml, _ = switch("reml", self.reml), word("new_levels", self.new_levels, NEW_LEVELS)
        table = _table(X)
        name, formula = self._formula(list(table))
        values = np.asarray(y)
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if values.ndim != 1 or len(values) != len(table):
            raise DataError(f"y must have one value for each of the {len(table)} rows of X")
        fitted = fit_formula(
            formula,
            table.assign(**{name: values}),
            reml=reml,
            n_jobs=None,
            context={},
            contrasts=self.contrasts,
            weights=None if sample_weight is None else np.asarray(sample_weight),
            offset=None,
            na_action="raise",
        )
        self.model_ = LinearMixedModel(fitted)
        self.feature_names_in_ = np.array(list(table), dtype=object)
        self.n_features_in_ = table.shape[1]
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predicted responses, (n,)."""
        model = self._fitted()
        return np.asarray(model.predict(_table(X), random=self.random, new_levels=self.new_levels))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R2 of the predictions: 1 less the share of the squares about the mean that they leave."""
        values, predicted = np.asarray(y, dtype=np.float64).reshape(-1), self.predict(X)
        w = np.ones(len(values)) if sample_weight is None else np.asarray(sample_weight)
        total = np.sum(w * (values - np.average(values, weights=w)) ** 2)
        return float(1 - np.sum(w * (values - predicted) ** 2) / total)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The options of the constructor."""
        return {name: getattr(self, name) for name in _options()}

    def set_params(self, **params: Any) -> Self:
        """Other options.

        Raises
        ------
        ValueError
            There is no such option.
        """
        for name, value in params.items():
            if name not in _options():
                raise DataError(f"LMERegressor has no option {name!r}; it has {', '.join(_options())}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        changed = (f"{n}={v!r}" for n, v in self.get_params().items() if v is not defaults[n].default)
        return f"LMERegressor({', '.join(changed)})"

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        try:
            from sklearn.base import BaseEstimator, RegressorMixin
        except ImportError as error:
            raise MissingPackageError("this needs scikit-learn: pip install scikit-learn") from error

        class Plain(RegressorMixin, BaseEstimator):
            """What any regressor says of itself."""

        tags = Plain().__sklearn_tags__()
        tags.input_tags.categorical = tags.input_tags.string = True
        return tags

    def _fitted(self) -> LinearMixedModel:
        if hasattr(self, "model_"):
            return self.model_
        try:
            from sklearn.exceptions import NotFittedError
        except ImportError:
            raise ModelError("this LMERegressor is not fitted yet: call fit(X, y)") from None
        raise NotFittedError("this LMERegressor is not fitted yet: call fit(X, y)")

    def _formula(self, names: list[str]) -> tuple[str, str]:
        if not isinstance(self.formula, str):
            raise DataError(f"the formula must be text such as 'x + (1 | g)', not {self.formula!r:.40}")
        left, tilde, right = self.formula.partition("~")
        name, right = (left.strip(), right) if tilde else (RESPONSE, left)
        name = name or RESPONSE
        if not name.isidentifier():
            raise DataError(
                f"the response of the formula must be a name, not {name!r}: transform y before fit gets it"
            )
        while not tilde and name in names:
            name += "_"
        if self.groups is not None:
            right += f" + (1 | `{self.groups}`)"
        return name, f"{name} ~ {right}"


def _options() -> list[str]:
    return list(inspect.signature(LMERegressor).parameters)


def _table(X: Any) -> pd.DataFrame:
    """The columns that a formula can name."""
    if isinstance(X, np.ndarray) and X.dtype.names is None:
        if X.ndim != 2:
            raise DataError(f"X must be a table or an array with two dimensions, not {X.ndim}")
        return pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])
    if isinstance(X, pd.DataFrame):
        return X
    return Frame.read(open_table(X)).to_pandas()
