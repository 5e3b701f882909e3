"""A method of degrees of freedom is bound to a model once, and never to another one."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace import ClusterRobust, KenwardRoger, Satterthwaite
from interlace.cli import main
from interlace.errors import ModelError
from interlace.estimation.fit import Fit
from interlace.precision import df, kenward_roger, robust, satterthwaite
from interlace.precision.marginal import Marginal
from interlace.precision.memory import Memory
from interlace.precision.varpar import VarianceParameters
from interlace.precision.wald import Ddf
from reference_data import load_data


@pytest.fixture
def model() -> interlace.LinearMixedModel:
    return interlace.lmer("Reaction ~ Days + (Days | Subject)", load_data("sleepstudy"))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What was computed, in order."""
    found: list[str] = []

    def counted(room: object, name: str, word: str) -> None:
        original = getattr(room, name)

        def wrapper(*args: object) -> object:
            found.append(word)
            return original(*args)

        monkeypatch.setattr(room, name, wrapper)

    counted(satterthwaite, "bind", "satterthwaite")
    counted(kenward_roger, "bind", "kenward-roger")
    counted(robust, "clusterings", "robust")
    yield found


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger"])
def test_once_for_all_tables(model: interlace.LinearMixedModel, calls: list[str], ddf: str) -> None:
    str(model.summary(ddf=ddf))
    model.anova(ddf=ddf)
    model.anova(ddf=ddf, type=1)
    model.coef_table(ddf=ddf)
    model.contrast_test({"Days": 1.0}, ddf=ddf)
    model.drop1(ddf=ddf)
    model.coef_table(ddf={"satterthwaite": Satterthwaite(), "kenward-roger": KenwardRoger()}[ddf])
    assert calls == [ddf]


def test_standard_errors_of_variances_share_it(
    model: interlace.LinearMixedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[VarianceParameters] = []
    of = VarianceParameters.of

    def counted(fit: Fit, marginal: Marginal) -> VarianceParameters:
        found.append(of(fit, marginal))
        return found[-1]

    monkeypatch.setattr(VarianceParameters, "of", counted)
    expected = model.varcorr(se=True)
    model.coef_table()
    pd.testing.assert_frame_equal(model.varcorr(se=True), expected)
    assert len(found) == 1


def test_options_are_told_apart(calls: list[str]) -> None:
    unbalanced = load_data("sleepstudy_shuffled")
    model = interlace.lmer("Reaction ~ Days + (Days | Subject)", unbalanced)
    expected = model.coef_table(ddf=KenwardRoger("expected"))
    observed = model.coef_table(ddf=KenwardRoger("observed"))
    assert not np.allclose(expected["se"], observed["se"], rtol=1e-6)
    pd.testing.assert_frame_equal(model.coef_table(ddf=KenwardRoger("expected")), expected)
    assert calls == ["kenward-roger"] * 2


def test_robust_covariances(model: interlace.LinearMixedModel, calls: list[str]) -> None:
    for chosen in ("CR2", ClusterRobust("CR2"), "CR2"):
        model.coef_table(vcov=chosen)
    model.coef_table(vcov=ClusterRobust("CR2", "Subject"))
    assert calls == ["robust"] * 2


def test_clusters_in_an_array_may_change(model: interlace.LinearMixedModel) -> None:
    cluster = np.repeat(np.arange(9), 20)
    chosen = ClusterRobust("CR1", cluster)
    before = model.coef_table(vcov=chosen)
    cluster[:] = np.repeat(np.arange(18), 10)
    after = model.coef_table(vcov=chosen)
    assert not np.allclose(before["se"], after["se"], rtol=1e-6)
    pd.testing.assert_frame_equal(after, model.coef_table(vcov="CR1"))


def test_clusters_in_a_view_of_memory_are_those_of_the_array(model: interlace.LinearMixedModel) -> None:
    """One that may be written to has no hash, and says so by a ValueError."""
    codes = np.repeat(np.arange(18), 10)
    found = model.coef_table(vcov="CR2", cluster=memoryview(codes))
    np.testing.assert_array_equal(found["se"], model.coef_table(vcov="CR2", cluster=codes)["se"])


def test_other_models_have_their_own(model: interlace.LinearMixedModel) -> None:
    before = model.coef_table()
    doubled = model.refit(2 * load_data("sleepstudy")["Reaction"].to_numpy())
    np.testing.assert_allclose(doubled.coef_table()["estimate"], 2 * before["estimate"], rtol=1e-6)
    assert not np.allclose(model.refit(reml=False).coef_table()["se"], before["se"], rtol=1e-4)


def test_pickles_and_copies_leave_it_behind(model: interlace.LinearMixedModel, calls: list[str]) -> None:
    size = len(pickle.dumps(model))
    expected = model.coef_table(ddf="kenward-roger")
    assert len(pickle.dumps(model)) == size
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        calls.clear()
        pd.testing.assert_frame_equal(again.coef_table(ddf="kenward-roger"), expected)
        again.coef_table(ddf="kenward-roger")
        assert calls == ["kenward-roger"]


def test_threads_wait_for_the_first(model: interlace.LinearMixedModel, calls: list[str]) -> None:
    start = Barrier(8)

    def work(_: int) -> pd.DataFrame:
        start.wait()
        return model.coef_table(ddf="kenward-roger")

    with ThreadPoolExecutor(8) as pool:
        tables = list(pool.map(work, range(8)))
    assert calls == ["kenward-roger"]
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0])


def test_failures_are_not_kept(model: interlace.LinearMixedModel, calls: list[str]) -> None:
    by_ml = model.refit(reml=False)
    for _ in range(2):
        with pytest.raises(ModelError, match="defined for fits by REML"):
            by_ml.coef_table(ddf="kenward-roger")
    assert calls == ["kenward-roger"] * 2


class _ByIdentity:
    """A method whose options can change without a sign."""

    def __init__(self) -> None:
        self.bound = 0

    def bind(self, fit: Fit) -> Ddf:
        self.bound += 1
        return df.Asymptotic().bind(fit)

    def robust(self, vcov: ClusterRobust) -> df.DdfMethod:
        return self


@dataclass(frozen=True)
class _Numbered:
    number: int

    def bind(self, fit: Fit) -> Ddf:
        return df.Asymptotic().bind(fit)

    def robust(self, vcov: ClusterRobust) -> df.DdfMethod:
        return self


def test_methods_without_a_value_are_bound_anew(model: interlace.LinearMixedModel) -> None:
    mine = _ByIdentity()
    for count in (1, 2):
        model.coef_table(ddf=mine)
        assert mine.bound == count


def test_the_least_used_leaves(model: interlace.LinearMixedModel) -> None:
    """Eight are kept: the ninth comes in the place of the one that was not used for longest."""
    memory = Memory(model.fit)

    def bound(number: int) -> Ddf:
        return memory.bind(_Numbered(number))

    first = [bound(number) for number in range(8)]
    assert all(bound(number) is first[number] for number in (1, 2, 3, 4, 5, 6, 7, 0))
    bound(8)  # in place of number 1
    assert all(bound(number) is first[number] for number in (0, 2, 3, 4, 5, 6, 7))
    assert bound(1) is not first[1]


def test_once_for_all_that_the_command_line_shows(
    calls: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["fit", "Reaction ~ Days + (Days | Subject)", "sleepstudy", "--ddf", "kenward-roger"]
    assert main([*arguments, "--anova", "3", "--json", str(tmp_path / "results.json")]) == 0
    assert calls == ["kenward-roger"]
    assert "Kenward-Roger" in capsys.readouterr().out
