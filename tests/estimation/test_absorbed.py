"""Absorbed factors beside dense dummy variables, their laws, and which way a system is solved."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from interlace import kernel
from interlace.design.absorbing import AbsorbedFactor
from interlace.design.grouping import learn_grouping
from interlace.errors import ConvergenceError, DataError, ModelError
from interlace.estimation import absorbed as room
from interlace.estimation.absorbed import Absorbed
from interlace.formula.formula import AbsorbedTerm


def factor(codes: np.ndarray, slopes: np.ndarray | None = None, *, intercept: bool = True) -> AbsorbedFactor:
    """An absorbed factor with whole numbers as levels, and columns (n, s) that have slopes."""
    grouping, codes = learn_grouping("f", ("f",), [codes])
    s = 0 if slopes is None else slopes.shape[1]
    term = AbsorbedTerm(("f",), tuple(f"x{j}" for j in range(s)), intercept=intercept)
    if slopes is None:
        return AbsorbedFactor(term, grouping, codes)
    z = np.column_stack([*([np.ones(len(codes))] if intercept else []), slopes])
    return AbsorbedFactor(term, grouping, codes, np.ascontiguousarray(z))


def dummies(one: AbsorbedFactor) -> np.ndarray:
    """Its columns, (n, levels k), level by level."""
    indicator = (one.codes[:, None] == np.arange(one.n_levels)).astype(float)
    z = np.ones((len(one.codes), 1)) if one.columns is None else one.columns
    return (indicator[:, :, None] * z[:, None, :]).reshape(len(one.codes), -1)


@dataclass
class Drawn:
    factors: tuple[AbsorbedFactor, ...]
    weights: np.ndarray | None
    columns: np.ndarray

    @property
    def absorbed(self) -> Absorbed:
        return Absorbed(self.factors, self.weights)

    @property
    def root(self) -> np.ndarray:
        return np.ones(len(self.columns)) if self.weights is None else np.sqrt(self.weights)

    @property
    def D(self) -> np.ndarray:
        return np.hstack([dummies(one) for one in self.factors])


def drawn(seed: int) -> Drawn:
    """From one to four factors; some equal, nested, with slopes, or apart from the others in blocks."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 70)), int(rng.integers(1, 11))
    blocks = int(rng.integers(1, 4))
    block = rng.integers(0, blocks, n)
    codes: list[np.ndarray] = []
    factors = []
    for _ in range(int(rng.integers(1, 5))):
        kind = rng.random()
        if codes and kind < 0.15:
            new = codes[-1] + 7
        elif codes and kind < 0.3:
            new = codes[-1] // 2
        else:
            levels = int(rng.integers(1, 9))
            new = block * 100 + rng.integers(0, levels, n)
        codes.append(new)
        slopes = rng.normal(size=(n, int(rng.integers(1, 3)))) if rng.random() < 0.3 else None
        if slopes is not None and rng.random() < 0.3:
            slopes[:, 0] = new  # constant in each level: a repeated intercept
        factors.append(factor(new, slopes, intercept=slopes is None or rng.random() < 0.6))
    weights = rng.uniform(0.1, 5.0, n) if rng.random() < 0.5 else None
    return Drawn(tuple(factors), weights, rng.normal(size=(n, m)) * 10.0 ** rng.integers(-3, 4))


