"""`LMERegressor`: a linear mixed model as an estimator of scikit-learn."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd

from interlace.design.design import Source
from interlace.design.frame import Frame, open_table
from interlace.errors import DataError, FormulaError, MissingPackageError, ModelError
from interlace.model import LinearMixedModel
from interlace.model.with_absorbed import model_of
from interlace.options import switch, word
from interlace.prediction.predict import NEW_LEVELS
from interlace.refitting.specification import MixedSpecification

RESPONSE = "y"


class LMERegressor:
    """A linear mixed model for pipelines, grid searches and cross-validation of scikit-learn.

    Rows are tables with named columns, as a formula needs them, among them the grouping factors; columns
    without names are x0, x1 and so on. With scikit-learn's `GroupKFold` give the groups to `cross_val_score`
    as well: it splits by them.

    It passes scikit-learn's `check_estimator` with three exceptions. `sample_weight` is the precision of a
    row, not how often it stands there (`check_sample_weight_equivalence_on_dense_data`). A response that the
    columns explain exactly is refused, as its likelihood has no maximum, and some checks have such. A column
    that the formula names must be there, and groups must be labels (`check_fit2d_1feature`).

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
        values = _response(y, len(table))
        asked = MixedSpecification(
            Source(table.assign(**{name: values})),
            reml=reml,
            contrasts=self.contrasts,
            weights=None if sample_weight is None else np.asarray(sample_weight),
            na_action="error",
        )
        try:
            self.model_ = model_of(asked.fit(formula), asked)
        except FormulaError as error:
            if not _is_nameless(X):
                raise
            raise FormulaError(f"{error.message}; {_NAMELESS}", error.text, error.position) from error
        self.feature_names_in_ = np.array(list(table), dtype=object)
        self.n_features_in_ = table.shape[1]
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predicted responses, (n,).

        Raises
        ------
        DataError
            A column is missing, or a value that a prediction needs; an array has other columns than that of
            the fit.
        """
        model, table = self._fitted(), _table(X)
        if _is_nameless(X) and table.shape[1] != self.n_features_in_:
            raise DataError(
                f"X has {table.shape[1]} features, but LMERegressor is expecting {self.n_features_in_} "
                "features as input: columns without names must be those of fit, in their order"
            )
        found = np.asarray(model.predict(table, random=self.random, new_levels=self.new_levels))
        bad = np.flatnonzero(~np.isfinite(found))
        if bad.size:
            raise DataError(
                f"X has missing values (NaN) where the formula needs numbers: {bad.size} rows have no "
                f"prediction (first: row {bad[0]}, counted from 0)"
            )
        return found

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


_NAMELESS = (
    "X has no names of columns, so that the formula calls them x0, x1 and so on; transformers of "
    "scikit-learn keep names after .set_output(transform='pandas')"
)


def _options() -> list[str]:
    return list(inspect.signature(LMERegressor).parameters)


def _table(X: Any) -> pd.DataFrame:
    """The columns that a formula can name: x0, x1 and so on where they have no names.

    Raises
    ------
    DataError
        It is no table of real numbers and labels with two rows or more.
    """
    if hasattr(X, "tocsr"):
        raise DataError("sparse X is not supported: a formula computes with columns; give X.toarray()")
    if _is_nameless(X):
        table = _named(np.asarray(X))
    else:
        table = X if isinstance(X, pd.DataFrame) else Frame.read(open_table(X)).to_pandas()
    if not table.shape[1]:
        shape = f"0 feature(s) (shape=({len(table)}, 0))"
        raise DataError(f"X has {shape} while a minimum of 1 is required: a column of groups")
    return table


def _is_nameless(X: Any) -> bool:
    """Rows of numbers whose columns have no names, or numbers for names."""
    if isinstance(X, pd.DataFrame):
        return bool(X.shape[1]) and all(isinstance(name, int | np.integer) for name in X.columns)
    if isinstance(X, np.ndarray):
        return X.dtype.names is None
    named = any(hasattr(X, name) for name in ("columns", "__arrow_c_stream__", "__dataframe__", "keys"))
    return isinstance(X, list | tuple) or (hasattr(X, "__array__") and not named)


def _named(X: np.ndarray) -> pd.DataFrame:
    if X.ndim != 2:
        raise DataError(
            f"X must be a table or an array with two dimensions, not {X.ndim}: Reshape your data, "
            "X.reshape(-1, 1) for one column"
        )
    if X.dtype.kind == "c":
        raise DataError("Complex data not supported: a formula computes with real numbers and labels")
    if X.dtype.kind == "f" and not np.isfinite(X).all():
        bad = np.flatnonzero(~np.isfinite(X).all(axis=1))
        raise DataError(
            f"X contains NaN or inf in {bad.size} rows (first: row {bad[0]}, counted from 0): drop these "
            "rows, or give a table, of which only the columns of the formula are looked at"
        )
    return pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])


def _response(y: Any, n: int) -> np.ndarray:
    """One value for each of n rows."""
    if y is None:
        raise DataError("LMERegressor requires y to be passed, but the target y is None")
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        _warn_of_a_column()
        values = values[:, 0]
    if values.ndim != 1 or len(values) != n:
        raise DataError(f"y must have one value for each of the {n} rows of X")
    if n == 1:
        raise DataError("X has 1 sample: a variance between groups needs several rows in several groups")
    return values


def _warn_of_a_column() -> None:
    """As scikit-learn does of a y with two dimensions, where it is installed."""
    try:
        from sklearn.exceptions import DataConversionWarning
    except ImportError:
        return
    words = "A column-vector y was passed when a 1d array was expected: give y.ravel()"
    warnings.warn(words, DataConversionWarning, stacklevel=4)
