"""The kinds of the bootstrap beside R's, for the same random numbers: responses, samples, and the refits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interlace import lmer
from interlace.datasets import load
from interlace.refitting.bootstrap import _source, bootstrap
from interlace.refitting.cases import fit_rows
from interlace.refitting.reb2 import adjusted
from interlace.variances.natural import parameter_names, parameter_values

R = json.loads((Path(__file__).parent / "kinds.json").read_text())
WILD = [(h, aux) for h in ("hc2", "hc3") for aux in ("mammen", "rademacher", "webb", "norm", "gamma")]


class Given:
    """A generator whose numbers are known, in the order in which they are asked for."""

    def __init__(self, *numbers: Any) -> None:
        self._left = [np.array(one) for one in numbers]

    def _next(self) -> np.ndarray:
        return self._left.pop(0)

    def integers(self, low: int, high: int, size: int) -> np.ndarray:
        return self._sized(self._next(), size)

    def random(self, size: int) -> np.ndarray:
        return self._sized(self._next(), size)

    def standard_normal(self, size: Any) -> np.ndarray:
        return self._sized(self._next(), size)

    def gamma(self, shape: float, scale: float, size: int) -> np.ndarray:
        assert (shape, scale) == (4.0, 0.5)
        return self._sized(self._next(), size)

    def normal(self, scale: float, size: int) -> np.ndarray:
        return scale * self._sized(self._next(), size)

    def choice(self, values: np.ndarray, size: int) -> np.ndarray:
        return values[self._sized(self._next(), size)]

    def _sized(self, found: np.ndarray, size: Any) -> np.ndarray:
        assert found.shape == (size if isinstance(size, tuple) else (size,))
        return found

    def done(self) -> bool:
        return not self._left


@pytest.fixture(scope="module")
def sleep() -> Any:
    data = load("sleepstudy").reset_index(drop=True).drop(index=[row - 1 for row in R["gone"]])
    m = lmer("Reaction ~ Days + (Days | Subject)", data)
    np.testing.assert_allclose(parameter_values(m.fit), R["parameters"], rtol=1e-5)
    return m


def check(sleep: Any, kind: str, theirs: dict[str, Any], *numbers: Any, **options: str) -> None:
    """One response and its refit."""
    rng: Any = Given(*(theirs[name] for name in numbers))
    source: Any = _source(sleep.fit, kind, None, options.get("hccme", "hc2"), options.get("aux", "mammen"))
    y = source.draw(sleep.fit, rng)
    assert rng.done()
    np.testing.assert_allclose(y, theirs["y"], rtol=1e-6)
    (again,) = sleep.fit.refit_many(np.array([theirs["y"]]))
    found, scale = parameter_values(again), np.abs(theirs["refit"])
    there = scale[[0, 2]].min() > 1e-3 * scale[3]  # elsewhere the correlation is not known
    np.testing.assert_allclose(found[3:], theirs["refit"][3:], rtol=1e-5)
    if there:
        np.testing.assert_allclose(found[:3], theirs["refit"][:3], rtol=1e-4, atol=1e-4)


def test_parametric(sleep: Any) -> None:
    check(sleep, "parametric", R["parametric"], "errors", "effects")


def test_residual(sleep: Any) -> None:
    check(sleep, "residual", R["residual"], "rows", "levels")


@pytest.mark.parametrize("kind", ["reb0", "reb1"])
def test_random_effect_blocks(kind: str, sleep: Any) -> None:
    check(sleep, kind, R[kind], "levels", "donors", "uniform")


def test_adjusted_blocks(sleep: Any) -> None:
    names = tuple(parameter_names(sleep.fit))
    draws = np.array(R["reb2"]["draws"])
    kept, estimate, values, lost = adjusted(sleep.fit, names, parameter_values(sleep.fit), draws)
    assert kept == (names[0], names[2], *names[3:]) and not lost
    np.testing.assert_allclose(values, R["reb2"]["adjusted"], rtol=1e-6)
    np.testing.assert_allclose(estimate, np.array(R["parameters"])[[0, 2, 3, 4, 5]], rtol=1e-6)


@pytest.mark.parametrize(("hccme", "aux"), WILD)
def test_wild(hccme: str, aux: str, sleep: Any) -> None:
    numbers = {"mammen": "uniform", "norm": "normal", "gamma": "gamma"}.get(aux, "integers")
    check(sleep, "wild", R[f"wild_{hccme}_{aux}"], numbers, hccme=hccme, aux=aux)


def _nested(batch: Any, cask: Any, rows: Any) -> list[list[list[int]]]:
    """The rows of each cask of each batch, whatever their names."""
    found: dict[Any, dict[Any, list[int]]] = {}
    for b, c, row in zip(batch, cask, rows, strict=True):
        found.setdefault(b, {}).setdefault(c, []).append(int(row))
    return sorted(sorted(sorted(some) for some in casks.values()) for casks in found.values())


@pytest.mark.parametrize("theirs", R["case"]["samples"], ids=lambda one: str(one["resample"]))
def test_cases_at_three_levels(theirs: dict[str, Any]) -> None:
    data = load("pastes").reset_index(drop=True).drop(index=R["case"]["gone"])
    m = lmer("strength ~ 1 + (1 | batch) + (1 | batch:cask)", data)
    rng: Any = Given(*theirs["uniform"])
    rows, codes = _source(m.fit, "case", theirs["resample"], "hc2", "mammen").sample(rng)  # type: ignore[union-attr]
    assert rng.done()
    assert _nested(codes["batch"], codes["batch:cask"], rows) == _nested(
        theirs["batch"], theirs["cask"], theirs["rows"]
    )
    values = dict(zip(parameter_names(m.fit), parameter_values(fit_rows(m.fit, rows, codes)), strict=True))
    found = [values[f"sd_Intercept|{g}"] for g in ("batch", "batch:cask")]
    np.testing.assert_allclose(
        [*found, values["sigma"], values["Intercept"]], theirs["refit"], rtol=1e-4, atol=1e-4
    )


def test_the_bootstrap_takes_these_samplers(sleep: Any) -> None:
    """What `bootstrap` fits is what the sampler of its kind gives."""
    rng: Any = np.random.default_rng(np.random.SeedSequence(3, spawn_key=(0,)))
    for kind in ("residual", "reb0", "reb1", "wild"):
        source: Any = _source(sleep.fit, kind, None, "hc2", "mammen")
        rng = np.random.default_rng(np.random.SeedSequence(3, spawn_key=(0,)))
        (again,) = sleep.fit.refit_many(source.draw(sleep.fit, rng)[None])
        np.testing.assert_allclose(
            bootstrap(sleep.fit, 1, kind=kind, seed=3).values[0, 3:], parameter_values(again)[3:], rtol=1e-7
        )
