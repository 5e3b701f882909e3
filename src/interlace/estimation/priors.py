"""Known covariances of levels for the kernel: their sparse inverses, factored once per model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlace import kernel
from interlace.design.encoding import Encoding
from interlace.design.known_value import Known
from interlace.errors import DataError
from interlace.estimation.capacity import SHARE, available_bytes, check_room
from interlace.estimation.layout import Layout

Array = NDArray[np.floating]

# Of an entry of a precision: in the matrix and its copies, and in the analyses of its pattern.
BYTES = 90.0
# Below this share of its variance, what the other levels leave of that of a level is rounding error.
SINGULAR = 1e-9


def precisions(encoding: Encoding, layout: Layout) -> tuple[kernel.Precision | None, ...]:
    """Per grouping factor of the kernel, the precision of its levels; None where they are independent.

    Raises
    ------
    DataError
        A matrix is not positive definite.
    ModelError
        Its factor does not fit in memory.
    """
    out: list[kernel.Precision | None] = []
    for blocks in layout.blocks:
        block = encoding.random[blocks[0]] if blocks else None
        if block is None or block.known is None:
            out.append(None)
        else:
            out.append(_precision(block.group, block.known))
    return tuple(out)


def _precision(group: str, known: Known) -> kernel.Precision:
    try:
        return _factored(_rows(precision_matrix(known)))
    except (np.linalg.LinAlgError, kernel.NotPositiveDefiniteError) as error:
        raise DataError(_INDEFINITE.format(group=group, kind=known.kind)) from error
    except ValueError as error:  # of the kernel: the factor does not fit
        raise DataError(
            f"known[{group!r}]: the factor of the {known.kind} of {len(known.labels):,} levels does not fit "
            "in memory; leave out levels that have no data and link none that have"
        ) from error


def precision_matrix(known: Known) -> Any:
    """The sparse inverse of the covariance of the levels."""
    return known.matrix if known.kind == "precision" else _inverse(known.matrix)


_INDEFINITE = (
    "known[{group!r}]: the {kind} is not positive definite, so that it has no density. Levels that are "
    "copies of each other (clones, identical twins) should be one level; a matrix estimated from markers, or "
    "one with rounding error, becomes positive definite with a small multiple of the identity added to it; "
    "an intrinsic (rank deficient) precision needs the same"
)


def _rows(matrix: Any) -> Any:
    """CSR with ascending columns and without zeros; a copy."""
    import scipy.sparse as sp  # not in every model

    out = sp.csr_array(matrix, copy=True)
    out.sum_duplicates()
    out.eliminate_zeros()
    out.sort_indices()
    return out


def _factored(Q: Any) -> kernel.Precision:
    """The factor of a matrix in rows, every diagonal entry there."""
    check_room(BYTES * Q.nnz, _ROOM)
    diagonal = Q.diagonal()
    if not (diagonal > 0).all():
        raise np.linalg.LinAlgError
    ptr, col = Q.indptr.astype(np.int64), Q.indices.astype(np.int32)
    found = kernel.precision(ptr, col, Q.data, SHARE * available_bytes())
    if not (np.asarray(found.variance) * diagonal).max() < 1 / SINGULAR:
        raise np.linalg.LinAlgError
    return found


def _inverse(K: Any) -> Any:
    """K^-1: levels that no path of covariances links are independent, and the inverse of a family is full."""
    import scipy.sparse as sp  # not in every model
    from scipy.sparse.csgraph import connected_components

    rows = _rows(K)
    count, family = connected_components(rows, directed=False)
    order = np.argsort(family, kind="stable")
    sizes = np.bincount(family, minlength=count)
    check_room(BYTES * float((sizes.astype(np.float64) ** 2).sum()), _ROOM)
    # 1) every pair of members of a family, with zeros where K has none
    own = sizes[family[order]]  # per level in this order, the size of its family
    begin = np.repeat(np.cumsum(sizes) - sizes, sizes)
    within = np.arange(own.sum()) - np.repeat(np.cumsum(own) - own, own)
    row, col = np.repeat(order, own), order[np.repeat(begin, own) + within]
    full = sp.csr_array((np.zeros(len(row)), (row, col)), shape=rows.shape)
    full.sort_indices()
    full.data[np.searchsorted(_keys(full), _keys(rows))] = rows.data
    # 2) on that pattern the selected inverse is all of the inverse
    full.data = np.asarray(_factored(full).inverse())
    return full


def _keys(matrix: Any) -> NDArray[np.int64]:
    """One number for each entry, ascending."""
    row = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
    return np.asarray(row * matrix.shape[1] + matrix.indices)


_ROOM = (
    "the inverse of the known covariance needs {}, because it has so many entries that are not zero; give a "
    "sparse inverse, as interlace.Precision(Q, labels), or leave out levels that no data need"
)
