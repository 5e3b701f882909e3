"""Known covariances between the levels of a grouping factor: pedigrees, phylogenies, neighbourhoods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from interlace.design.design import Design
from interlace.design.grouping import Grouping
from interlace.design.known_value import KINDS, Known
from interlace.design.rows import Rows
from interlace.errors import DataError
from interlace.frozen import dataclass

SHOWN = 5
# Relative difference of two entries of a symmetric matrix that is rounding error.
ROUNDING = 1e-8


@dataclass(frozen=True, eq=False)
class Precision:
    """The inverse of a known covariance, for ``lmer(..., known={"id": Precision(Q, labels)})``.

    Pedigrees, neighbourhoods and Markov chains have sparse inverses where the covariance itself is dense.

    Parameters
    ----------
    matrix : DataFrame, ndarray or scipy sparse matrix, (L, L)
        ``Q = K^-1``, symmetric and positive definite.
    labels : sequence, optional
        The L levels of the rows and columns; not needed for a DataFrame, which has them.

    Examples
    --------
    >>> import numpy as np, pandas as pd, interlace
    >>> chain = np.array([[1.2, -0.6, 0.0], [-0.6, 1.5, -0.6], [0.0, -0.6, 1.2]])
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 3, 6, 5, 2, 3], "g": list("aabbccab")})
    >>> model = interlace.lmer("y ~ 1 + (1 | g)", data, known={"g": interlace.Precision(chain, list("abc"))})
    >>> round(model.loglik, 4)
    -10.4461
    """

    matrix: Any
    labels: Any = None


def with_known(rows: Rows, known: Mapping[str, Any] | None) -> Rows:
    """The same rows where the levels of some grouping factors have a known covariance.

    Their levels are those of the covariance, in its order: a level without data is one of them.

    Raises
    ------
    DataError
        No such grouping factor, no such levels, or no covariance matrix.
    """
    if known is None:
        return rows
    if not isinstance(known, Mapping):
        raise DataError(
            "known takes a covariance for each grouping factor by name, as in known={'id': K}, not "
            f"{known!r:.50}"
        )
    encoding = rows.encoding
    groups = {block.group: block.grouping for block in encoding.random}
    for name in known:
        if name not in groups:
            raise DataError(
                f"known names {name!r}, which is not a grouping factor of the model; they are "
                f"{', '.join(groups)}"
            )
    given = {name: _read(name, value, groups[name]) for name, value in known.items()}
    places = {name: _places(name, found, groups[name]) for name, found in given.items()}
    new = {
        name: replace(groups[name], parts=(_labels(found, groups[name]),)) for name, found in given.items()
    }
    random = tuple(
        replace(block, grouping=new[block.group], known=given[block.group]) if block.group in given else block
        for block in encoding.random
    )
    new_codes = tuple(places.get(block.group) for block in encoding.random)
    return rows.changed(replace(encoding, random=random), partial(_at_places, places=new_codes))


def _at_places(design: Design, places: tuple[np.ndarray | None, ...]) -> Design:
    """The rows with other codes of the levels of some blocks."""
    random = tuple(
        part if place is None else replace(part, codes=place[part.codes])
        for part, place in zip(design.random, places, strict=True)
    )
    return replace(design, random=random)


def _read(name: str, value: Any, grouping: Grouping) -> Known:
    if grouping.combinations is not None:
        raise DataError(
            f"known[{name!r}]: the levels of '{name}' are combinations of two factors; make a column of them "
            "in the data, and use that as the grouping factor"
        )
    kind, matrix, labels = "covariance", value, None
    if isinstance(value, Precision):
        kind, matrix, labels = "precision", value.matrix, value.labels
    elif isinstance(value, tuple) and len(value) == 2:
        matrix, labels = value
    assert kind in KINDS
    matrix, labels = _labelled(name, matrix, labels)
    return Known(kind, _checked(name, matrix), labels)


def _labelled(name: str, matrix: Any, labels: Any) -> tuple[Any, np.ndarray]:
    """The matrix, dense or sparse, and the labels of its rows and columns."""
    if isinstance(matrix, pd.DataFrame):
        own = matrix.index
        if not own.is_unique or set(own) != set(matrix.columns):
            raise DataError(
                f"known[{name!r}]: the rows and columns of the table must have the same labels, each once: "
                "the levels of the grouping factor"
            )
        matrix = matrix.loc[:, own].to_numpy()
        labels = own if labels is None else labels
    if labels is None:
        raise DataError(
            f"known[{name!r}] has no labels, so that its rows cannot be told apart; give a DataFrame with "
            "the levels as index and columns, a pair (matrix, labels), or interlace.Precision(matrix, labels)"
        )
    try:
        found = np.array(pd.Index(labels))
    except TypeError as error:
        raise DataError(
            f"known[{name!r}]: labels must be a sequence with the level of each row, not {labels!r:.50}"
        ) from error
    shape = getattr(matrix, "shape", None)
    if shape is None or len(shape) != 2 or shape[0] != shape[1] or shape[0] != len(found):
        raise DataError(
            f"known[{name!r}] must be a square matrix with a label for each row: it has shape {shape} and "
            f"{len(found)} labels"
        )
    twice = pd.Index(found)[pd.Index(found).duplicated()]
    if len(twice) or pd.isna(found).any():
        what = f"the label {twice[0]!r} stands twice" if len(twice) else "a label is missing"
        raise DataError(f"known[{name!r}]: {what}; each level has one row and one column")
    return matrix, found


def _checked(name: str, matrix: Any) -> Any:
    """Float64, dense array or CSR, symmetric to the last digit."""
    from scipy import sparse  # not in every model

    try:
        M = sparse.csr_array(matrix) if sparse.issparse(matrix) else np.asarray(matrix)
        if M.dtype.kind == "c":
            raise TypeError("complex")
        M = M.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"known[{name!r}] is not a matrix of numbers") from error
    values = M.data if sparse.issparse(M) else M
    if not np.isfinite(values).all():
        raise DataError(f"known[{name!r}] has values that are missing or infinite")
    difference = np.abs(M - M.T)
    if difference.max() > ROUNDING * np.abs(values).max(initial=0.0):
        raise DataError(
            f"known[{name!r}] is not symmetric, as a covariance is; give (K + K.T) / 2 if the difference is "
            "rounding error"
        )
    return (M + M.T) / 2


def _places(name: str, known: Known, grouping: Grouping) -> np.ndarray:
    """Where the levels of the data stand among the labels, int32."""
    at = {label: i for i, label in enumerate(known.labels.tolist())}
    levels = grouping.levels.tolist()
    missing = [level for level in levels if level not in at]
    if missing:
        shown = ", ".join(repr(level) for level in missing[:SHOWN]) + (
            ", ..." if len(missing) > SHOWN else ""
        )
        types = type(known.labels.tolist()[0]).__name__, type(levels[0]).__name__
        hint = (
            f"; the labels are of type {types[0]}, the levels of type {types[1]}"
            if len(set(types)) > 1
            else ""
        )
        raise DataError(
            f"known[{name!r}] lacks {len(missing)} of the {len(levels)} levels that the data have: {shown}"
            f"{hint}; add their rows and columns, or leave out their rows of the data"
        )
    return np.array([at[level] for level in levels], dtype=np.int32)


def _labels(known: Known, grouping: Grouping) -> np.ndarray:
    """The labels in the type of the levels of the data, so that new data meet them as they did."""
    levels = grouping.parts[0]
    if levels.dtype.kind in "OUS":
        out = np.empty(len(known.labels), dtype=object)
        out[:] = known.labels.tolist()
        return out
    return known.labels.astype(levels.dtype)
