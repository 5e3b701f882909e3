"""Where a second minimum is looked for: which designs, how often, and where the searches begin."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from interlace import kernel
from interlace.design.encoding import Encoding
from interlace.design.learning_rows import learn
from interlace.estimation import descent, first_search, optimize, valleys
from interlace.estimation.blocks import DEPENDENT, LEAST, NOT_SPANNED
from interlace.estimation.fit import fit
from interlace.estimation.prepare import prepare
from interlace.estimation.valleys import Term
from made_data import crossed, labels
from random_models import random_model
from reference_cases import lmer_cases


def _terms(formula: str, data: Any, **options: Any) -> tuple[Term, ...]:
    return fit(*Encoding.learn(formula, data, **options)).criterion.doubt.terms


@pytest.mark.filterwarnings("ignore::interlace.errors.RankDeficiencyWarning")
def test_balanced_and_ordinary_designs_are_searched_once() -> None:
    """One more search of each would double the time of every fit."""
    for c in lmer_cases():
        if c.name in ("sleepstudy_noint_reml", "sleepstudy_shuffled_reml"):
            continue  # no fixed intercept; days that differ between subjects
        learnt = learn(c.formula, c.frame(), weights=c.weights, contrasts=c.contrasts)
        assert not prepare(*learnt, reml=c.reml)[0].doubt.effects, c.name


@pytest.mark.parametrize(
    ("formula", "mean"),
    [
        ("y ~ 1 + (1 | a)", False),
        ("y ~ 0 + f + (1 | a)", False),
        ("y ~ 0 + x + (1 | a)", True),
        ("y ~ x + (x | a)", False),
        ("y ~ z + (x | a)", True),
        ("y ~ 1 + (0 + x | a)", True),
        ("y ~ 0 + x + (x | a)", True),
        ("y ~ 1 + (0 + f | a)", True),
        ("y ~ f + (0 + f | a)", False),
    ],
)
def test_a_term_with_a_mean_of_its_own(formula: str, mean: bool) -> None:
    (term,) = _terms(formula, crossed(np.random.default_rng(1)))
    assert term.mean == mean


def _term(x: np.ndarray, z: np.ndarray) -> Term:
    """Of one row per level with these columns of X and Z."""
    nothing, n = np.zeros(1), len(z)
    products = kernel.accumulate(
        y=np.zeros(n), x=x[:, None], codes=[np.arange(n, dtype=np.int32)], z=[z[:, None]], levels=[n], w=None,
        y_origin=0.0, x_origin=nothing, z_origin=[nothing],
    )  # fmt: skip
    found = kernel.block_facts(products, 0, 0, 1, 1.0, False, DEPENDENT, NOT_SPANNED, LEAST)
    return Term(*found[2:])


def _known(sizes: list[float]) -> Term:
    z = np.sqrt(sizes)
    return _term(z, z)


@pytest.mark.parametrize(
    ("sizes", "terms", "left", "unequal"),
    [
        ([1.0, 1.2, 1.49], 1, 99, False),
        ([1.0, 1.2, 1.51], 1, 99, True),
        ([1.0] + 9 * [1.6], 1, 99, True),
        ([1.0] + 10 * [1.6], 1, 99, False),  # one of eleven is the tenth that does not count
        (2 * [1.0] + 9 * [1.6], 1, 99, True),
        (2 * [1.0] + 10 * [1.6], 1, 99, False),
        (2 * [1.0] + 10 * [3.1], 1, 99, False),
        (2 * [1.0] + 10 * [2.9], 2, 99, False),
        (2 * [1.0] + 10 * [3.1], 2, 99, True),
        (2 * [1.0] + 10 * [29.0], 1, 99, False),
        (2 * [1.0] + 10 * [31.0], 1, 99, True),
        (4 * [1.0] + 35 * [3.1], 2, 99, True),
        (4 * [1.0] + 36 * [3.1], 2, 99, False),
        (4 * [1.0] + 36 * [29.0], 2, 99, False),
        (4 * [1.0] + 36 * [31.0], 2, 99, True),
        ([0.0, 1.0, 2.0], 1, 99, True),
        (3 * [1.0] + 17 * [1.6], 1, 19, True),
        (3 * [1.0] + 17 * [1.6], 1, 20, False),
        (20 * [1.0], 1, 0, False),
    ],
)
def test_levels_that_do_not_know_their_effects_equally_well(
    sizes: list[float], terms: int, left: int, unequal: bool
) -> None:
    term = _known(sizes)
    assert term.unequal(terms, left) == unequal and not term.mean


@pytest.mark.parametrize(
    ("spread", "decades"), [(1.0, 0), (1e2, 0), (9e3, 1), (1.1e4, 2), (4e7, 3), (1e12, 5)]
)
def test_one_more_search_for_each_decade_of_standard_deviations(spread: float, decades: int) -> None:
    """Up to ten times the effects of the levels that know least, which are spread ** .5 of the others'."""
    term = Term(False, spread, 9)
    assert term.decades == decades
    parameters = fit(
        *Encoding.learn("y ~ x + (1 | a)", crossed(np.random.default_rng(1)))
    ).criterion.parameters
    doubt = valleys.Doubt.of(parameters, [term], 99)
    if not doubt.effects:
        return
    last = [float(start[0]) for start in doubt.starts(doubt.one)][-decades - 1 :]
    assert last[1:] == [100.0 * 10.0**k for k in range(1, decades + 1)]


