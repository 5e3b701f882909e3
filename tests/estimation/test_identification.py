"""What the data tell of the variances: against dense matrices, and on both sides of every constant."""

from __future__ import annotations

from itertools import combinations_with_replacement, product
from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace.design.encoding import Encoding
from interlace.design.learning_rows import learn
from interlace.design.rows import as_rows
from interlace.errors import ModelError
from interlace.estimation import identification
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.deviance import ProfiledDeviance
from interlace.estimation.fit import fit
from interlace.estimation.gram import Gram
from interlace.estimation.identification import Identification, identify
from interlace.estimation.penalized import System
from interlace.estimation.prepare import prepare
from interlace.estimation.rank import independent


def found(formula: str, data: Any, **options: Any) -> Identification:
    return prepare(*learn(formula, data, **options), reml=True)[1].identification


def dense_rank(formula: str, data: Any, **options: Any) -> tuple[int, int]:
    """Rank of the map from sigma^2 and all covariance parameters to ``P V P``, and without sigma^2."""
    encoding, design = Encoding.learn(formula, data, **options)
    root = np.ones(design.nrows) if design.weights is None else np.sqrt(design.weights)
    X = design.X[:, list(independent(design.X))] * root[:, None]
    P = np.eye(design.nrows) - X @ np.linalg.pinv(X)
    images = []
    for block, rows in zip(encoding.random, design.random, strict=True):
        z, k = rows.z * root[:, None], len(block.columns)
        z = z @ np.linalg.inv(np.linalg.qr(z)[1]) * np.sqrt(len(z))
        same = rows.codes[:, None] == rows.codes[None, :]
        for a, b in combinations_with_replacement(range(k), 2):
            V = same * (np.outer(z[:, a], z[:, b]) + np.outer(z[:, b], z[:, a]))
            images.append((P @ V @ P).ravel() / np.linalg.norm(V) if V.any() else V.ravel())
    with_sigma = np.array([*images, P.ravel() / np.sqrt(design.nrows)])
    rank = [int(np.linalg.matrix_rank(M, tol=1e-7)) for M in (with_sigma, np.array(images))]
    return rank[0], rank[1]


def small(seed: int) -> pd.DataFrame:
    """Few rows, groups nested in, equal to, and crossed with each other; covariates of every kind."""
    rng = np.random.default_rng(seed)
    n, levels = int(rng.integers(12, 40)), int(rng.integers(2, 9))
    data = pd.DataFrame({"g": rng.integers(0, levels, n), "h": rng.integers(0, 4, n)})
    data["g2"], data["gh"] = 2 * data["g"] + 1, data["g"] // 2
    data["f"], data["t"] = data["g"].astype(str), (data["g"] % 2).astype(str)
    data["x"], data["u"] = rng.normal(size=n), rng.normal(size=levels)[data["g"]]
    data["d"], data["two"] = (rng.random(n) < 0.5) * 1.0, (data["g"] % 2) * 1.0
    return data.assign(y=rng.normal(size=n), w=rng.uniform(0.5, 2.0, n), row=np.arange(n))


FIXED = ("1", "x", "t", "f", "f + x", "f * x", "u", "two", "0 + x:f")
RANDOM = (
    "(1 | g)",
    "(x | g)",
    "(0 + x | g)",
    "(u | g)",
    "(two | g)",
    "(x || g)",
    "(1 | g) + (1 | g2)",
    "(x | g) + (1 | g2)",
    "(1 | g) + (1 | h)",
    "(1 | gh / g)",
    "(1 | g) + (0 + d | row)",
    "(1 | row)",
    "(t || g)",
)


