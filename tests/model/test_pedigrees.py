"""Pedigrees: Henderson's inverse of the relationship matrix, and his mixed-model equations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import interlace


def pedigree(
    rng: np.random.Generator, generations: int = 10, size: int = 500, sires: int = 25
) -> tuple[np.ndarray, np.ndarray]:
    """Sire and dam of each animal, -1 for founders: sires have large families, dams small ones."""
    sire, dam = [np.full(size, -1)], [np.full(size, -1)]
    for g in range(1, generations):
        before = (g - 1) * size
        sire.append(before + rng.integers(0, sires, size))
        dam.append(before + rng.integers(sires, size, size))
    return np.concatenate(sire), np.concatenate(dam)


def inverse_relationship(sire: np.ndarray, dam: np.ndarray) -> tuple[sp.csr_matrix, np.ndarray]:
    """Henderson's (1976) rules with the variances of Mendelian sampling from the inbreeding of the parents.

    Returns A^-1 and the diagonal of A.
    """
    n = len(sire)
    A = np.zeros((n, n))
    d = np.empty(n)
    for i, (s, m) in enumerate(zip(sire, dam, strict=True)):
        parents = [p for p in (s, m) if p >= 0]
        for p in parents:
            A[i, :i] += 0.5 * A[p, :i]
        A[:i, i] = A[i, :i]
        A[i, i] = 1.0 + (0.5 * A[s, m] if len(parents) == 2 else 0.0)
        d[i] = A[i, i] - 0.25 * sum(A[p, p] for p in parents) - (0.5 * A[s, m] if len(parents) == 2 else 0.0)
    rows = np.arange(n)
    T = sp.identity(n, format="csr")
    for parent in (sire, dam):
        known = parent >= 0
        T = T - sp.csr_matrix((np.full(known.sum(), 0.5), (rows[known], parent[known])), shape=(n, n))
    return (T.T @ sp.diags(1 / d) @ T).tocsr(), np.diagonal(A).copy()


def test_a_small_pedigree_by_its_inverse_and_by_its_covariance() -> None:
    rng = np.random.default_rng(4)
    sire, dam = pedigree(rng, 4, 30, 4)
    Q, variances = inverse_relationship(sire, dam)
    A = np.linalg.inv(Q.toarray())
    np.testing.assert_allclose(np.diagonal(A), variances)
    a = np.linalg.cholesky(A) @ rng.normal(size=120)
    rows = np.repeat(np.arange(20, 120), 2)
    frame = pd.DataFrame({"y": a[rows] + rng.normal(size=200), "animal": rows})
    one = interlace.lmer(
        "y ~ 1 + (1 | animal)", frame, known={"animal": interlace.Precision(Q, np.arange(120))}
    )
    two = interlace.lmer("y ~ 1 + (1 | animal)", frame, known={"animal": (A, np.arange(120))})
    np.testing.assert_allclose(one.loglik, two.loglik, rtol=1e-9)
    np.testing.assert_allclose(one.ranef()["animal"], two.ranef()["animal"], atol=1e-6)


@pytest.mark.slow
def test_five_thousand_animals() -> None:
    """Henderson's mixed-model equations, solved by SciPy, at the estimates."""
    from scipy.sparse.linalg import splu

    rng = np.random.default_rng(5)
    sire, dam = pedigree(rng)
    Q, _ = inverse_relationship(sire, dam)
    n = len(sire)
    factor = splu(sp.csc_matrix(Q), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    a = np.zeros(n)
    for i, (s, m) in enumerate(zip(sire, dam, strict=True)):
        a[i] = (0.5 * (a[s] + a[m]) if s >= 0 else 0.0) + rng.normal() * np.sqrt(0.5 if s >= 0 else 1.0)
    rows = np.repeat(np.arange(500, n), 2)
    herd = rng.integers(0, 40, len(rows))
    x = rng.normal(size=len(rows))
    y = 2 + 0.5 * x + a[rows] + 0.7 * rng.normal(size=40)[herd] + rng.normal(size=len(rows))
    frame = pd.DataFrame({"y": y, "x": x, "animal": rows, "herd": herd})
    known = {"animal": interlace.Precision(Q, np.arange(n))}
    model = interlace.lmer("y ~ x + (1 | animal) + (1 | herd)", frame, known=known)
    assert model.fit.optimum.converged
    s = model.fit.solution
    t = {block.group: float(T[0, 0]) for block, T in zip(model.fit.encoding.random, s.factors, strict=True)}
    X = sp.csr_matrix(model.fit.design.X)
    Z = sp.csr_matrix((np.ones(len(rows)), (np.arange(len(rows)), rows)), shape=(len(rows), n))
    H = sp.csr_matrix((np.ones(len(rows)), (np.arange(len(rows)), herd)), shape=(len(rows), 40))
    W = sp.hstack([X, Z, H]).tocsr()
    prior = sp.block_diag([sp.csr_matrix((2, 2)), Q / t["animal"] ** 2, sp.identity(40) / t["herd"] ** 2])
    C = splu(sp.csc_matrix(W.T @ W + prior), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    found = C.solve(W.T @ y)
    np.testing.assert_allclose(model.fixef, found[:2], rtol=1e-8)
    np.testing.assert_allclose(
        model.ranef()["animal"].to_numpy()[:, 0], found[2 : n + 2], rtol=1e-6, atol=1e-8
    )
    pwrss = y @ y - found @ (W.T @ y)
    df = len(y) - 2
    logs = np.log(np.abs(C.U.diagonal())).sum() - np.log(np.abs(factor.U.diagonal())).sum()
    logs += 2 * n * np.log(t["animal"]) + 2 * 40 * np.log(t["herd"])
    expected = logs + df * (1 + np.log(2 * np.pi * pwrss / df))
    np.testing.assert_allclose(-2 * model.loglik, expected, rtol=1e-10)
    assert np.corrcoef(model.ranef()["animal"].to_numpy()[:, 0], a)[0, 1] > 0.7