@pytest.mark.parametrize(("left", "mean"), [(0.5e-6, False), (2e-6, True)])
def test_a_share_of_a_column_outside_of_x(left: float, mean: bool) -> None:
    x = np.sqrt(1 - left) + np.sqrt(left) * np.array([1.0, -1.0, 1.0, -1.0])
    assert _term(x, np.ones(4)).mean == mean


def test_large_models_are_searched_again_for_means_and_very_few_levels_only() -> None:
    parameters = fit(
        *Encoding.learn("y ~ x + (x | a) + (1 | b)", crossed(np.random.default_rng(1)))
    ).criterion.parameters
    small = (Term(False, 99.0, 150), Term(False, 1.0, 100))  # at the limit of what is cheap
    large = (Term(False, 99.0, 151), Term(False, 1.0, 100))
    mean = (Term(False, 99.0, 151), Term(True, 1.0, 100))
    few, not_few = ((Term(False, 1.0, 500), Term(False, 99.0, levels)) for levels in (11, 12))
    neither = (Term(False, 1.0, 9), Term(False, 1.0, 9))
    doubts = [valleys.Doubt.of(parameters, t, 99) for t in (small, large, mean, few, not_few, neither)]
    assert [len(d.effects) for d in doubts] == [3, 0, 1, 1, 0, 0]
    moments = np.full(len(doubts[0].one), 0.5)
    assert [len(list(d.starts(moments))) for d in doubts] == [8, 0, 1, 1, 0, 0]
    assert [len(list(d.starts_about(moments))) for d in doubts] == [8, 0, 1, 1, 0, 0]


@pytest.mark.parametrize("seed", [2, 6])
def test_few_unequal_groups_beside_many_others(seed: int) -> None:
    """At the variance of zero the large groups keep the criterion; the small one lowers it far away."""
    rng = np.random.default_rng(seed)
    g, i = np.repeat([0, 1, 2], [12, 282, 606]), rng.permutation(900) // 2
    y = np.array([1.3, 0.02, 0.0])[g] + 0.5 * rng.normal(size=450)[i] + rng.normal(size=900)
    f = fit(*Encoding.learn("y ~ 1 + (1 | g) + (1 | i)", {"y": y, "g": labels(g, "g"), "i": labels(i, "i")}))
    theta = f.solution.theta
    assert theta[1] > 0.3
    other = f.optimum.other
    assert other is not None and other.theta[1] < 1e-4 and other.value > f.optimum.value + 1.0