@pytest.mark.parametrize(("fixed", "random"), list(product(FIXED, RANDOM)))
@pytest.mark.parametrize("seed", range(3))
def test_against_dense_matrices(fixed: str, random: str, seed: int) -> None:
    data, formula = small(seed), f"y ~ {fixed} + {random}"
    options = {"weights": "w"} if seed == 1 else {}
    try:
        told = found(formula, data, **options)
    except ModelError as error:
        if "cannot be told from the residuals" in str(error):
            every, without = dense_rank(formula, data, **options)
            assert every == without  # sigma^2 adds nothing
        return
    every, without = dense_rank(formula, data, **options)
    assert (every, without) == (told.n_parameters + 1, told.n_parameters)


@pytest.mark.parametrize(
    ("share", "lost"),
    [(1e-3, False), (2e-5, False), (5e-6, False), (1e-12, False), (2e-14, False), (5e-15, True)],
)
def test_what_x_leaves_is_nothing_by_the_rule_of_x(
    share: float, lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R's tolerance is 1e-7 of the length; rows are read where cross-products cannot tell."""
    read: list[int] = []
    rows = identification._rows
    monkeypatch.setattr(identification, "_rows", lambda *a: read.append(1) or rows(*a))
    told = nearly_taken(share)
    assert told.lost[0].shape[1] == lost
    assert told.complete == (not lost)
    assert len(read) == (share < 1e-5)


def nearly_taken(share: float) -> Identification:
    """Columns of X that are those of Z but for a part of this size."""
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(4), 25)
    D = (g[:, None] == np.arange(4)) * 1.0
    N = rng.normal(size=D.shape)
    N -= D @ np.linalg.lstsq(D, N, rcond=None)[0]
    N *= np.sqrt(share / (1 - share)) / np.linalg.norm(N, axis=0) * np.linalg.norm(D, axis=0)
    data = {"y": rng.normal(size=100), "g": g, **{f"x{j}": (D + N)[:, j] for j in range(4)}}
    return found("y ~ 0 + x0 + x1 + x2 + x3 + (1 | g)", data)


@pytest.mark.parametrize(("share", "lost"), [(1e-8, False), (1e-13, True)])
def test_cross_products_decide_where_rows_cost_too_much(
    share: float, lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    rows = identification._rows
    monkeypatch.setattr(identification, "_rows", lambda *a: read.append(1) or rows(*a))
    n, columns = 100, 8
    monkeypatch.setattr(identification, "LARGEST", n * columns**2)
    nearly_taken(share)
    assert read == [1]
    monkeypatch.setattr(identification, "LARGEST", n * columns**2 - 1)
    assert nearly_taken(share).lost[0].shape[1] == lost
    assert read == [1]


@pytest.mark.parametrize(("delta", "same"), [(1e-2, False), (1e-5, False), (3e-7, True)])
def test_directions_are_the_same_up_to_rounding(delta: float, same: bool) -> None:
    """1 and x of each level, x = 1 +- delta: the variances differ by 4 delta^2."""
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(40), 5)
    data = {"y": rng.normal(size=200), "g": g, "x": 1 + delta * (-1.0) ** g}
    told = found("y ~ 1 + (1 | g) + (0 + x | g)", data)
    assert len(told.unchanged) == same and told.complete == (not same)


# ---- the first look ---


def products(formula: str, data: Any) -> CrossProducts:
    return CrossProducts.of(*Encoding.learn(formula, data))


@pytest.mark.parametrize(("formula", "rank"), [("y ~ x + (1 | g)", 2), ("y ~ x + (x | g)", 2)])
@pytest.mark.parametrize("more", [0, 1])
def test_levels_beyond_twice_the_columns_of_x_need_no_second_look(formula: str, rank: int, more: int) -> None:
    rng = np.random.default_rng(6)
    levels = 2 * rank + more
    data = {"y": rng.normal(size=60), "x": rng.normal(size=60), "g": np.arange(60) % levels}
    assert identification._plain_to_see(products(formula, data)) == bool(more)
    assert found(formula, data).complete