@pytest.mark.parametrize("seed", range(80))
class TestBesideDummies:
    def test_residuals(self, seed: int) -> None:
        d = drawn(seed)
        W, V = d.root[:, None], d.columns
        dense = V - d.D @ np.linalg.lstsq(W * d.D, W * V, rcond=1e-10)[0]
        found = d.absorbed.residuals(V)
        scale = abs(V).max()
        np.testing.assert_allclose(found.values, dense, rtol=0, atol=1e-9 * scale)
        assert found.normal.max() <= 1e-10
        np.testing.assert_allclose(
            (W**2 * d.D).T @ found.values, 0.0, atol=1e-10 * scale * abs(W**2 * d.D).sum()
        )

    def test_again_changes_nothing(self, seed: int) -> None:
        d = drawn(seed)
        once = d.absorbed.residuals(d.columns).values
        again = d.absorbed.residuals(once).values
        np.testing.assert_allclose(again, once, rtol=0, atol=1e-11 * abs(d.columns).max())

    def test_effects_add_up_to_what_is_explained(self, seed: int) -> None:
        d = drawn(seed)
        effects = d.absorbed.effects(d.columns)
        m = d.columns.shape[1]
        fitted = d.D @ np.vstack([one.reshape(-1, m) for one in effects.estimates])
        residuals = d.absorbed.residuals(d.columns).values
        np.testing.assert_allclose(d.columns - fitted, residuals, rtol=0, atol=1e-8 * abs(d.columns).max())

    def test_rank(self, seed: int) -> None:
        d = drawn(seed)
        D = d.root[:, None] * d.D
        norms = np.linalg.norm(D, axis=0)
        assert d.absorbed.rank == np.linalg.matrix_rank(D / np.where(norms > 0, norms, 1.0), tol=1e-8)
        assert d.absorbed.coefficients == D.shape[1]


class TestEffects:
    def test_normalisation(self) -> None:
        """In each component the first level of every factor but the first has the effect zero."""
        a = np.array([0, 0, 1, 1, 2, 2, 3, 3])
        b = np.array([0, 1, 0, 1, 2, 3, 2, 3])
        y = np.array([1.0, 2, 4, 5, 10, 13, 20, 23])[:, None]
        effects = Absorbed((factor(a), factor(b))).effects(y)
        np.testing.assert_array_equal(effects.component[0], [0, 0, 1, 1])
        np.testing.assert_array_equal(effects.component[1], [0, 0, 1, 1])
        np.testing.assert_allclose(effects.estimates[0][:, 0, 0], [1, 4, 10, 20], rtol=1e-12)
        np.testing.assert_allclose(effects.estimates[1][:, 0, 0], [0, 1, 0, 3], atol=1e-12)

    def test_normalisation_is_by_the_order_of_the_factors_and_not_by_their_size(self) -> None:
        a = np.array([0, 1, 2, 3, 0, 1, 2, 3])
        b = np.array([0, 0, 0, 0, 1, 1, 1, 1])
        y = (a + 10.0 * b + 5.0)[:, None]
        effects = Absorbed((factor(b), factor(a))).effects(y)
        np.testing.assert_allclose(effects.estimates[0][:, 0, 0], [5, 15], rtol=1e-12)
        np.testing.assert_allclose(effects.estimates[1][:, 0, 0], [0, 1, 2, 3], atol=1e-12)

    def test_slopes_are_those_of_the_column_given(self) -> None:
        rng = np.random.default_rng(1)
        g, x = np.repeat([0, 1, 2], 20), rng.normal(50.0, 1.0, 60)
        y = np.array([1.0, -2, 3])[g] + np.array([0.5, 0.0, -4.0])[g] * x
        found = Absorbed((factor(g, x[:, None]),)).effects(y[:, None]).estimates[0][:, :, 0]
        np.testing.assert_allclose(found, [[1.0, 0.5], [-2, 0], [3, -4]], rtol=1e-9, atol=1e-9)