@pytest.mark.parametrize(
    ("term", "most"), [(Term(True, 1.0, 9), valleys.MOST), (Term(False, 99.0, 9), valleys.MOST_UNEQUAL)]
)
def test_a_limit_to_the_number_of_searches(term: Term, most: int) -> None:
    model = "y ~ x + (x * z | a) + (0 + x * z | b) + (1 | b) + (x * z | c)"
    rng = np.random.default_rng(1)
    data = {c: rng.normal(size=300) for c in "xyz"} | {c: rng.integers(0, 9, 300) for c in "abc"}
    parameters = fit(*Encoding.learn(model, data)).criterion.parameters
    doubt = valleys.Doubt.of(parameters, [term] * 4, 99)
    assert len(doubt.effects) == 12
    assert len(list(doubt.starts(doubt.one))) == most
    assert len(list(doubt.starts_about(doubt.one))) == most


def test_all_searches_together_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty searches of a term with ten parameters would take longer than the answer is worth."""
    model = random_model(1328)
    learnt = Encoding.learn(model.formula, model.data, **model.options)
    found = {}
    for most in (optimize.ALL_ELSEWHERE, 200):
        monkeypatch.setattr(optimize, "ALL_ELSEWHERE", most)
        found[most] = fit(*learnt, reml=model.reml).optimum.evaluations
    looks = optimize.ROUNDS * 128 * len(valleys.SIZES)  # in the directions of four effects
    for most, evaluations in found.items():  # the last search that began may go on
        assert most < evaluations < most + 2 * optimize.MAX_ELSEWHERE + looks


@pytest.mark.parametrize(
    ("n_par", "flops", "levels", "most"),
    [
        (10, 1e3, 90, 5000),  # the most of few: 1.8 million
        (10, 6e5, 200, 1000),  # as many as cost 1e10
        (11, 4e6, 200, 60),  # the least: 48 million flops an evaluation
        (11, 1e3, 10, 5000),  # the most: 231,000
        (12, 1e4, 20, 2500),  # as many as cost 1.5e9 flops
        (20, 5e4, 25, 750),
    ],
)
def test_of_many_parameters_the_more_an_evaluation_costs_the_fewer_there_are(
    n_par: int, flops: float, levels: int, most: int
) -> None:
    layout = SimpleNamespace(effects=levels)
    system = SimpleNamespace(A=SimpleNamespace(layout=layout, n=50), flops=flops)
    assert optimize.elsewhere(SimpleNamespace(n_par=n_par, system=system)) == most  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("n_par", "n", "hopeless"), [(51, 50, True), (51, 51, False), (50, 20, False), (52, 51, True)]
)
def test_very_many_parameters_and_more_than_observations_are_searched_once(
    n_par: int, n: int, hopeless: bool
) -> None:
    A = SimpleNamespace(n=n, layout=SimpleNamespace(effects=1))
    criterion: Any = SimpleNamespace(n_par=n_par, system=SimpleNamespace(A=A, flops=1.0))
    assert descent.hopeless(criterion) == hopeless
    assert (optimize.elsewhere(criterion) == 0) == hopeless
    assert (first_search.evaluations(criterion) < first_search.MAX_EVALUATIONS) == hopeless


@pytest.mark.parametrize(("n_par", "most"), [(200, 80), (400, 10), (2000, 0)])
def test_the_more_parameters_nothing_tells_apart_the_sooner_the_end(n_par: int, most: int) -> None:
    criterion: Any = SimpleNamespace(n_par=n_par, system=SimpleNamespace(A=SimpleNamespace(n=60)))
    assert first_search.evaluations(criterion) == most


@pytest.mark.parametrize("many", [0, 10])
def test_searches_that_end_at_an_exact_fit_are_counted(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an evaluation costs something: they are in no list of minima, and might go on for ever."""
    criterion = fit(*Encoding.learn("y ~ z + (x | a)", crossed(np.random.default_rng(1)))).criterion
    searches = optimize._Searches(criterion)
    monkeypatch.setattr(optimize, "MANY", many)
    monkeypatch.setattr(descent.Search, "exact", True)
    before = searches.spent
    searches.visit(criterion.doubt.one)
    assert not searches.others and searches.exact > 3
    assert searches.spent - before == (searches.exact if many == 0 else 0)