@pytest.mark.parametrize(("rows", "seen"), [(23, True), (22, False)])
def test_as_many_effects_as_residuals_need_a_second_look(rows: int, seen: bool) -> None:
    rng = np.random.default_rng(7)
    data = {"y": rng.normal(size=rows), "x": rng.normal(size=rows), "g": np.arange(rows) % 10}
    assert identification._plain_to_see(products("y ~ x + (x | g)", data)) == seen
    assert found("y ~ x + (x | g)", data).complete


def test_levels_where_a_slope_does_not_vary_do_not_count() -> None:
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(12), 5)
    for varying, seen in ((5, True), (4, False)):
        x = np.where(g < varying, rng.normal(size=60), 1.0 * g)
        data = {"y": rng.normal(size=60), "x": x, "g": g}
        assert identification._plain_to_see(products("y ~ x + (x | g)", data)) == seen


@pytest.mark.parametrize("random", ["(1 | a) + (1 | b)", "(x | a) + (1 | b)", "(1 + x + z | a)"])
def test_the_first_look_at_several_terms_says_what_the_second_says(
    random: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With enough levels nothing is projected; with few it is, and all is told all the same."""
    rng = np.random.default_rng(9)
    looked: list[int] = []
    projected = Gram.projected
    monkeypatch.setattr(Gram, "projected", lambda *a: looked.append(1) or projected(*a))
    for levels, looks in ((120, 0), (3, 1)):
        n = 12 * levels
        data = {c: rng.normal(size=n) for c in "xyz"} | {"a": np.arange(n) % levels, "b": np.arange(n) // 12}
        looked.clear()
        assert found(f"y ~ 1 + {random}", data).complete
        assert len(looked) == looks


def test_gram_is_that_of_dense_matrices() -> None:
    rng = np.random.default_rng(10)
    n = 30
    data = {c: rng.normal(size=n) for c in "xy"} | {"a": np.arange(n) % 5, "b": np.arange(n) // 8}
    data["w"] = rng.uniform(0.5, 2.0, n)
    encoding, design = Encoding.learn("y ~ x + (x | a) + (1 | b)", data, weights="w")
    A = CrossProducts.of(encoding, design)
    criterion = ProfiledDeviance.of(System.of(encoding, A), reml=True)
    gram = Gram(A, criterion.parameters.natural, criterion.parameters.structures)
    plain, units = gram.plain()
    assert design.weights is not None
    root = np.sqrt(design.weights)[:, None]
    Q = np.linalg.qr(design.X * root)[0]
    P, V = np.eye(n) - Q @ Q.T, []
    places = [(i, *entry) for i, s in enumerate(gram.structures) for entry in s.entries]
    for i, row, col in places:
        z = (design.random[i].z - A.origin.z[i]) @ criterion.parameters.basis[i] * root
        codes = design.random[i].codes
        pair = np.outer(z[:, row], z[:, col])
        V.append((codes[:, None] == codes) * (pair if row == col else pair + pair.T))
    V.append(np.eye(n))
    every = np.append(units, n**-0.5)
    for projection, ours in ((np.eye(n), plain), (P, gram.projected(units))):
        M = [projection @ v @ projection for v in V]
        expected = np.array([[np.sum(a * b) for a in M] for b in M]) * np.outer(every, every)
        np.testing.assert_allclose(ours, expected[: len(ours), : len(ours)], rtol=0, atol=1e-12)


# ---- the search ---


def test_a_term_that_others_can_take_over_is_not_searched_for() -> None:
    rng = np.random.default_rng(11)
    g = np.repeat(np.arange(15), 6)
    data = {"g": g, "same": 2 * g, "x": rng.normal(size=90)}
    data["y"] = rng.normal(size=15)[g] + rng.normal(size=90)
    for random, alone, absorbed in (
        ("(1 | g) + (1 | same)", "(1 | g)", (1,)),
        ("(1 | g) + (x | same)", "(x | same)", (0,)),
        ("(x | g) + (x | same)", "(x | g)", (1,)),
    ):
        for reml in (True, False):
            both = fit(*Encoding.learn(f"y ~ x + {random}", data), reml=reml)
            one = fit(*Encoding.learn(f"y ~ x + {alone}", data), reml=reml)
            assert both.identification.absorbed == absorbed
            assert both.optimum.par.size == one.optimum.par.size
            assert both.optimum.converged and both.optimum.smallest_eigenvalue > 1e-3
            assert both.optimum.value == pytest.approx(one.optimum.value, abs=1e-8)
            assert both.sigma == pytest.approx(one.sigma, rel=1e-6)


def test_what_is_lost_has_no_parameter_of_reml() -> None:
    rng = np.random.default_rng(12)
    g = np.repeat(np.arange(6), 8)
    data = {"g": g, "x": rng.normal(size=48), "y": rng.normal(size=48) + rng.normal(size=6)[g]}
    encoding, design = Encoding.learn("y ~ factor(g) + x + (x | g)", data)
    one, ml = fit(encoding, design), fit(encoding, design, reml=False)
    assert (one.optimum.par.size, ml.optimum.par.size) == (1, 3)
    assert one.solution.theta.size == ml.solution.theta.size == 3
    # the exact gradient of fewer parameters
    criterion = one.criterion
    for par in (np.array([0.7]), np.array([-0.2])):
        step = 1e-5
        slope = (criterion.value(par + step) - criterion.value(par - step)) / (2 * step)
        assert criterion.gradient(par)[0] == pytest.approx(slope, rel=1e-6)
        curvature = (criterion.gradient(par + step) - criterion.gradient(par - step)) / (2 * step)
        assert criterion.hessian(par)[0, 0] == pytest.approx(curvature[0], rel=1e-5)


@pytest.mark.parametrize(
    ("term", "bar", "text"),
    [
        ("(1 | g)", "|", "(1 | g)"),
        ("(0 + x | g)", "|", "(0 + x | g)"),
        ("(1 + x | g)", "||", "(x || g)"),
        ("(x + z + x:z | g)", "|", "(x + z + x:z | g)"),
        ("(0 + f | f)", "|", "(0 + f | f)"),
        ("(f * x | g:f)", "|", "(f + x + f:x | g:f)"),
        ("(poly(x, 2) + I(z > 0) | g)", "|", "(poly(x, 2) + I(z > 0) | g)"),
        ("(C(f, contr.sum) | g)", "|", "(C(f, contr.sum) | g)"),
        ("(`a b` | g)", "|", "(`a b` | g)"),
    ],
)
def test_terms_are_written_as_in_a_formula(term: str, bar: str, text: str) -> None:
    """Columns of a factor, such as f[b], are no names of a formula; what is written gives them again."""
    rng = np.random.default_rng(1)
    data: Any = {"g": np.arange(60) % 6, "f": np.array(list("abc"))[np.arange(60) // 20]}
    data |= {name: rng.normal(size=60) for name in ("y", "x", "z", "a b")}
    block = Encoding.learn(f"y ~ 1 + {term}", data)[0].random[0]
    assert block.text(bar) == text
    again = Encoding.learn(f"y ~ 1 + {block.text()}", data)[0].random
    assert [one.columns for one in again] == [block.columns]


def test_a_refusal_names_the_terms() -> None:
    rng = np.random.default_rng(13)
    data = {"y": rng.normal(size=20), "g": np.arange(20) // 5, "row": np.arange(20)}
    with pytest.raises(ModelError, match=r"the variance of \(1 \| row\) cannot be told from the residuals"):
        identify_formula("y ~ 1 + (1 | g) + (1 | row)", data)
    with pytest.raises(ModelError, match="20 random effects can stand in for every residual of 20 rows"):
        identify_formula("y ~ 1 + (1 | row)", data)


def identify_formula(formula: str, data: Any) -> Identification:
    encoding, design = Encoding.learn(formula, data)
    A = CrossProducts.of(encoding, design)
    return identify(ProfiledDeviance.of(System.of(encoding, A), reml=True), as_rows(encoding, design))