class TestRank:
    def test_components(self) -> None:
        a = np.repeat(np.arange(300), 4)
        b = 2 * (a // 3) + np.tile([0, 0, 1, 1], 300)
        found = Absorbed((factor(a), factor(b)))
        assert found.components == 100 and found.rank == 300 + 200 - 100 and found.undetermined == 0

    def test_a_chain_that_the_third_factor_closes(self) -> None:
        """Two factors leave two components; the third joins them and has a level of its own."""
        a, b, c = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [2, 2, 0], [2, 3, 1], [3, 3, 2], [3, 2, 2]]).T
        found = Absorbed((factor(a), factor(b), factor(c)))
        dense = np.hstack([dummies(one) for one in found.factors])
        assert found.components == 1 and found.rank == np.linalg.matrix_rank(dense)

    def test_a_nested_factor_takes_nothing(self) -> None:
        rng = np.random.default_rng(2)
        worker, firm = rng.integers(0, 200, 2000), rng.integers(0, 40, 2000)
        two = Absorbed((factor(worker), factor(firm)))
        three = Absorbed((factor(worker), factor(firm), factor(firm // 5)))
        assert three.rank == two.rank == 239
        assert three.undetermined == 7 and two.undetermined == 0

    def test_three_large_factors(self) -> None:
        """Of which the third has many levels, so that most equations are needed."""
        rng = np.random.default_rng(3)
        n = 1400
        factors = tuple(factor(rng.integers(0, levels, n)) for levels in (400, 250, 200))
        D = np.hstack([dummies(one) for one in factors])
        found = Absorbed(factors)
        assert found.rank == np.linalg.matrix_rank(D.T @ D, tol=1e-6) == found.coefficients - 2

    @pytest.mark.parametrize(("share", "slopes"), [(1e-10, 3), (1e-12, 2)])
    def test_a_slope_that_hardly_differs_from_the_intercept(self, share: float, slopes: int) -> None:
        """Less than 1e-11 of its length is left beside the intercept of its level: rounding."""
        g, t = np.repeat([0, 1, 2], 8), np.tile([-1.0, 1.0], 12)
        x = np.where(g == 1, 1.0 + share * t, t)
        assert Absorbed((factor(g, x[:, None]),)).rank == 3 + slopes

    def test_more_work_than_is_allowed_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(room, "_MOST_PRODUCTS", 0.0)
        monkeypatch.setattr(room, "_MOST_FLOPS", 0.0)
        rng = np.random.default_rng(6)
        three = tuple(factor(np.append(np.arange(15), rng.integers(0, 15, 60))) for _ in range(3))
        with pytest.raises(ModelError, match="rank of the 45 coefficients"):
            _ = Absorbed(three).rank
        assert abs(Absorbed(three).residuals(np.ones((75, 1))).values).max() < 1e-12


def connected(n: int, people: int, firms: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, people, n), rng.integers(0, firms, n)


def clusters(count: int, size: int, people: int) -> tuple[np.ndarray, np.ndarray]:
    """Clusters of firms in a row; people move about in theirs for ten years, and one of each to the next."""
    rng = np.random.default_rng(5)
    cluster = np.repeat(np.arange(count), people)
    firm = cluster[:, None] * size + rng.integers(0, size, (count * people, 10))
    last = np.arange(1, count) * people - 1
    firm[last, 9] = np.arange(1, count) * size
    return np.repeat(np.arange(count * people), 10), firm.ravel()


def worst_sums(absorbed: Absorbed, residuals: np.ndarray) -> float:
    """The largest sum over a level, relative to the sum of absolute values there."""
    worst = 0.0
    for one in absorbed.factors:
        for r in residuals.T:
            size = np.bincount(one.codes, abs(r))
            worst = max(worst, float((abs(np.bincount(one.codes, r)) / size.max()).max()))
    return worst


def least_squares(codes: list[np.ndarray], V: np.ndarray, *, iterate: bool) -> np.ndarray:
    """What SciPy explains of V: by iteration, or by a sparse factor, which few designs have."""
    from scipy.sparse import csc_array, hstack
    from scipy.sparse.linalg import lsqr, splu

    n = len(V)
    D = [csc_array((np.ones(n), (np.arange(n), one))) for one in codes]
    # every factor but the first without its first level; the levels are connected
    D = hstack([D[0], *(one[:, 1:] for one in D[1:])], format="csc")
    if not iterate:
        return D @ splu((D.T @ D).tocsc()).solve(D.T @ V)
    return D @ np.column_stack([lsqr(D, v, atol=1e-13, btol=1e-13, iter_lim=20_000)[0] for v in V.T])


class TestWays:
    """Each way is taken where it should be, and its answer is that of another program's least squares."""

    def check(self, factors: tuple[AbsorbedFactor, ...], method: str) -> None:
        rng = np.random.default_rng(9)
        absorbed = Absorbed(factors)
        V = (
            rng.normal(size=(absorbed.nrows, 3))
            + rng.normal(size=factors[0].n_levels)[factors[0].codes, None]
        )
        found = absorbed.residuals(V)
        assert found.method == method
        assert found.normal.max() <= 1e-10 and worst_sums(absorbed, found.values) < 1e-9
        # The factor of the system itself needs one step; more of them mean that another system was factored.
        most = {"exact": 0, "direct": 1, "diagonal": 14, "sampled": 65}[method]
        assert (found.iterations > 0).all() or method == "exact"
        assert found.iterations.max() <= most
        one = absorbed.residuals(V[:, :1])
        np.testing.assert_allclose(one.values[:, 0], found.values[:, 0], rtol=0, atol=1e-7)
        dense = V - least_squares([one.codes for one in factors], V, iterate=method != "sampled")
        np.testing.assert_allclose(found.values, dense, rtol=0, atol=1e-6)

    def test_one_factor_is_exact(self) -> None:
        self.check((factor(connected(3000, 500, 2)[0]),), "exact")

    def test_a_long_chain_has_a_factor(self) -> None:
        n = 30_000
        row = np.arange(n)
        chain = (factor(row // 10), factor(row % 1303), factor(row % 10))
        assert Absorbed(chain).rank == 3000 + 1303 + 10 - 2
        self.check(chain, "direct")

    def test_well_connected_levels_need_the_diagonal(self) -> None:
        people, firm = connected(30_000, 3000, 1300)
        self.check((factor(people), factor(firm)), "diagonal")
        self.check((factor(people), factor(firm), factor(np.arange(30_000) % 10)), "diagonal")
        people, firm = connected(20_000, 2000, 90)
        self.check((factor(people), factor(firm)), "diagonal")

    @pytest.mark.parametrize("others", [(), (10,), (10, 7)])
    def test_what_rows_are_collapsed_to_is_the_same_system(self, others: tuple[int, ...]) -> None:
        """On another system it would take more iterations, as the end is checked by the rows."""
        people, firm = connected(30_000, 3000, 300)
        rng = np.random.default_rng(2)
        levels = [people, firm, *(rng.integers(0, count, 30_000) for count in others)]
        absorbed = Absorbed(tuple(factor(one) for one in levels), rng.integers(1, 4, 30_000).astype(float))
        found = absorbed.residuals(rng.normal(size=(30_000, 5)))
        assert found.method == "diagonal" and found.iterations.max() < 20

    def test_poorly_connected_levels_need_sampled_factors(self) -> None:
        people, firm = clusters(40, 70, 160)
        self.check((factor(people), factor(firm)), "sampled")
        self.check((factor(people), factor(firm), factor(np.arange(64_000) % 10)), "sampled")

    def test_sampled_factors_beside_slopes_and_weights(self) -> None:
        people, firm = clusters(40, 70, 160)
        rng = np.random.default_rng(4)
        w, x = rng.uniform(0.5, 2.0, len(people)), rng.normal(3.0, 1.0, len(people))
        absorbed = Absorbed((factor(people), factor(firm, x[:, None])), w)
        V = rng.normal(size=(len(people), 2))
        found = absorbed.residuals(V)
        assert found.method == "sampled"
        weighted = w[:, None] * found.values
        slopes = Absorbed((factor(firm),))
        assert worst_sums(absorbed, weighted) < 1e-8 and worst_sums(slopes, weighted * x[:, None]) < 1e-8

    def test_no_answer_where_the_equations_do_not_hold(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(room, "MOST_ITERATIONS", 2)
        people, firm = connected(30_000, 3000, 1300)
        with pytest.raises(ConvergenceError, match="after 2 iterations the normal equations hold to"):
            Absorbed((factor(people), factor(firm))).residuals(
                np.random.default_rng(0).normal(size=(30_000, 1))
            )


class TestLaws:
    def setup_method(self) -> None:
        rng = np.random.default_rng(11)
        n = 4000
        self.codes = [rng.integers(0, levels, n) for levels in (700, 650, 12)]
        self.V, self.w = rng.normal(size=(n, 4)), rng.integers(1, 4, n).astype(float)
        self.x = rng.normal(size=(n, 1))
        self.residuals = self.of(self.codes).residuals(self.V).values

    def of(self, codes: list[np.ndarray]) -> Absorbed:
        return Absorbed((factor(codes[0]), factor(codes[1]), factor(codes[2], self.x)), self.w)

    def test_order_of_rows(self) -> None:
        order = np.random.default_rng(1).permutation(len(self.V))
        moved = Absorbed(
            (
                factor(self.codes[0][order]),
                factor(self.codes[1][order]),
                factor(self.codes[2][order], self.x[order]),
            ),
            self.w[order],
        )
        np.testing.assert_allclose(moved.residuals(self.V[order]).values, self.residuals[order], atol=1e-9)

    def test_order_of_levels(self) -> None:
        renamed = [np.random.default_rng(2).permutation(c.max() + 1)[c] for c in self.codes]
        np.testing.assert_allclose(self.of(renamed).residuals(self.V).values, self.residuals, atol=1e-9)

    def test_order_of_factors(self) -> None:
        turned = Absorbed(self.of(self.codes).factors[::-1], self.w)
        np.testing.assert_allclose(turned.residuals(self.V).values, self.residuals, atol=1e-9)
        assert turned.rank == self.of(self.codes).rank

    def test_a_weight_is_a_number_of_rows(self) -> None:
        rows = np.repeat(np.arange(len(self.V)), self.w.astype(int))
        many = Absorbed(
            (
                factor(self.codes[0][rows]),
                factor(self.codes[1][rows]),
                factor(self.codes[2][rows], self.x[rows]),
            )
        )
        np.testing.assert_allclose(many.residuals(self.V[rows]).values, self.residuals[rows], atol=1e-9)

    def test_what_is_explained_can_be_added(self) -> None:
        shift = np.random.default_rng(3).normal(size=700)[self.codes[0]] + 1e3
        moved = self.of(self.codes).residuals(self.V + shift[:, None]).values
        np.testing.assert_allclose(moved, self.residuals, atol=1e-8)

    @pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200, 1e300])
    def test_scale(self, scale: float) -> None:
        scaled = self.of(self.codes).residuals(self.V * scale).values / scale
        np.testing.assert_allclose(scaled, self.residuals, atol=1e-9)

    def test_any_strides(self) -> None:
        wide = np.zeros((len(self.V), 9))
        wide[:, 1::2] = self.V
        np.testing.assert_array_equal(self.of(self.codes).residuals(wide[:, 1::2]).values, self.residuals)

    def test_pickles(self) -> None:
        again = pickle.loads(pickle.dumps(self.of(self.codes)))
        np.testing.assert_array_equal(again.residuals(self.V).values, self.residuals)


def test_any_number_of_threads_gives_the_same_numbers() -> None:
    people, firm = clusters(40, 70, 160)
    V = np.random.default_rng(0).normal(size=(len(people), 3))
    factors = (factor(people), factor(firm))
    found = []
    with ThreadpoolController().select(user_api="blas").limit(limits=4):
        for jobs in (1, 2, 3, 4):
            absorbed = Absorbed(factors, None, jobs)
            found.append((absorbed.residuals(V).values, absorbed.effects(V).estimates[1]))
    for residuals, effects in found[1:]:
        np.testing.assert_array_equal(residuals, found[0][0])
        np.testing.assert_array_equal(effects, found[0][1])


def test_no_factor() -> None:
    with pytest.raises(DataError, match="no factor to absorb"):
        Absorbed(())


@pytest.mark.parametrize("levels", [20, 256, 257, 300])
def test_rank_where_a_third_factor_has_few_levels_or_many(levels: int) -> None:
    rng = np.random.default_rng(levels)
    n = 1500
    # two components of the first two factors, which the third one joins
    side = rng.random(n) < 0.5
    first = np.where(side, rng.integers(200, size=n), 200 + rng.integers(200, size=n))
    second = np.where(side, rng.integers(40, size=n), 40 + rng.integers(40, size=n))
    third = np.where(rng.random(n) < 0.9, rng.integers(levels, size=n), second % levels)
    codes = [np.unique(one, return_inverse=True)[1].astype(np.int32) for one in (first, second, third)]
    sizes = [int(one.max()) + 1 for one in codes]
    dense = np.hstack([np.identity(size)[one] for one, size in zip(codes, sizes, strict=True)])
    found = kernel.absorbed(codes, sizes, [None] * 3, [True] * 3, None).rank(2e9, 2e11, 2e8)
    assert found["rank"] == np.linalg.matrix_rank(dense)
    assert found["components"] == 1
    held = np.concatenate([flags[:, 0] for flags in found["held"]]).astype(bool)
    assert np.linalg.matrix_rank(dense[:, ~held]) == (~held).sum() == found["rank"]


def test_rank_of_a_long_chain_and_a_nested_factor() -> None:
    person, year = np.divmod(np.arange(4000), 10)
    firm = np.arange(4000) % 60
    sector = firm // 5
    codes = [one.astype(np.int32) for one in (person, firm, sector, year)]
    sizes = [int(one.max()) + 1 for one in codes]
    dense = np.hstack([np.identity(size)[one] for one, size in zip(codes, sizes, strict=True)])
    found = kernel.absorbed(codes, sizes, [None] * 4, [True] * 4, None).rank(2e9, 2e11, 2e8)
    assert found["rank"] == np.linalg.matrix_rank(dense)


def test_rank_where_a_front_has_more_than_two_blocks_beneath_it() -> None:
    """Two sets of firms that all meet, each with a part of a third set, and a sparse chain."""
    middle, side = np.arange(2600), np.arange(800)
    sets = [np.r_[middle[:1150], 2600 + side], np.r_[middle[-1150:], 3400 + side], middle]
    chain = np.r_[0, 4200 + np.arange(3000)]
    firm = np.concatenate([*sets, np.column_stack([chain[:-1], chain[1:]]).ravel(), chain[1:], chain[1:]])
    ends = [len(one) for one in sets] + [2] * 3000 + [1] * 6000
    people = np.repeat(np.arange(len(ends)), ends)
    of_firms = (firm % 7 == 0).astype(float)[:, None]  # the slope is in the span of the firms
    absorbed = Absorbed((factor(people), factor(firm), factor(people * 0, of_firms)))
    assert absorbed.rank == len(ends) + 7200 - 1


@pytest.mark.parametrize(("flops", "doubles", "rank"), [(7e5, 1e9, -1), (8e5, 9e3, 490), (1e9, 8e3, -1)])
def test_no_factor_is_made_that_costs_more_than_there_is(flops: float, doubles: float, rank: int) -> None:
    """Of 90 firms and a slope: 91 columns, of 91^2 numbers and 91^3 operations."""
    rng = np.random.default_rng(1)
    codes = [rng.integers(levels, size=3000).astype(np.int32) for levels in (400, 90, 1)]
    z = np.column_stack([np.ones(3000), rng.normal(size=3000)])
    absorbed = kernel.absorbed(codes, [400, 90, 1], [None, None, z], [True] * 3, None)
    assert absorbed.rank(2e9, flops, doubles)["rank"] == rank
