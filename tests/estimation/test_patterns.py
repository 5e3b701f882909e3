"""Numbers on a pattern: rows leave and come, responses are swapped, priors stand in place of I."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import splu

from interlace import kernel
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.rows import as_rows
from interlace.estimation.answering import Given
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.deviance import ProfiledDeviance
from interlace.estimation.fit import deviance_at, fit
from interlace.estimation.optimize import minimise
from interlace.estimation.penalized import Solution, System
from interlace.estimation.rank import independent_columns
from interlace.formula.parser import parse
from made_data import Made, banded, crossed, random_design, sparse_designs

CASES = [*sparse_designs()[:3], *(random_design(seed) for seed in range(6))]


def learnt(made: Made) -> tuple[Encoding, Design]:
    options = {k: v for k, v in made.options.items() if k in ("weights", "offset")}
    return Encoding.learn(parse(made.formula), made.data, **options)


def some(design: Design, rows: Any) -> Design:
    """Some rows of a design, with all its columns and levels."""
    return replace(
        design,
        y=design.y[rows],
        fixed=design.fixed.take(rows),
        random=tuple(replace(r, codes=r.codes[rows], z=r.z[rows]) for r in design.random),
        weights=None if design.weights is None else design.weights[rows],
        offset=None if design.offset is None else design.offset[rows],
    )


def numbers(A: CrossProducts) -> list[np.ndarray]:
    P = A.products
    out = [P.xx, P.xy, np.array([P.yy])]
    for f in range(len(A.layout.k)):
        out += [P.zz_diagonal(f), P.zx(f), P.zy(f)]
        out += [written_out(P, f, g) for g in range(f + 1, len(A.layout.k))]
    return [np.asarray(v) for v in out]


def written_out(P: kernel.CrossProducts, f: int, g: int) -> np.ndarray:
    """The blocks of a pair of grouping factors, zeros for levels that do not meet."""
    ptr, col, value = P.zz_pair(f, g)
    out = np.zeros((P.levels[f], P.levels[g], P.k[f], P.k[g]))
    out[np.repeat(np.arange(P.levels[f]), np.diff(ptr)), col] = value
    return out


def assert_same(a: CrossProducts, b: CrossProducts, like: CrossProducts) -> None:
    for ours, theirs, size in zip(numbers(a), numbers(b), numbers(like), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12 * np.abs(size).max(initial=0.0))


@pytest.mark.parametrize("made", CASES, ids=str)
def test_rows_taken_away_are_the_rows_that_are_left(made: Made) -> None:
    encoding, design = learnt(made)
    A = CrossProducts.of(encoding, design)
    gone = design.random[0].codes % 5 == 1
    left = A - A.of_rows(some(design, gone))
    assert left.products.pattern == A.products.pattern
    direct = A.of_rows(some(design, ~gone))
    assert_same(left, direct, A)
    assert left.n == direct.n
    assert abs(left.products.sum_log_w - direct.products.sum_log_w) < 1e-9 * A.n


@pytest.mark.parametrize("made", CASES[2:6], ids=str)
def test_one_analysis_serves_all_deletions(made: Made) -> None:
    """``A - A_g`` refitted with the analysis of A is the refit of the rows that are left."""
    encoding, design = learnt(made)
    A = CrossProducts.of(encoding, design)
    system = System.of(encoding, A)
    for level in (0, 1):
        gone = design.random[0].codes == level
        smaller = system.with_products(A - A.of_rows(some(design, gone)))
        assert smaller.symbolic is system.symbolic
        criterion = ProfiledDeviance.of(smaller, reml=True)
        direct = System.of(encoding, CrossProducts.of(encoding, some(design, ~gone), origin=A.origin))
        other = ProfiledDeviance.of(direct, reml=True)
        for par in (criterion.start, 0.3 * criterion.start, 2.0 * criterion.start):
            np.testing.assert_allclose(criterion.value(par), other.value(par), rtol=1e-12)
        found, o, _ = minimise(criterion)
        p = minimise(other).optimum
        np.testing.assert_allclose(o.value, p.value, rtol=1e-10)
        np.testing.assert_allclose(replace(found, system=direct).value(o.par), o.value, rtol=1e-12)
        ours, theirs = criterion.solution(criterion.start), other.solution(criterion.start)
        np.testing.assert_allclose(ours.beta, theirs.beta, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(ours.pwrss, theirs.pwrss, rtol=1e-10)


def test_a_factor_refuses_products_of_another_pattern() -> None:
    rng = np.random.default_rng(1)
    encoding, design = Encoding.learn(parse("y ~ x + (1 | a) + (1 | b)"), crossed(rng, 90))
    A = CrossProducts.of(encoding, design)
    fewer = CrossProducts.of(encoding, some(design, np.arange(90) < 60), origin=A.origin)
    assert fewer.products.pattern != A.products.pattern
    system = System.of(encoding, A)
    with pytest.raises(ValueError, match="another pattern"):
        kernel.Cholesky(fewer.products, system.symbolic)
    with pytest.raises(ValueError, match="another pattern"):
        ProfiledDeviance.of(system, reml=True).kernel()
        replace(ProfiledDeviance.of(system, reml=True), system=system.with_products(fewer)).kernel()
    again = CrossProducts.of(encoding, design)  # another value of the same pattern
    kernel.Cholesky(again.products, system.symbolic)


def test_rows_of_another_pattern_are_refused() -> None:
    rng = np.random.default_rng(2)
    encoding, design = Encoding.learn(parse("y ~ x + (1 | a) + (1 | b)"), banded(rng, 30, 2, 4))
    first = CrossProducts.of(encoding, some(design, design.random[0].codes < 10))
    with pytest.raises(ValueError, match="do not meet in the pattern"):
        first.of_rows(design)
    rows = first.rows(design) | {"levels": [31, 30]}
    with pytest.raises(ValueError, match="pattern"):
        kernel.accumulate_on(first.products.pattern, **rows)


@pytest.mark.parametrize("made", CASES[2:8], ids=str)
def test_any_combination_is_that_of_its_numbers(made: Made) -> None:
    encoding, design = learnt(made)
    A = CrossProducts.of(encoding, design)
    third = np.arange(design.nrows) % 3
    parts = [CrossProducts.of(encoding, some(design, third == s), origin=A.origin) for s in range(3)]
    products = [part.products for part in parts]
    plain = replace(A, products=kernel.combine(products, [1.0, 1.0, 1.0], A.n, 0.0))
    assert_same(plain, A, A)
    # weights of strata are prior weights
    w = np.array([0.5, 1.7, 4.0])
    base = np.ones(design.nrows) if design.weights is None else design.weights
    direct = A.of_rows(replace(design, weights=base * w[third]))
    strata = CrossProducts.weighted(parts, w)
    assert_same(strata, direct, direct)
    assert strata.n == A.n
    np.testing.assert_allclose(strata.products.sum_log_w, direct.products.sum_log_w, rtol=1e-12, atol=1e-10)
    # (a + b) - b is a
    assert_same((parts[0] + parts[1]) - parts[1], parts[0], A)


def test_combinations_of_different_designs_are_refused() -> None:
    rng = np.random.default_rng(1)
    data = crossed(rng, 60)
    A = CrossProducts.of(*Encoding.learn(parse("y ~ x + (1 | a)"), data))
    B = CrossProducts.of(*Encoding.learn(parse("y ~ x + (1 | b)"), data))
    C = CrossProducts.of(*Encoding.learn(parse("y ~ 1 + (1 | a)"), data))
    for other in (B, C):
        with pytest.raises(ValueError, match="different designs"):
            _ = A + other
    with pytest.raises(ValueError, match="one coefficient"):
        kernel.combine([A.products], [1.0, 2.0], 60, 0.0)


@pytest.mark.parametrize("made", CASES, ids=str)
def test_many_responses_through_one_factor_are_one_at_a_time(made: Made) -> None:
    encoding, design = learnt(made)
    A = CrossProducts.of(encoding, design)
    kept = independent_columns(A, design)
    A, design = A.select_fixed(kept), design.selected(kept)
    system = System.of(encoding, A)
    Y = np.random.default_rng(5).normal(3.0, 2.0, (7, design.nrows))
    many = A.with_responses(encoding, Given(Y), as_rows(encoding, design))
    criterion = ProfiledDeviance.of(system, reml=True)
    factors = criterion.parameters.factors(0.7 * criterion.start)
    found = system.factorize(factors).solve_responses([one.products for one in many])
    for y, one, (beta, u, pwrss) in zip(Y, many, found, strict=True):
        single = A.with_response(encoding, replace(design, y=y))
        assert_same(one, single, single)
        assert one.origin.y == pytest.approx(single.origin.y, rel=1e-13)
        expected = system.with_products(single).factorize(factors)
        np.testing.assert_allclose(beta, expected.beta, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(pwrss, expected.pwrss, rtol=1e-12)
        for ours, theirs in zip(u, expected.spherical(), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)


def test_responses_of_other_rows_are_refused() -> None:
    data = crossed(np.random.default_rng(1), 60)
    encoding, design = Encoding.learn(parse("y ~ x + (1 | a)"), data)
    A = CrossProducts.of(encoding, design)
    factor = Solution.at(System.of(encoding, A), (np.identity(1),)).factor
    assert factor.solve_responses([]) == []
    with pytest.raises(ValueError, match="other rows"):
        factor.solve_responses([CrossProducts.of(encoding, design).products])


# ---- what stands in place of I ---


@pytest.mark.parametrize(
    "formula", ["y ~ 0 + x + (1 | a) + (1 | b)", "y ~ 0 + z + (x | a) + (1 | b) + (x | c)"]
)
@pytest.mark.parametrize("which", [0, 1])
def test_a_group_without_prior_is_dummies(formula: str, which: int) -> None:
    """Its levels are fixed effects: REML as with a column of X for each."""
    data = crossed(np.random.default_rng(4), 400, (9, 7, 5))
    encoding, design = Encoding.learn(parse(formula), data)
    A = CrossProducts.of(encoding, design)
    layout = A.layout
    factors = [0.8 * np.identity(k) + 0.1 for k in layout.k]
    factors[which] = np.identity(layout.k[which])
    priors = [kernel.Prior.none() if f == which else kernel.Prior.identity() for f in range(len(layout.k))]
    absorbed = kernel.Cholesky(A.products, kernel.analyze(A.products, priors, np.inf))
    absorbed.factorize(factors)
    # the same with dummies, dense
    X, Z, G = [design.X], [], []
    for i, (block, rows) in enumerate(zip(encoding.random, design.random, strict=True)):
        f, L, k = layout.places[i].group, len(block.levels), len(block.columns)
        wide = np.zeros((design.nrows, L, k))
        wide[np.arange(design.nrows), rows.codes] = rows.z - A.origin.z[i]
        if f == which:
            X.append(wide.reshape(design.nrows, -1))
        else:
            Z.append(wide.reshape(design.nrows, -1))
            G.append(np.kron(np.identity(L), factors[f] @ factors[f].T))
    X = np.hstack(X)
    V = np.identity(design.nrows) + sum(z @ g @ z.T for z, g in zip(Z, G, strict=True))
    information = X.T @ np.linalg.solve(V, X)
    y = design.y - A.origin.y
    beta = np.linalg.solve(information, X.T @ np.linalg.solve(V, y))
    r = y - X @ beta
    logs = np.linalg.slogdet(V)[1] + np.linalg.slogdet(information)[1]
    np.testing.assert_allclose(absorbed.ld_l2 + absorbed.ld_rx2, logs, rtol=1e-11)
    np.testing.assert_allclose(absorbed.pwrss, r @ np.linalg.solve(V, r), rtol=1e-11)
    np.testing.assert_allclose(absorbed.beta, beta[:1], rtol=1e-10)
    np.testing.assert_allclose(np.ravel(absorbed.spherical()[which]), beta[1:], rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(
        absorbed.unscaled_covariance()[0, 0], np.linalg.inv(information)[0, 0], rtol=1e-10
    )


def test_a_level_without_rows_and_prior_has_no_solution() -> None:
    data = crossed(np.random.default_rng(3), 60)
    encoding, design = Encoding.learn(parse("y ~ 0 + x + (1 | a) + (1 | b)"), data)
    A = CrossProducts.of(encoding, design)
    A = A - A.of_rows(some(design, design.random[0].codes == 0))
    none = [kernel.Prior.none(), kernel.Prior.identity()]
    factor = kernel.Cholesky(A.products, kernel.analyze(A.products, none, np.inf))
    with pytest.raises(kernel.NotPositiveDefiniteError):
        factor.factorize([np.identity(1), np.identity(1)])


def test_priors_and_pattern_belong_together() -> None:
    data = crossed(np.random.default_rng(3), 60)
    A = CrossProducts.of(*Encoding.learn(parse("y ~ x + (1 | a) + (1 | b)"), data))
    with pytest.raises(ValueError, match="one prior"):
        kernel.analyze(A.products, [kernel.Prior.identity()], np.inf)
    two = kernel.precision(np.array([0, 1, 2]), np.array([0, 1], dtype=np.int32), np.ones(2), np.inf)
    with pytest.raises(ValueError, match="other levels"):
        kernel.analyze(A.products, [kernel.Prior.identity(), kernel.Prior.known(two)], np.inf)
    for ptr, col in ([0, 1, 1], [0]), ([0, 1, 2], [0, 0]), ([0, 2, 3], [1, 0, 1]), ([0, 1, 3], [0, 1, 2]):
        with pytest.raises(ValueError):
            kernel.precision(np.array(ptr), np.array(col, dtype=np.int32), np.ones(len(col)), np.inf)


def test_the_joint_inverse_is_the_inverse() -> None:
    """Every block of it, and what condVar reads is the same."""
    data = crossed(np.random.default_rng(8), 150, (11, 7, 5))
    encoding, design = Encoding.learn(parse("y ~ x + z + (x | a) + (1 | b) + (z | c)"), data)
    found = fit(encoding, design)
    s, layout, A = found.solution, found.criterion.system.A.layout, found.criterion.system.A
    F = found.criterion.system.internal_factors(s.factors)
    Z, L = [], []
    for f, (levels, k) in enumerate(zip(layout.levels, layout.k, strict=True)):
        rows = A.rows(design)
        wide = np.zeros((design.nrows, levels, k))
        wide[np.arange(design.nrows), rows["codes"][f]] = rows["z"][f] - rows["z_origin"][f]
        Z.append(wide.reshape(design.nrows, -1))
        L.append(np.kron(np.identity(levels), F[f]))
    ZL = np.hstack([z @ lam for z, lam in zip(Z, L, strict=True)])
    X = design.X - A.origin.x
    H = np.block([[ZL.T @ ZL + np.identity(ZL.shape[1]), ZL.T @ X], [X.T @ ZL, X.T @ X]])
    starts = np.cumsum([0, *(lam.shape[0] for lam in L)])
    big = np.zeros_like(H)
    for start, lam in zip(starts, L, strict=False):
        big[start : start + len(lam), start : start + len(lam)] = lam
    big[starts[-1] :, starts[-1] :] = np.identity(X.shape[1])
    J = big @ np.linalg.inv(H) @ big.T
    inverse = s.factor.joint_inverse()
    for f, (levels, k) in enumerate(zip(layout.levels, layout.k, strict=True)):
        E, C = np.asarray(inverse.e(f)), np.asarray(inverse.diagonal(f))
        for g in range(levels):
            at = slice(starts[f] + g * k, starts[f] + (g + 1) * k)
            np.testing.assert_allclose(C[g] + E[g] @ E[g].T, J[at, at], rtol=1e-9, atol=1e-11)
        for h in range(f + 1, len(layout.k)):
            ptr, col, _ = A.products.zz_pair(f, h)
            blocks, kh, Eh = np.asarray(inverse.cross(f, h)), layout.k[h], np.asarray(inverse.e(h))
            for g in range(levels):
                for b in range(ptr[g], ptr[g + 1]):
                    at = slice(starts[f] + g * k, starts[f] + (g + 1) * k)
                    to = slice(starts[h] + col[b] * kh, starts[h] + (col[b] + 1) * kh)
                    np.testing.assert_allclose(
                        blocks[b] + E[g] @ Eh[col[b]].T, J[at, to], rtol=1e-8, atol=1e-11
                    )


def test_large_supernodes_are_merged_wherever_they_stand() -> None:
    """Firms that workers move between all meet in the end; fronts with few pivots would be as large."""
    rng = np.random.default_rng(11)
    workers, firms, years = 3000, 900, 8
    moves = rng.random((workers, years)) < 0.3
    drawn = rng.integers(firms, size=(workers, years))
    last = np.maximum.accumulate(np.where(moves, np.arange(years), 0), axis=1)
    firm = np.take_along_axis(drawn, last, axis=1).ravel()
    worker = np.repeat(np.arange(workers), years)
    data = {"y": rng.normal(size=worker.size), "w": worker, "f": firm}
    f = fit(*Encoding.learn(parse("y ~ 1 + (1 | w) + (1 | f)"), data), reml=True)
    # 1) the criterion, from the matrix itself
    n, theta = worker.size, np.array([0.7, 0.4])
    of = dict(zip("wf", theta, strict=True))
    Z = sparse.hstack(
        [
            sparse.csr_array((np.full(n, of[g]), (np.arange(n), np.unique(data[g], return_inverse=True)[1])))
            for g in ("w", "f")
        ]
    )
    M = sparse.csc_array(Z.T @ Z + sparse.eye_array(Z.shape[1]))
    lu = splu(M, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    X = np.column_stack([np.ones(n), data["y"]])
    S = X.T @ X - (Z.T @ X).T @ lu.solve(Z.T @ X)
    log_det = np.log(lu.U.diagonal()).sum()
    pwrss = S[1, 1] - S[0, 1] ** 2 / S[0, 0]
    expected = log_det + np.log(S[0, 0]) + (n - 1) * (1 + np.log(2 * np.pi * pwrss / (n - 1)))
    assert deviance_at(f, theta, reml=True) == pytest.approx(expected, rel=1e-11)
    # 2) the updates that wait for their parents take less than the factor, which has 430,000 numbers
    assert f.criterion.system.symbolic.bytes(1) < 14e6
