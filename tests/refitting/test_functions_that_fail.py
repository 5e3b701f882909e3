"""Functions of the caller's that fail: an error of the library that names them, with theirs as its cause."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pytest

import interlace
from interlace.errors import FunctionError

MACHINES = interlace.datasets.load("machines").assign(z=np.arange(54.0) % 7)
MODEL = interlace.lmer("score ~ Machine + z + (1 | Worker)", MACHINES)
FORMULA = "score ~ Machine + (1 | Worker)"


def spoilt(*given: Any, **options: Any) -> Any:
    raise ZeroDivisionError("no number")


def spoilt_scale(y: Any) -> Any:
    return np.sqrt(y)


class FailsLater:
    """A statistic that has no value once sigma is as small as in replicate 2, and not before."""

    def __init__(self, kind: type[Exception]) -> None:
        self.kind = kind

    def __call__(self, model: Any) -> float:
        if abs(model.sigma - SIGMAS[2]) < 1e-9:
            raise self.kind("too small")
        return float(model.sigma)


SIGMAS = MODEL.bootstrap(n=5, seed=7, statistic=lambda m: m.sigma).draws.iloc[:, 0].to_numpy()
FAILING: dict[str, tuple[str, Callable[[], Any]]] = {
    "statistic": ("statistic= (spoilt)", lambda: MODEL.bootstrap(n=3, seed=1, statistic=spoilt)),
    "a lambda": ("statistic= (a lambda)", lambda: MODEL.bootstrap(n=3, statistic=lambda m: m.sigma / 0)),
    "se": ("se= (spoilt)", lambda: MODEL.bootstrap(n=3, seed=1, statistic=lambda m: m.sigma, se=spoilt)),
    "power": ("test= (spoilt)", lambda: interlace.power(MODEL, n=3, seed=1, test=spoilt)),
    "score": ("'spoilt' (spoilt)", lambda: MODEL.cross_validate("Worker", scores=spoilt).summary()),
    "cov_reduce": ("cov_reduce= (spoilt) fails for 'z'", lambda: MODEL.emmeans("1", cov_reduce=spoilt)),
    "contrast": ("of the contrasts (spoilt)", lambda: MODEL.emmeans("Machine").contrast(spoilt)),
    "scale": ("inverse= of register_scale('spoilt_scale')", lambda: _on_its_scale().frame),
    "rows": ("that opens the rows (spoilt)", lambda: interlace.lmer(FORMULA, interlace.chunks(spoilt))),
}


def _on_its_scale() -> Any:
    interlace.register_scale("spoilt_scale", inverse=spoilt)
    m = interlace.lmer("spoilt_scale(score) ~ Machine + (1 | Worker)", MACHINES)
    return m.emmeans("Machine", type="response")


@pytest.mark.parametrize("name", FAILING)
def test_the_error_names_the_function_and_has_its_own_as_cause(name: str) -> None:
    words, ask = FAILING[name]
    with pytest.raises(FunctionError) as found:
        ask()
    text = str(found.value)
    assert "the function" in text and words in text and "ZeroDivisionError" in text
    assert isinstance(found.value.__cause__, ZeroDivisionError)
    assert isinstance(found.value, interlace.DataError) and text.partition("; ")[2]


def test_a_function_of_a_formula_has_its_own_error_as_cause() -> None:
    with pytest.raises(interlace.FormulaError, match=r"'spoilt\(z\)' cannot be evaluated") as found:
        interlace.lmer("score ~ spoilt(z) + (1 | Worker)", MACHINES)
    assert isinstance(found.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_replicate_can_be_made_again(n_jobs: int) -> None:
    fails = FailsLater(KeyError)
    with pytest.raises(
        FunctionError, match=r"in replicate 2 \(counted from 0\) of seed=7: KeyError"
    ) as found:
        MODEL.bootstrap(n=5, seed=7, statistic=fails, n_jobs=n_jobs)
    assert isinstance(found.value.__cause__, KeyError)
    with pytest.raises(FunctionError, match="replicate 2"):
        MODEL.bootstrap(n=3, seed=7, statistic=fails, n_jobs=n_jobs)
    assert len(MODEL.bootstrap(n=2, seed=7, statistic=fails, n_jobs=n_jobs).draws) == 2


def test_a_seed_that_nobody_gave_is_said() -> None:
    with pytest.raises(FunctionError, match=r"of seed=(\d+)") as found:
        interlace.power(MODEL, n=3, test=spoilt)
    seed = int(str(found.value).partition("seed=")[2].partition(":")[0])
    assert MODEL.bootstrap(n=2, seed=seed).draws.shape[0] == 2


def test_a_fit_that_has_no_value_is_counted_as_it_is_told() -> None:
    found = MODEL.bootstrap(n=5, seed=7, statistic=FailsLater(interlace.ModelError))
    assert "1 refit failed: too small" in str(found)


@pytest.mark.slow
def test_from_another_process() -> None:
    with (
        joblib.parallel_config("loky", n_jobs=2),
        pytest.raises(FunctionError, match="in replicate 2") as found,
    ):
        MODEL.bootstrap(n=5, seed=7, statistic=FailsLater(KeyError))
    assert found.value.__cause__ is not None


def test_the_error_pickles_and_errors_of_the_library_pass() -> None:
    with pytest.raises(FunctionError) as found:
        MODEL.bootstrap(n=3, seed=1, statistic=spoilt)
    again = pickle.loads(pickle.dumps(found.value))
    assert str(again) == str(found.value) and again.where == " for the model itself"
    with pytest.raises(interlace.DataError, match="'Engine'") as other:
        MODEL.bootstrap(n=3, seed=1, statistic=lambda m: m.emmeans("Engine").frame["estimate"])
    assert not isinstance(other.value, FunctionError)
