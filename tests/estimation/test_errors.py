"""What cannot be estimated is refused in words, before time or memory is spent on it."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import interlace
from interlace.design.encoding import Encoding
from interlace.design.members import learn_part
from interlace.design.values import Factor
from interlace.errors import DataError, InterlaceError, ModelError, RankDeficiencyWarning
from interlace.estimation import capacity as memory
from interlace.estimation.covariance import Unstructured
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.fit import at_theta, deviance_at, fit
from interlace.estimation.found import _left_to_fall
from interlace.estimation.gram import Gram
from interlace.estimation.penalized import System
from interlace.estimation.prepare import _check_parameters
from interlace.formula.tree import Name
from made_data import crossed, grid, one


def rng() -> np.random.Generator:
    return np.random.default_rng(12)


# --- too little data ------------------------------------------------------------------------------------


def _wide(n: int, p: int, levels: int = 3) -> tuple[str, dict[str, Any]]:
    data = one(rng(), n, levels) | {f"v{j}": rng().normal(size=(n, p))[:, j] for j in range(p)}
    return "y ~ " + " + ".join(f"v{j}" for j in range(p)) + " + (1 | a)", data


@pytest.mark.parametrize("p", [9, 10, 14])
@pytest.mark.parametrize("reml", [True, False])
def test_as_many_fixed_effects_as_rows(p: int, reml: bool) -> None:
    """10 rows have room for an intercept, 8 columns and a variance; more columns are dependent."""
    formula, data = _wide(10, p)
    with pytest.raises(
        ModelError, match="10 rows cannot tell 10 fixed effects and a residual variance apart"
    ):
        interlace.lmer(formula, data, reml=reml)


def test_one_row_more_than_fixed_effects_is_enough() -> None:
    formula, data = _wide(30, 15, 4)
    assert np.isfinite(interlace.lmer(formula, data).sigma)


# --- no residual variance -------------------------------------------------------------------------------


def _exact() -> list[tuple[str, str, dict[str, Any]]]:
    base = crossed(rng(), 60, (6, 4))
    a = np.unique(base["a"], return_inverse=True)[1].astype(float)
    b = np.unique(base["b"], return_inverse=True)[1].astype(float)
    return [
        ("predictor", "y ~ x + (1 | a)", base | {"y": 3.0 + 2.0 * base["x"]}),
        ("predictor, large mean", "y ~ x + (1 | a)", base | {"y": 1e6 + 2.0 * base["x"]}),
        ("group", "y ~ x + (1 | a)", base | {"y": a**2}),
        ("two groups", "y ~ 1 + (1 | a) + (1 | b)", base | {"y": a**2 - b**3}),
        ("slope", "y ~ x + (x | a)", base | {"y": a * base["x"] + a**2}),
        ("tiny unit", "y ~ x + (1 | a)", base | {"y": 1e-12 * (3.0 + 2.0 * base["x"])}),
        ("weights", "y ~ x + (1 | a)", base | {"y": 3.0 + 2.0 * base["x"], "w": base["w"]}),
    ]


@pytest.mark.parametrize(("name", "formula", "data"), _exact(), ids=lambda v: v if isinstance(v, str) else "")
@pytest.mark.parametrize("reml", [True, False])
def test_a_response_that_is_fitted_exactly(name: str, formula: str, data: dict[str, Any], reml: bool) -> None:
    options = {"weights": "w"} if name == "weights" else {}
    with pytest.raises(ModelError, match=r"residual variance is zero.*fits the response exactly"):
        interlace.lmer(formula, data, reml=reml, **options)


def test_a_constant_response() -> None:
    with pytest.raises(InterlaceError, match=r"constant|exactly|same value"):
        interlace.lmer("y ~ x + (1 | a)", one(rng()) | {"y": np.full(60, 3.0)})


def test_a_constant_response_of_a_refit() -> None:
    f = fit(*Encoding.learn("y ~ x + (1 | a)", one(rng())))
    with pytest.raises(InterlaceError, match=r"constant|exactly"):
        f.refit(np.full(60, 3.0))
    with pytest.raises(InterlaceError, match=r"constant|exactly"):
        f.refit(np.zeros(60))


@pytest.mark.parametrize("noise", [1e-4, 1e-5])
def test_a_response_that_is_nearly_fitted_exactly_is_no_error(noise: float) -> None:
    data = one(rng(), 90)
    y = 3.0 + 2.0 * data["x"] + noise * rng().normal(size=90)
    m = interlace.lmer("y ~ x + (1 | a)", data | {"y": y})
    assert 0.5 * noise < m.sigma < 2 * noise


# --- dependent columns ------------------------------------------------------------------------------------


def test_dependent_columns_are_named() -> None:
    data = one(rng())
    with pytest.warns(
        RankDeficiencyWarning, match=r"dropped 2 columns? .*: I\(2 \* x\), I\(x \+ z\)"
    ) as caught:
        m = interlace.lmer("y ~ x + I(2 * x) + z + I(x + z) + (1 | a)", data)
    assert len(caught) == 1
    plain = interlace.lmer("y ~ x + z + (1 | a)", data)
    np.testing.assert_allclose(m.reml_criterion, plain.reml_criterion, rtol=1e-12)
    assert list(m.fixef.dropna().index) == ["Intercept", "x", "z"]
    np.testing.assert_allclose(m.fixef.dropna(), plain.fixef, rtol=1e-9)


def test_no_warning_for_collinear_columns_that_can_be_told_apart() -> None:
    data = one(rng())
    data["near"] = data["x"] + 1e-5 * data["z"]
    m = interlace.lmer("y ~ x + near + (1 | a)", data)  # warnings are errors
    assert len(m.fixef) == 3


def test_at_theta_drops_the_same_columns() -> None:
    encoding, design = Encoding.learn("y ~ x + I(2 * x) + (1 | a)", one(rng()))
    assert at_theta(encoding, design, [0.5]).dropped == ("I(2 * x)",)


@pytest.mark.parametrize("add", ["I(2 * x + 1)", "I(-3 * x)"])
def test_columns_of_a_random_term_that_depend_on_each_other_are_named(add: str) -> None:
    with pytest.raises(
        ModelError, match=r"columns Intercept, x, I\(.*\) of a random term of 'a' depend on each"
    ):
        interlace.lmer(f"y ~ x + (x + {add} | a)", one(rng(), 120))


# --- theta ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theta", [[], [1.0], [1.0, 0.0], [1.0, 0.0, 1.0, 1.0], [[1.0, 0.0, 1.0]], 1.0])
def test_theta_of_the_wrong_length(theta: Any) -> None:
    encoding, design = Encoding.learn("y ~ x + (x | a)", one(rng()))
    with pytest.raises(DataError, match=r"theta must have 3 entries, not shape"):
        at_theta(encoding, design, theta)
    f = at_theta(encoding, design, [1.0, 0.0, 1.0])
    with pytest.raises(DataError, match="theta must have 3 entries"):
        deviance_at(f, theta, reml=True)


# --- memory -------------------------------------------------------------------------------------------------


def _products(
    data: dict[str, Any], formula: str = "y ~ x + (1 | a) + (1 | b)"
) -> tuple[Encoding, CrossProducts]:
    encoding, design = Encoding.learn(formula, data)
    return encoding, CrossProducts.of(encoding, design)


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_a_factor_that_does_not_fit_is_refused_with_the_numbers(share: float) -> None:
    """Sparse (several fronts) and dense; the numbers and the names are in the message."""
    _, A = _products(grid(rng(), 90, 80, share))
    need = memory.analyze(A, lambda: ("a", "b"), limit=1e12).bytes(A.products.p)
    assert need > 8 * 60 * 61 / 2  # at least the triangle of most of b
    with pytest.raises(ModelError, match=r"would need about .* GiB, and .* GiB can be had") as caught:
        memory.analyze(A, lambda: ("a", "b"), limit=0.999 * need)
    for words in ("a (90 levels)", "b (80 levels)", "80 random effects", "more memory"):
        assert words in str(caught.value)
    assert memory.analyze(A, lambda: ("a", "b"), limit=need).complete


def test_a_single_factor_needs_next_to_nothing() -> None:
    _, A = _products(one(rng(), 400, 90), "y ~ x + (1 | a)")
    symbolic = memory.analyze(A, lambda: ("a",), limit=1e6)
    assert symbolic.complete and symbolic.q_rest == 0 and symbolic.bytes(A.products.p) < 1e5


def test_the_limit_is_what_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 2.0**24 < memory.available_bytes() < 2.0**50
    encoding, A = _products(grid(rng(), 60, 55, 0.5))
    System.of(encoding, A)
    monkeypatch.setattr(memory, "_SMALL", 0.0)
    monkeypatch.setattr(memory, "available_bytes", lambda: 1e4)
    with pytest.raises(ModelError, match="GiB"):
        System.of(encoding, A)


def test_a_container_has_less_than_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        "/proc/meminfo": "MemTotal: 9 kB\nMemAvailable:   2000000 kB\n",
        "/sys/fs/cgroup/memory.max": "1000000\n",
    }
    monkeypatch.setattr(memory, "_read", lambda name: texts.get(name, ""))
    assert memory.available_bytes() == 1e6
    texts["/sys/fs/cgroup/memory.max"] = "max\n"
    assert memory.available_bytes() == 2e6 * 1024


def test_a_process_may_have_less_than_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ulimit -v`, less what is in use; Windows has no such thing."""
    texts = {"/proc/meminfo": "MemAvailable:   2000000 kB\n", "/proc/self/statm": "100 50 3 1 0 9 0\n"}
    limit = [1e6, -1]
    monkeypatch.setattr(memory, "_read", lambda name: texts.get(name, ""))
    monkeypatch.setattr(memory.resource, "getrlimit", lambda kind: limit)
    assert memory.available_bytes() == 1e6 - 100 * memory.resource.getpagesize()
    limit[0] = 1
    assert memory.available_bytes() == 0
    limit[0] = memory.resource.RLIM_INFINITY
    assert memory.available_bytes() == 2e6 * 1024
    limit[0] = 1
    monkeypatch.setattr(memory, "resource", None)
    assert memory.available_bytes() == 2e6 * 1024