def test_the_hessian_at_the_end_is_exact_where_that_is_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    learnt = Encoding.learn("y ~ x + (x | a) + (1 | b)", crossed(np.random.default_rng(1)))
    exact = fit(*learnt).optimum
    monkeypatch.setattr(descent, "CHEAP_FLOPS", 0.0)
    other = fit(*learnt).optimum
    assert (exact.hessian_kind, other.hessian_kind) == ("exact", "average information")
    assert not np.allclose(exact.hessian, other.hessian, rtol=1e-3)


def test_of_starts_with_other_correlations_the_lowest_are_taken() -> None:
    criterion = fit(*Encoding.learn("y ~ x + cs(0 + f | a)", crossed(np.random.default_rng(1)))).criterion
    searches = optimize._Searches(criterion)
    starts = [start for each in criterion.parameters.elsewhere(searches.best.natural_par) for start in each]
    values = sorted(searches.compiled.value(start) for start in starts)
    found = [searches.compiled.value(start) for start in searches.lowest(starts)]
    assert found == values[: optimize.LOWEST] and 1 < len(found) < len(starts)


def test_starts_of_rank_one_in_all_directions() -> None:
    """Of the second block, of three effects; the first has one, and is left as it is."""
    effects = ((np.array([1]), 1), (np.array([2, 4]), 4), (np.array([3, 5, 6]), 6))
    block = valleys.Correlated.of(effects)
    assert block is not None
    starts = np.array(block.singular(np.array([7.0, 3.0, 0.0, 0.0, 4.0, 0.0, 0.0])))
    assert (starts[:, 0] == 7.0).all() and (starts[:, 5] == 0.0).all()
    assert (starts[:, [4, 6]] == valleys.SMALL).all()
    sizes = np.linalg.norm(starts[:, 1:4], axis=1)
    np.testing.assert_allclose(np.unique(sizes.round(12)), [1.25, 5.0, 20.0])
    directions = starts[:, 1:4] / sizes[:, None]
    for sign in ([1, -1, 1], [1, 1, -1]):  # the same whatever the sign of a column
        assert {tuple(d) for d in (directions * sign).round(9)} == {tuple(d) for d in directions.round(9)}
    nearest = (np.random.default_rng(1).normal(size=(200, 3)) @ directions.T).__abs__()
    lengths = np.linalg.norm(np.random.default_rng(1).normal(size=(200, 3)), axis=1)
    assert (nearest.max(axis=1) / lengths > np.cos(0.5)).all()  # half a radian from any direction


@pytest.mark.parametrize("k", [2, 3, 4, 9])
def test_directions_are_unit_vectors(k: int) -> None:
    found = valleys._directions(k)
    assert len(found) >= valleys.DIRECTIONS and (found[:, 0] > 0).all()
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0)


@pytest.mark.parametrize(
    "effects",
    [((np.array([0]), 0),), ((np.array([0]), 0), (np.array([1]), 1))],  # one effect; two without correlation
)
def test_effects_without_correlation_have_no_directions(effects: Any) -> None:
    assert valleys.Correlated.of(effects) is None


def test_starts_of_one_direction_are_searched_from_once() -> None:
    criterion = fit(*Encoding.learn("y ~ z + (x | a)", crossed(np.random.default_rng(1)))).criterion
    searches = optimize._Searches(criterion)
    (starts,) = criterion.doubt.singular_about(searches.best.natural_par)
    plain = np.array(searches.lowest(starts))
    apart = np.array(searches.lowest(starts, 0.95))
    assert len(plain) == len(apart) == optimize.LOWEST
    unit = apart[:, :2] / np.linalg.norm(apart[:, :2], axis=1, keepdims=True)
    cosines = np.abs(unit @ unit.T)[np.triu_indices(len(unit), 1)]
    assert (cosines < 0.951).all()
    assert (apart[0] == plain[0]).all() and not np.array_equal(apart, plain)


@pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")
def test_a_search_where_nothing_can_be_told_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    f, g = rng.integers(0, 14, 100), rng.integers(0, 4, 100)
    learnt = Encoding.learn(
        "y ~ x + (factor(f) | g)",
        {"y": f + 0.3 * rng.normal(size=100), "x": rng.normal(size=100), "f": f, "g": g},
    )
    soon = fit(*learnt).optimum
    monkeypatch.setattr(descent, "HOPELESS", 200)
    late = fit(*learnt).optimum
    assert first_search.HOPELESS_EVALUATIONS <= soon.evaluations < 1.5 * first_search.HOPELESS_EVALUATIONS
    assert 2 * soon.evaluations < late.evaluations and late.value <= soon.value < late.value + 0.1
    assert (soon.status, late.status) == ("too many evaluations", "converged")
    assert soon.hessian_kind == "average information"


@pytest.mark.parametrize(("rows", "searched"), [(13, True), (14, False)])
def test_coefficients_and_effects_nearly_as_many_as_the_observations(rows: int, searched: bool) -> None:
    """Seven groups and a mean leave five of 13 rows; six of 14."""
    g = np.arange(rows) % 7
    learnt = Encoding.learn("y ~ 1 + (1 | g)", {"y": np.sin(np.arange(rows) ** 2), "g": labels(g, "g")})
    doubt = fit(*learnt, reml=True).criterion.doubt
    even = replace(doubt.terms[0], spread=1.0)
    parameters = fit(*learnt).criterion.parameters
    assert bool(valleys.Doubt.of(parameters, [even], doubt.left).effects) == searched


def test_effects_that_take_nearly_all_of_the_response() -> None:
    """Twelve rows, six coefficients, four effects: lme4's devfun has 248.235716 at 0 and a second minimum."""
    y = [-38.394, 19.899, -40.163, 19.199, 16.179, 17.86, -38.952, -38.391, 15.908, -38.034, 19.409, -38.342]
    x = [-1.1428, 0.732, 0.0419, -0.1596, -1.5768, -0.5463, -1.2663, 1.1914, -2.0646, 0.8816, 1.7965, -0.2098]
    data = {
        "v": np.exp(y),
        "x": x,
        "f": list("CBCAABCACCBA"),
        "k": list("ba" * 2 + "aabbabab"),
        "g": list("dacbbbaacddc"),
    }
    optimum = fit(*Encoding.learn("v ~ f + k + x + I(x^2) + (1 | g)", data)).optimum
    assert optimum.value == pytest.approx(248.21418121521, abs=1e-8)
    assert optimum.other is not None and optimum.other.value == pytest.approx(248.235716437, abs=1e-8)


@pytest.mark.parametrize(("flops", "left"), [(0.9e6, 1e-18), (1.1e6, 1e-14), (1.9e9, 1e-14), (2.1e9, 1e-9)])
def test_the_dearer_an_evaluation_the_sooner_an_end_is_one(flops: float, left: float) -> None:
    assert descent.finished(flops) == left


def test_a_start_is_searched_from_once() -> None:
    criterion = fit(*Encoding.learn("y ~ z + (x | a)", crossed(np.random.default_rng(1)))).criterion
    searches = optimize._Searches(criterion)
    for start in (criterion.doubt.one, criterion.doubt.one + 1e-12):
        searches.visit(start)
    assert len(searches.others) == 1


def test_starts_far_away_leave_evaluations_for_those_about_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    criterion = fit(*Encoding.learn("y ~ z + (x | a)", crossed(np.random.default_rng(1)))).criterion
    monkeypatch.setattr(optimize, "elsewhere", lambda criterion: 400)
    searches = optimize._Searches(criterion)
    searches.run_from_moments()
    searches.visit_all([start for i in range(1, 30) for start in (i * criterion.doubt.one,)])
    assert 200 < searches.spent < 300
    visited = len(searches.starts)
    searches.run()
    assert searches.spent > 400 and len(searches.starts) > visited
