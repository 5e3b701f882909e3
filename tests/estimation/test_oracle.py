"""Every quantity of a solution against the dense normal distribution, for designs of every shape."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csc_array, eye_array, hstack
from scipy.sparse.linalg import splu

import interlace
from dense_oracle import Oracle, oracle
from interlace import kernel
from interlace.design.design import RandomRows
from interlace.design.encoding import Encoding
from interlace.errors import InterlaceError
from interlace.estimation.fit import Fit, at_theta, deviance_at, fit
from made_data import Made, labels, one, random_design, small_designs, sparse_designs

RTOL = 1e-9
ALL = [*small_designs(), *sparse_designs()]


def random_factors(fit: Fit, kind: str, rng: np.random.Generator) -> list[np.ndarray]:
    """Relative covariance factors, one per covariance block of the encoding."""
    factors = []
    for block in fit.encoding.random:
        k = len(block.columns)
        T = np.tril(rng.normal(size=(k, k)), -1) + np.diag(rng.uniform(0.2, 1.5, k))
        if kind == "singular":
            T[-1, -1] = 0.0
        factors.append(T * {"large": 30.0, "small": 1e-3}.get(kind, 1.0))
    return factors


def theta_of(fit: Fit, factors: list[np.ndarray]) -> np.ndarray:
    """lme4's theta: lower triangles by column, terms as it sorts them."""
    lower = [T.T[np.triu_indices(len(T))] for T in factors]
    n_levels = [len(block.levels) for block in fit.encoding.random]
    order = list(range(len(factors)))
    if any(b > a for a, b in itertools.pairwise(n_levels)):
        order = sorted(order, key=lambda i: n_levels[i])[::-1]
    return np.concatenate([lower[i] for i in order])


def solved(made: Made, kind: str) -> tuple[Fit, Oracle]:
    encoding, design = Encoding.learn(made.formula, made.data, **made.options)
    neutral = at_theta(encoding, design, _identity(encoding))
    factors = random_factors(neutral, kind, np.random.default_rng(len(made.name)))
    ours = at_theta(encoding, design, theta_of(neutral, factors))
    levels = tuple(len(block.levels) for block in encoding.random)
    return ours, oracle(design, levels, tuple(factors), ours.kept)


