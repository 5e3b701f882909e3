"""Random effects rotated so that the errors of the rows blur them least."""

from __future__ import annotations

from typing import Any

import numpy as np

from interlace.arrays import Array
from interlace.errors import DataError, shown
from interlace.estimation.capacity import check_room
from interlace.estimation.fit import Fit
from interlace.options import count
from interlace.prediction.leverage import block_of
from interlace.prediction.ranef import blocks_by_group
from interlace.prediction.spherical import Spherical

TOLERANCE = 1e-10  # of a variance beside the largest


def rotated(fit: Fit, level: str, effect: str | None, s: int | None) -> tuple[Array, Array]:
    """The `s` least confounded combinations of one random effect, and the share of errors in their variance.

    The conditional modes ``b = L'G Z'P y`` of one effect have covariance ``B = L'G Z'P Z G L`` (sigma = 1),
    of which ``A = L'G Z'P W^-1 P Z G L`` comes from the errors of the rows. The combinations ``w'b`` with the
    least ``w'A w / w'B w`` (and ``w'B w = 1`` for sigma = 1) are uncorrelated, and as near to normal as the
    random effects are.

    Returns
    -------
    values : ndarray, (s,)
        Over sigma: of variance 1 where the model holds, the least confounded first.
    confounding : ndarray, (s,)

    Raises
    ------
    DataError
        Unknown level or effect, or more combinations than there are.
    """
    i, j = _effect(fit, level, effect)
    model = Spherical.of(fit)
    T, levels = fit.solution.factors[i], len(fit.encoding.random[i].levels)
    q = model.S.shape[1]
    check_room(8.0 * levels * (2 * q + 6 * levels), "rotating the random effects of so many levels needs {}")
    A, B = _variances(fit, model, _selected(model.begins[i], T[j], levels, q))
    b = fit.solution.b[i][:, j] / fit.sigma
    value, vectors = np.linalg.eigh(B)
    kept = value > TOLERANCE * value[-1]
    if value[-1] <= 0:
        raise DataError(
            f"the random effect '{effect}' of '{level}' has no variance: there is nothing to rotate"
        )
    white = vectors[:, kept] / np.sqrt(value[kept])
    share, turn = np.linalg.eigh(white.T @ A @ white)
    most = len(share)
    number = most if s is None else count("s", s)
    if number > most:
        raise DataError(f"s={shown(s)}: there are {most} combinations of the levels of '{level}'")
    return (white @ turn[:, :number]).T @ b, np.clip(share[:number], 0.0, 1.0)


def _effect(fit: Fit, level: str, effect: str | None) -> tuple[int, int]:
    level = fit.encoding.random[block_of(fit, level)].group
    places: dict[str | None, tuple[int, int]] = {}
    for i in blocks_by_group(fit)[level]:
        for j, name in enumerate(fit.encoding.random[i].columns):
            places.setdefault(name, (i, j))
    if effect is None and len(places) == 1:
        return next(iter(places.values()))
    if effect not in places:
        raise DataError(
            f"effect={shown(effect)}: choose a random effect of '{level}': {', '.join(map(str, places))}"
        )
    return places[effect]


def _selected(begin: int, row: Array, levels: int, q: int) -> Any:
    """Lambda'L, sparse (q, levels): which spherical effects make the chosen one of each level."""
    import scipy.sparse as sp

    k = len(row)
    rows = begin + np.arange(levels)[:, None] * k + np.arange(k)
    columns = np.repeat(np.arange(levels), k)
    return sp.csr_array((np.tile(row, levels), (rows.ravel(), columns)), shape=(q, levels))


def _variances(fit: Fit, model: Spherical, T: Any) -> tuple[Array, Array]:
    """A and B, in which only q x levels is dense.

    With ``M = S'S + Q``, ``E = Q^-1 T`` and ``K = M^-1 T``: ``V^-1 S Q^-1 T = S K``, so that
    ``N'V^-1 N = T'(Q^-1 - M^-1) T`` for ``N = S E``, and ``N'V^-2 N = K'S'S K``; the columns of X
    take their part of both.
    """
    from scipy.sparse import csc_array
    from scipy.sparse.linalg import splu

    S, Q = model.S, model.Q
    X = fit.X if fit.design.weights is None else np.sqrt(fit.design.weights)[:, None] * fit.X
    options = {"permc_spec": "MMD_AT_PLUS_A", "options": {"SymmetricMode": True}}
    solve = splu(csc_array(Q + S.T @ S), **options).solve
    dense = T.toarray()
    K = solve(dense)
    E = dense if model.plain else splu(csc_array(Q), **options).solve(dense)
    VX = X - S @ solve(S.T @ X)  # V^-1 X
    root = np.linalg.cholesky(np.linalg.inv(X.T @ VX))
    white = VX @ root
    F = (S.T @ white).T @ E  # (V^-1 X root)'N
    G = (S.T @ white).T @ K  # (V^-1 X root)'V^-1 N
    B = T.T @ (E - K) - F.T @ F
    A = K.T @ ((S.T @ S) @ K) - F.T @ G - G.T @ F + F.T @ (white.T @ white) @ F
    return (A + A.T) / 2, (B + B.T) / 2