def _many_slopes(k: int) -> tuple[Encoding, Any]:
    r = rng()
    data = {f"v{j}": r.normal(size=400) for j in range(k)} | {
        "y": r.normal(size=400),
        "g": np.arange(400) // 4,
    }
    return Encoding.learn(f"y ~ 1 + (0 + {' + '.join(data)} | g)".replace(" + y + g", ""), data)


@pytest.mark.parametrize(("k", "fits"), [(3, True), (4, False)])
def test_more_covariances_than_can_be_estimated_are_refused(
    k: int, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlace.estimation.prepare.MOST_PARAMETERS", 6)
    encoding, design = _many_slopes(k)
    if fits:
        fit(encoding, design)
        return
    with pytest.raises(
        ModelError, match=r"has 10 variances and covariances, and 6 are the most .* 4 columns"
    ):
        fit(encoding, design)


@pytest.mark.parametrize(("rows", "refused"), [(9, True), (10, False)])
def test_more_covariances_than_rows_have_a_lower_limit(
    rows: int, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlace.estimation.prepare.MOST_BEYOND_ROWS", 9)
    criterion: Any = SimpleNamespace(
        n_par=10,
        system=SimpleNamespace(
            A=SimpleNamespace(n=rows),
            encoding=SimpleNamespace(random=[SimpleNamespace(columns=("a", "b"), group="g")]),
        ),
    )
    if not refused:
        _check_parameters(criterion)
        return
    with pytest.raises(ModelError, match=r"9 are the most that can be estimated from fewer rows \(9\)"):
        _check_parameters(criterion)


def test_more_random_effects_of_a_level_than_memory_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_SMALL", 0.0)
    encoding, design = _many_slopes(5)
    monkeypatch.setattr(memory, "available_bytes", lambda: 8.0 * 6 * 5**4 / 0.9 + 1)
    A = CrossProducts.of(encoding, design)
    Gram(A, (np.eye(5),), (Unstructured(5),)).plain()
    monkeypatch.setattr(memory, "available_bytes", lambda: 8.0 * 6 * 5**4 / 0.9 - 1)
    with pytest.raises(ModelError, match="the 5 random effects of one level takes"):
        Gram(A, (np.eye(5),), (Unstructured(5),)).plain()


def test_a_random_crossing_of_300_000_levels_is_refused_at_once() -> None:
    """A million rows, each of a random a and a random b: the factor would need hundreds of GiB."""
    n, levels = 1_000_000, 300_000
    r = rng()
    data = {"y": r.normal(size=n), "a": r.integers(0, levels, n), "b": r.integers(0, levels, n)}
    encoding, design = Encoding.learn("y ~ 1 + (1 | a) + (1 | b)", data)
    start = time.process_time()
    with pytest.raises(ModelError, match=r"would need about [\d,]{2,}\.\d GiB.*a \(2\d\d,\d{3} levels\)"):
        fit(encoding, design)
    assert time.process_time() - start < 30.0


@pytest.mark.slow
def test_a_long_chain_of_300_000_levels_is_not_refused() -> None:
    """As many levels, but each meets two others only: little memory is needed."""
    levels = 300_000
    a = np.repeat(np.arange(levels), 4)
    b = (a + np.tile([0, 1, 0, 1], levels)) % levels
    data = {"y": rng().normal(size=len(a)) + rng().normal(size=levels)[a], "a": a, "b": b}
    f = fit(*Encoding.learn("y ~ 1 + (1 | a) + (1 | b)", data))
    assert f.optimum.converged
    assert f.criterion.system.symbolic.bytes(1) < 2.0**31
    np.testing.assert_allclose(f.solution.theta[0], 1.0, atol=0.02)


@pytest.mark.parametrize(("n_par", "refused"), [(2000, False), (2001, True)])
def test_two_thousand_covariances_can_be_estimated(n_par: int, refused: bool) -> None:
    block = SimpleNamespace(columns=("a", "b"), group="g")
    system = SimpleNamespace(A=SimpleNamespace(n=10_000), encoding=SimpleNamespace(random=[block]))
    criterion: Any = SimpleNamespace(n_par=n_par, system=system)
    if refused:
        with pytest.raises(ModelError, match="2,000 are the most that can be estimated: the term on 'g'"):
            _check_parameters(criterion)
    else:
        _check_parameters(criterion)


@pytest.mark.parametrize(
    ("levels", "refused"), [pytest.param(10_000, False, marks=pytest.mark.slow), (10_001, True)]
)
def test_ten_thousand_levels_of_a_fixed_factor(levels: int, refused: bool) -> None:
    factor = Factor(np.arange(levels), np.array([f"v{i:05d}" for i in range(levels)], dtype=object))
    if refused:
        with pytest.raises(ModelError, match=r"the factor 'f' has 10,001 levels, .* 10,000 at most"):
            learn_part("f", Name("f"), factor, levels, {})
    else:
        learn_part("f", Name("f"), factor, levels, {})


@pytest.mark.parametrize(
    ("curvature", "said"), [(1.0, "could still fall by 0.02"), (-1.0, "are not those of a minimum")]
)
def test_what_is_said_of_a_search_without_a_minimum(curvature: float, said: str) -> None:
    optimum = SimpleNamespace(decrement=0.5 * 0.2**2 / curvature)
    assert said in _left_to_fall(optimum)  # type: ignore[arg-type]