def _identity(encoding: Encoding) -> np.ndarray:
    sizes = [len(block.columns) for block in encoding.random]
    return np.ones(sum(k * (k + 1) // 2 for k in sizes))


def compare(ours: Fit, theirs: Oracle) -> None:
    s = ours.solution
    for reml, value in ((False, theirs.ml), (True, theirs.reml)):
        np.testing.assert_allclose(deviance_at(ours, s.theta, reml=reml), value, rtol=RTOL)
    np.testing.assert_allclose(
        [s.ldL2, s.ldRX2, s.pwrss], [theirs.ld_l2, theirs.ld_rx2, theirs.pwrss], rtol=RTOL, atol=1e-9
    )
    ussq = sum(np.vdot(u, u) for u in theirs.u)
    np.testing.assert_allclose(s.ussq, ussq, rtol=1e-8, atol=1e-12 * s.pwrss)
    np.testing.assert_allclose(s.wrss + s.ussq, s.pwrss, rtol=1e-12)
    se = np.sqrt(np.diagonal(theirs.vcov) * s.pwrss / ours.design.nrows)
    np.testing.assert_allclose(s.beta, theirs.beta, rtol=RTOL, atol=1e-8 * np.max(se, initial=0.0))
    scale = np.sqrt(np.outer(np.diagonal(theirs.vcov), np.diagonal(theirs.vcov)))
    assert np.all(np.abs(s.unscaled_vcov - theirs.vcov) <= 1e-8 * scale)
    sigma = np.sqrt(s.pwrss / ours.design.nrows)
    for i, (b, u) in enumerate(zip(theirs.b, theirs.u, strict=True)):
        np.testing.assert_allclose(s.b[i], b, rtol=1e-8, atol=1e-8 * sigma * np.abs(s.factors[i]).max())
        np.testing.assert_allclose(s.u[i], u, rtol=1e-8, atol=1e-8 * sigma)
        largest = (s.factors[i] @ s.factors[i].T).max()
        np.testing.assert_allclose(
            s.conditional_covariance(i), theirs.conditional[i], rtol=1e-8, atol=1e-9 * largest
        )


@pytest.mark.parametrize("kind", ["ordinary", "singular", "large", "small"])
@pytest.mark.parametrize("made", ALL, ids=str)
def test_solution(made: Made, kind: str) -> None:
    ours, theirs = solved(made, kind)
    compare(ours, theirs)


@pytest.mark.parametrize("seed", range(60))
def test_solution_of_random_designs(seed: int) -> None:
    ours, theirs = solved(random_design(seed), "singular" if seed % 4 == 0 else "ordinary")
    compare(ours, theirs)


@pytest.mark.parametrize("made", ALL, ids=str)
def test_the_intended_path_is_taken(made: Made) -> None:
    """Dense for one front, multifrontal for several: without this the other tests might all take one path."""
    ours = _neutral(made)
    symbolic = ours.criterion.system.symbolic
    if made.sparse:
        assert symbolic.fronts > 5
        assert symbolic.panel_size < symbolic.q_rest * (symbolic.q_rest + 1) / 2
    else:
        assert symbolic.fronts == min(1, symbolic.q_rest)


def _neutral(made: Made) -> Fit:
    encoding, design = Encoding.learn(made.formula, made.data, **made.options)
    return at_theta(encoding, design, _identity(encoding))


@pytest.mark.parametrize("made", ALL, ids=str)
def test_gradient(made: Made) -> None:
    criterion = _neutral(made).criterion
    compiled = criterion.kernel()
    rng = np.random.default_rng(3)
    par = criterion.start + 0.3 * rng.normal(size=criterion.n_par)
    h = 1e-3
    slope = []
    for e in h * np.eye(criterion.n_par):
        near, far = (
            compiled.value(par + e) - compiled.value(par - e),
            compiled.value(par + 2 * e) - compiled.value(par - 2 * e),
        )
        slope.append((8 * near - far) / (12 * h))
    np.testing.assert_allclose(criterion.gradient(par), slope, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "made",
    [
        m
        for m in ALL
        if m.name in ("one-independent", "one-two-terms", "crossed-several-terms", "chain-slope-on-the-rest")
    ],
    ids=str,
)
def test_joint_covariances_of_several_terms_of_one_factor(made: Made) -> None:
    """Effects of different terms are independent before the data are seen, not after."""
    encoding, design = Encoding.learn(made.formula, made.data, **made.options)
    ours = at_theta(encoding, design, _identity(encoding))
    layout = ours.criterion.system.A.layout
    joint = ours.solution.joint_covariances()
    for blocks, ours_joint in zip(layout.blocks, joint, strict=True):
        # one term with a block-diagonal factor is the same model, and has the cross blocks
        rows = [design.random[i] for i in blocks]
        sizes = [r.z.shape[1] for r in rows]
        T = np.zeros((sum(sizes), sum(sizes)))
        at = 0
        for i, k in zip(blocks, sizes, strict=True):
            T[at : at + k, at : at + k] = ours.solution.factors[i]
            at += k
        merged_rows = RandomRows(rows[0].codes, np.hstack([r.z for r in rows]))
        others = [i for i in range(len(design.random)) if i not in blocks]
        merged = replace(design, random=(merged_rows, *(design.random[i] for i in others)))
        levels = (len(ours_joint), *(len(encoding.random[i].levels) for i in others))
        factors = (T, *(ours.solution.factors[i] for i in others))
        np.testing.assert_allclose(
            ours_joint, oracle(merged, levels, factors, ours.kept).conditional[0], rtol=1e-8, atol=1e-10
        )


# --- fixed parts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [1, 2, 5, 11, 12, 13, 15])
@pytest.mark.parametrize("weights", [None, "w"])
def test_any_number_of_fixed_effects(p: int, weights: str | None) -> None:
    rng = np.random.default_rng(p)
    data = one(rng, 290, 7) | {f"v{j}": rng.normal(size=290) for j in range(p)}
    fixed = " + ".join(f"v{j}" for j in range(p))
    ours, theirs = solved(Made(f"{p}", f"y ~ 0 + {fixed} + (x | a)", data, {"weights": weights}), "ordinary")
    assert ours.kept == tuple(range(p))
    compare(ours, theirs)


def test_no_fixed_effects() -> None:
    data = one(np.random.default_rng(0))
    try:
        ours, theirs = solved(Made("none", "y ~ 0 + (1 | a)", data), "ordinary")
    except InterlaceError:
        return
    assert ours.solution.beta.shape == (0,)
    compare(ours, theirs)
    fitted = fit(ours.encoding, ours.design)
    assert fitted.optimum.converged and fitted.solution.unscaled_vcov.shape == (0, 0)


@pytest.mark.parametrize(
    ("fixed", "dropped"),
    [
        ("x + I(3 * x - 2)", ["I(3 * x - 2)"]),
        ("x + z + I(x + z) + f", ["I(x + z)"]),
        ("0 + x + I(2 * x) + z", ["I(2 * x)"]),
        ("I(x * 0 + 5) + x", ["I(x * 0 + 5)"]),
        ("I(x * 0) + x", ["I(x * 0)"]),
        ("x + I(1000000 * x + 10 ** 9) + I(x / 10 ** 6)", ["I(1000000 * x + 10 ** 9)", "I(x / 10 ** 6)"]),
    ],
)
def test_rank_deficient_fixed_part(fixed: str, dropped: list[str]) -> None:
    """Later columns leave; the rest is the model without them."""
    made = Made("deficient", f"y ~ {fixed} + (x | a)", one(np.random.default_rng(4)))
    ours, theirs = solved(made, "ordinary")
    names = ours.encoding.fixed_names
    assert list(ours.dropped) == dropped
    assert [names[j] for j in ours.kept] == [name for name in names if name not in dropped]
    compare(ours, theirs)


@pytest.mark.parametrize(
    "fixed", ["x + I(x + 1e-4 * z)", "x + I(1e-7 * z)", "I(x + 1e4) + I(1e-3 * z)", "I(1e6 * x) + z"]
)
def test_columns_of_unlike_scale_are_kept(fixed: str) -> None:
    made = Made("scaled", f"y ~ {fixed} + (1 | a)", one(np.random.default_rng(4)))
    ours, theirs = solved(made, "ordinary")
    assert ours.dropped == ()
    np.testing.assert_allclose(deviance_at(ours, ours.solution.theta, reml=False), theirs.ml, rtol=1e-8)


# --- the fit --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reml", [False, True])
@pytest.mark.parametrize("made", ALL, ids=str)
def test_fit_has_the_density_of_its_estimates(made: Made, reml: bool) -> None:
    """At our optimum too; and no step of theta of any kind finds a higher density."""
    encoding, design = Encoding.learn(made.formula, made.data, **made.options)
    ours = fit(encoding, design, reml=reml)
    assert ours.optimum.converged
    levels = tuple(len(block.levels) for block in encoding.random)
    theirs = oracle(design, levels, ours.solution.factors, ours.kept)
    compare(ours, theirs)
    best = theirs.reml if reml else theirs.ml
    np.testing.assert_allclose(ours.optimum.value, best, rtol=RTOL)
    n = design.nrows - len(ours.kept) * reml
    np.testing.assert_allclose(ours.sigma, np.sqrt(theirs.pwrss / n), rtol=RTOL)
    rng = np.random.default_rng(8)
    for size in (1e-3, 1e-2, 0.1, 0.5):
        par = ours.optimum.par + size * rng.normal(size=len(ours.optimum.par))
        assert ours.criterion.value(par) >= ours.optimum.value - 1e-8


# --- what the kernel itself says --------------------------------------------------------------------------


@pytest.mark.parametrize("made", ALL[:6] + sparse_designs()[:6], ids=str)
def test_cross_products(made: Made) -> None:
    """Blocks of [Z X y]'W[Z X y] about the origin."""
    ours = _neutral(made)
    A, layout, d = ours.criterion.system.A, ours.criterion.system.A.layout, ours.design
    w = np.ones(d.nrows) if d.weights is None else d.weights
    X = d.X[:, list(ours.kept)] - A.origin.x
    y = d.y - (0.0 if d.offset is None else d.offset) - A.origin.y
    Z = []
    for f, blocks in enumerate(layout.blocks):
        z = np.hstack([d.random[i].z - A.origin.z[i] for i in blocks])
        full = np.zeros((d.nrows, layout.levels[f], layout.k[f]))
        full[np.arange(d.nrows), d.random[blocks[0]].codes] = z
        Z.append(full)
    P = A.products
    assert (
        P.n == d.nrows and P.p == X.shape[1] and tuple(P.levels) == layout.levels and tuple(P.k) == layout.k
    )
    np.testing.assert_allclose(P.sum_log_w, np.log(w).sum(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(P.xx, X.T @ (w[:, None] * X), rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(P.xy, X.T @ (w * y), rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(P.yy, y @ (w * y), rtol=1e-12)
    for f, z in enumerate(Z):
        np.testing.assert_allclose(
            P.zz_diagonal(f), np.einsum("n,nla,nlb->lab", w, z, z), rtol=1e-10, atol=1e-9
        )
        np.testing.assert_allclose(P.zx(f), np.einsum("n,nla,np->lap", w, z, X), rtol=1e-10, atol=1e-9)
        np.testing.assert_allclose(P.zy(f), np.einsum("n,nla,n->la", w, z, y), rtol=1e-10, atol=1e-9)
    for i, j in itertools.combinations(range(len(Z)), 2):
        ptr, col, val = P.zz_pair(i, j)
        ours_pair = np.zeros((layout.levels[i], layout.levels[j], layout.k[i], layout.k[j]))
        for level in range(layout.levels[i]):
            here = slice(ptr[level], ptr[level + 1])
            assert np.all(np.diff(col[here]) > 0)
            ours_pair[level, col[here]] = val[here]
        dense = np.einsum("n,nla,nmb->lmab", w, Z[i], Z[j], optimize=True)
        np.testing.assert_allclose(ours_pair, dense, rtol=1e-10, atol=1e-9)


def test_the_kernel_refuses_what_does_not_fit_together() -> None:
    rows = {
        "y": np.arange(4.0),
        "x": np.ones((4, 1)),
        "codes": [np.array([0, 0, 1, 1], dtype=np.int32)],
        "z": [np.ones((4, 1))],
        "levels": [2],
        "w": None,
        "y_origin": 0.0,
        "x_origin": np.zeros(1),
        "z_origin": [np.zeros(1)],
    }
    A = kernel.accumulate(**rows)
    for change in (
        {"codes": [np.array([0, 0, 1, 2], dtype=np.int32)]},
        {"codes": [np.array([0, -1, 1, 1], dtype=np.int32)]},
        {"y": np.arange(3.0)},
        {"w": np.ones(3)},
        {"z": [np.ones((3, 1))]},
        {"z_origin": [np.zeros(2)]},
        {"levels": [2, 2]},
        {"x_origin": np.zeros(2)},
    ):
        with pytest.raises(ValueError):
            kernel.accumulate(**(rows | change))
    with pytest.raises(ValueError):
        kernel.with_response(A, **(rows | {"x": np.ones((4, 2)), "x_origin": np.zeros(2)}))
    with pytest.raises(ValueError):
        kernel.combine([A, kernel.accumulate(**(rows | {"levels": [3]}))], [1.0, 1.0], 8, 0.0)


def test_arrays_passed_in_are_not_written_to() -> None:
    made = next(m for m in ALL if m.name == "crossed-weights")
    encoding, design = Encoding.learn(made.formula, made.data, **made.options)
    arrays = [
        design.y,
        design.X,
        design.weights,
        design.offset,
        *(r.z for r in design.random),
        *(r.codes for r in design.random),
    ]
    before = [a.copy() for a in arrays]
    ours = fit(encoding, design)
    ours.refit(design.y[::-1])
    for a, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_library_takes_the_same_path_as_the_rooms() -> None:
    made = next(m for m in ALL if m.name == "crossed-weights")
    model = interlace.lmer(made.formula, made.data, **made.options)
    encoding, design = Encoding.learn(made.formula, made.data, **made.options)
    np.testing.assert_array_equal(model.fixef, fit(encoding, design).solution.beta)


# --- too large to be dense --------------------------------------------------------------------------------


def _larger(kind: str) -> Made:
    rng = np.random.default_rng(77)
    n = 3600
    data = {
        "y": rng.normal(size=n),
        "x": rng.normal(size=n),
        "a": labels(rng.permutation(n) % 900, "a"),
        "b": labels(rng.permutation(n) % 800, "b"),
        "c": labels(rng.permutation(n) // 3 % 450, "c"),
        "d": labels(np.arange(n) // 60, "d"),
    }
    formula = {
        "two": "y ~ x + (1 | a) + (1 | b)",
        "three": "y ~ x + (1 | a) + (1 | b) + (1 | c)",
        "slopes": "y ~ x + (x | a) + (x | c)",
        "slopes-on-the-rest": "y ~ x + (1 | a) + (x | c) + (1 | d)",
    }[kind]
    return Made(kind, formula, data)


@pytest.mark.parametrize("kind", ["two", "three", "slopes", "slopes-on-the-rest"])
def test_large_fronts(kind: str) -> None:
    """Fronts of several hundred columns with others below them, against a sparse LU of the whole system."""
    ours = _neutral(_larger(kind))
    symbolic = ours.criterion.system.symbolic
    assert symbolic.fronts > 20 and symbolic.panel_size > 300**2
    d, s = ours.design, ours.solution
    blocks = []
    for block, rows, T in zip(ours.encoding.random, d.random, s.factors, strict=True):
        k = len(T)
        at = (rows.codes[:, None] * k + np.arange(k)).ravel()
        row = np.repeat(np.arange(d.nrows), k)
        blocks.append(csc_array(((rows.z @ T).ravel(), (row, at)), shape=(d.nrows, len(block.levels) * k)))
    ZL = hstack(blocks, format="csc")
    M = splu(
        (ZL.T @ ZL + eye_array(ZL.shape[1])).tocsc(), options={"SymmetricMode": True}, diag_pivot_thresh=0.0
    )
    np.testing.assert_allclose(s.ldL2, np.log(M.U.diagonal()).sum(), rtol=RTOL)
    xy = np.column_stack([d.X, d.y])
    S = xy.T @ xy - (ZL.T @ xy).T @ M.solve(ZL.T @ xy)
    beta = np.linalg.solve(S[:-1, :-1], S[:-1, -1])
    np.testing.assert_allclose(s.beta, beta, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(s.pwrss, S[-1, -1] - S[-1, :-1] @ beta, rtol=RTOL)
    np.testing.assert_allclose(
        np.concatenate([u.ravel() for u in s.u]), M.solve(ZL.T @ (d.y - d.X @ beta)), atol=1e-9
    )
    start = 0
    for i, T in enumerate(s.factors):
        k = len(T)
        ours_blocks = s.conditional_covariance(i)
        for level in (0, len(ours_blocks) // 2, len(ours_blocks) - 1):
            here = slice(start + level * k, start + (level + 1) * k)
            unit = np.eye(ZL.shape[1], k, -here.start)
            np.testing.assert_allclose(
                ours_blocks[level], T @ M.solve(unit)[here] @ T.T, rtol=1e-8, atol=1e-11
            )
        start += len(ours_blocks) * k
    # the gradient of such fronts: along one direction
    c, par = ours.criterion, ours.optimum.par
    direction = np.random.default_rng(1).normal(size=len(par))
    slope = (c.value(par + 1e-4 * direction) - c.value(par - 1e-4 * direction)) / 2e-4
    np.testing.assert_allclose(ours.optimum.gradient @ direction, slope, rtol=1e-5)
