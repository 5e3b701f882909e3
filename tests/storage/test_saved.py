"""Models as files: what is read is what was written, by earlier versions too, and no code is run."""

from __future__ import annotations

import copy
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import interlace
from interlace.errors import DataError, SavingError
from interlace.storage.archive import DOCUMENT, FORMAT
from interlace.storage.writer import Writer
from storage.write_format import FORMULAS

HERE = Path(__file__).parent
SLEEP = interlace.datasets.load("sleepstudy")
MACHINES = interlace.datasets.load("machines")
PASTES = interlace.datasets.load("pastes")


def known() -> Any:
    data = MACHINES.assign(Worker=MACHINES["Worker"].astype(str))
    levels = sorted(data["Worker"].unique())
    K = pd.DataFrame(np.eye(len(levels)) + 0.2, index=levels, columns=levels)
    coding = {"Machine": "sum"}
    return interlace.lmer("score ~ Machine + (1 | Worker)", data, known={"Worker": K}, contrasts=coding)


def gaps() -> Any:
    data = SLEEP.assign(Days=SLEEP["Days"].where(SLEEP.index % 7 > 0))
    data.index = pd.DatetimeIndex([f"2026-01-01 10:{i % 60}" for i in range(len(data))])
    weights = np.linspace(0.5, 2, len(data))
    return interlace.lmer(
        "log(Reaction) ~ Days + (1 | Subject)", data, na_action="exclude", weights=weights, reml=False
    )


MODELS: dict[str, Callable[[], Any]] = {
    "transforms": lambda: interlace.lmer("Reaction ~ bs(Days, df=4) + (scale(Days) || Subject)", SLEEP),
    "structures": lambda: interlace.lmer("strength ~ 1 + (1 | batch) + cs(0 + cask | batch)", PASTES),
    "ar1": lambda: interlace.lmer("strength ~ 1 + (1 | batch) + ar1(0 + cask | batch)", PASTES),
    "absorbed": lambda: interlace.lmer("score ~ Machine + (1 | Worker:Machine) | Worker", MACHINES),
    "linear": lambda: interlace.lm("score ~ Machine * Worker", MACHINES, vcov="HC3"),
    "linear absorbed": lambda: interlace.lm("score ~ Machine | Worker", MACHINES, cluster="Worker"),
    "known": known,
    "gaps": gaps,
}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Any:
    return MODELS[request.param]()


def test_what_is_read_is_what_was_written(model: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.interlace"
    model.save(path)
    again = interlace.load(path)
    assert type(again) is type(model) and str(again.summary()) == str(model.summary())
    assert again.coef_table().equals(model.coef_table())
    assert again.to_dict() == model.to_dict()
    assert str(again.anova()) == str(model.anova())
    pd.testing.assert_series_equal(pd.Series(again.fitted), pd.Series(model.fitted))
    assert [path.name for path in tmp_path.iterdir()] == ["m.interlace"]


def test_without_rows_it_answers_what_looks_at_none(model: Any, tmp_path: Path) -> None:
    if isinstance(model, interlace.LinearModel):
        return
    model.save(tmp_path / "m", rows=False)
    small = interlace.load(tmp_path / "m")
    for again in (small, pickle.loads(pickle.dumps(model.without_rows()))):
        assert again.coef_table().equals(model.coef_table()) and again.varcorr().equals(model.varcorr())
        for group, table in model.ranef(condvar=True).items():
            assert again.ranef(condvar=True)[group].equals(table)
        new = model.fit.design.frame.to_pandas()
        np.testing.assert_array_equal(again.predict(new), model.predict(new))
        if not model.fit.encoding.absorbed:
            pd.testing.assert_frame_equal(again.predict(new, se=True), model.predict(new, se=True))
        for refused in (lambda m: m.fitted, lambda m: m.refit(reml=True).residuals(), lambda m: m.update()):
            with pytest.raises(DataError, match=r"rows of the data|data of the model are not here"):
                refused(again)


@pytest.mark.parametrize("name", sorted(p.name for p in HERE.glob("*.interlace")))
def test_files_of_every_format_are_read(name: str) -> None:
    m = interlace.load(HERE / name)
    if name.startswith("machines"):
        now: Any = interlace.lm("score ~ Machine | Worker", MACHINES, cluster="Worker")
    else:
        formula, data = FORMULAS[name.split("_")[0]]
        now = interlace.lmer(formula, interlace.datasets.load(data))
    np.testing.assert_allclose(m.coef_table(), now.coef_table(), rtol=1e-6)
    new = now.fit.design.frame.to_pandas()
    np.testing.assert_allclose(m.predict(new), now.predict(new), rtol=1e-8)
    assert m.loglik == pytest.approx(now.loglik, rel=1e-10)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"class": "os.system", "fields": {}}, "'os.system', which is no value"),
        (
            {"class": "interlace.model.linear.LinearMixedModel", "fields": {}},
            "'LinearMixedModel', which is no",
        ),
        ({"call": "interlace.cli.main", "given": []}, "'main', which is no value"),
        ({"function": "builtins.eval"}, "'builtins.eval', which is no value"),
    ],
)
def test_format_one_names_nothing_else(entry: dict[str, Any], words: str, tmp_path: Path) -> None:
    """It had names by the modules of its time."""
    path = tmp_path / "m"
    with zipfile.ZipFile(HERE / "sleep_1.interlace") as old, zipfile.ZipFile(path, "w") as archive:
        for name in old.namelist():
            document = json.loads(old.read(name)) if name == DOCUMENT else {}
            document.get("entries", []).append(entry)
            archive.writestr(name, json.dumps(document) if document else old.read(name))
    with pytest.raises(SavingError, match=words):
        interlace.load(path)


def test_values_of_one_name_have_two_in_files(tmp_path: Path) -> None:
    """Two modules have a class Sum: a coding of factors, and a part of formulas."""
    data = SLEEP.assign(f=SLEEP["Days"].astype(int).astype(str))
    m = interlace.lmer("Reaction ~ f + (1 | Subject)", data, contrasts={"f": "sum"})
    m.save(tmp_path / "m")
    with zipfile.ZipFile(tmp_path / "m") as archive:
        named = {entry.get("class") for entry in json.loads(archive.read(DOCUMENT))["entries"]}
    assert {"Sum", "SumCoding"} <= named and not any("." in (name or "") for name in named)
    np.testing.assert_array_equal(interlace.load(tmp_path / "m").predict(data), m.predict(data))


def test_there_are_files_of_every_format() -> None:
    for number in range(1, FORMAT + 1):
        assert len(list(HERE.glob(f"*_{number}*.interlace"))) == 5


# ---- code ---


def test_codings_functions_and_covariances_of_the_caller(tmp_path: Path) -> None:
    sleep, machines = interlace.datasets.load("sleepstudy"), interlace.datasets.load("machines")
    labels = list(sleep["Subject"].unique())
    known = {"Subject": interlace.Precision(sparse.diags(np.linspace(1, 2, 18)).tocsc(), labels=labels)}
    matrix = pd.DataFrame({"first": [1, 0, -1], "second": [0, 1, -1]})
    for m, new in (
        (interlace.lmer("score ~ Machine + (1 | Worker)", machines, contrasts={"Machine": matrix}),
         {"Machine": ["B"], "Worker": ["1"]}),
        (interlace.lm("score ~ Machine", machines, contrasts={"Machine": np.array([[1.0], [0.0], [-1.0]])}),
         {"Machine": ["B"]}),
        (interlace.lmer("Reaction ~ np.sqrt(Days) + (1 | Subject)", sleep, known=known),
         {"Days": [3.0], "Subject": ["308"]}),
    ):  # fmt: skip
        for rows in (True, False):
            m.save(tmp_path / "model", rows=rows)
            found = interlace.load(tmp_path / "model")
            assert found.coef_table().equals(m.coef_table())
            assert found.predict(new).tolist() == m.predict(new).tolist()


def test_functions_of_the_caller_are_refused(tmp_path: Path) -> None:
    m = interlace.lmer("Reaction ~ own(Days) + (1 | Subject)", SLEEP)
    assert pickle.loads(pickle.dumps(m)).loglik == m.loglik
    with pytest.raises(SavingError, match="the formula uses 'own', a function of yours"):
        m.save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []
    ufunc = interlace.lmer("Reaction ~ np.log1p(Days) + (1 | Subject)", SLEEP)
    ufunc.save(tmp_path / "m")
    assert interlace.load(tmp_path / "m").predict({"Days": [3], "Subject": ["308"]}) == ufunc.predict(
        {"Days": [3], "Subject": ["308"]}
    )


def own(x: Any) -> Any:
    return 2 * np.asarray(x, dtype=float)


def test_a_lambda_is_refused_by_pickle_and_taken_by_cloudpickle(tmp_path: Path) -> None:
    double = lambda x: 2 * np.asarray(x, dtype=float)  # noqa: E731
    assert double(1) == 2
    m = interlace.lmer("Reaction ~ double(Days) + (1 | Subject)", SLEEP)
    with pytest.raises(
        SavingError, match="uses 'double', a lambda or a function inside another one"
    ) as caught:
        pickle.dumps(m)
    assert isinstance(caught.value, pickle.PicklingError)
    for again in (copy.copy(m), copy.deepcopy(m)):
        assert again.predict().equals(m.predict()) and again.coef_table().equals(m.coef_table())
    cloudpickle = pytest.importorskip("cloudpickle")
    again = pickle.loads(cloudpickle.dumps(m))
    new = {"Days": [3.0], "Subject": ["308"]}
    assert again.predict(new) == m.predict(new)


def test_joblib(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    m = interlace.lmer("Reaction ~ Days + (Days | Subject)", SLEEP)
    joblib.dump(m, tmp_path / "m.joblib")
    assert joblib.load(tmp_path / "m.joblib").loglik == m.loglik


def changed(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The file of a model whose document was tampered with."""
    path = tmp_path / "m"
    interlace.lmer("Reaction ~ Days + (1 | Subject)", SLEEP).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    document = json.loads(parts[DOCUMENT])
    change(document)
    parts[DOCUMENT] = json.dumps(document).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return path


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"class": "os.system", "fields": {}}, "no value of this version"),
        ({"class": "interlace.design.frame.np", "fields": {}}, "no value of this version"),
        ({"class": "interlace.formula.tree.Name", "fields": {}}, "no value of this version"),
        ({"call": "with columns", "given": []}, "no value of this version"),
        ({"function": "system"}, "no value of this version"),
        ({"class": "interlace.model.linear.LinearMixedModel", "fields": {}}, "no value of this version"),
        ({"class": "interlace.cli.main", "fields": {}}, "no value of this version"),
        ({"call": "interlace.cli.main", "given": []}, "no value of this version"),
        ({"call": "subprocess.run", "given": []}, "no value of this version"),
        ({"call": "interlace.errors.sys.exit", "given": []}, "no value of this version"),
        ({"function": "builtins.eval"}, "no value of this version"),
        ({"ufunc": "load"}, "NumPy does not have"),
        ({"pickle": "x"}, "an entry of the kind 'pickle'"),
        ({"class": "Name", "fields": {"later": 1}}, "written by a newer version"),
        ({"tuple": [{"@": 10**6}]}, "refers to what is not there"),
        ({"array": 10**6, "fixed": True}, "no file of interlace, or it is damaged"),
    ],
)
def test_nothing_else_is_named(entry: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = changed(tmp_path, lambda document: document["entries"].append(entry))
    with pytest.raises(SavingError, match=words):
        interlace.load(path)


def test_arrays_of_objects_are_not_unpickled(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda document: None)
    held = io.BytesIO()
    np.save(held, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("arrays/999.npy", held.getvalue())
    with zipfile.ZipFile(path) as archive:
        document = json.loads(archive.read(DOCUMENT))
        parts = {name: archive.read(name) for name in archive.namelist()}
    document["entries"].append({"array": 999, "fixed": False})
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in {**parts, DOCUMENT: json.dumps(document).encode()}.items():
            archive.writestr(name, part)
    with pytest.raises(SavingError, match="damaged"):
        interlace.load(path)


def test_sizes_of_cross_products_are_looked_at(tmp_path: Path) -> None:
    def shrink(document: dict[str, Any]) -> None:
        at = next(e["products"]["@"] for e in document["entries"] if "products" in e)
        document["entries"][at]["tuple"][2] = document["entries"][at]["tuple"][3]

    with pytest.raises(SavingError, match="do not fit each other"):
        interlace.load(changed(tmp_path, shrink))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(format=99), "has format 99, of interlace"),
        (lambda d: d.update(kind="something"), "was not written by m.save"),
        (lambda d: d.pop("value"), "damaged"),
    ],
)
def test_other_documents(change: Callable[[dict[str, Any]], None], words: str, tmp_path: Path) -> None:
    with pytest.raises(SavingError, match=words):
        interlace.load(changed(tmp_path, change))


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        interlace.load(tmp_path / "nothing")
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(SavingError, match="is no file of interlace"):
        interlace.load(tmp_path / "text")
    m = interlace.lmer("Reaction ~ Days + (1 | Subject)", SLEEP)
    with pytest.raises(DataError, match="cannot be written"):
        m.save(tmp_path / "no" / "folder")
    with pytest.raises(DataError, match="rows must be True or False"):
        m.save(tmp_path / "m", rows="no")


def test_values_of_every_kind() -> None:
    values = {
        "numbers": (1, 2.5, float("inf"), True, None, np.float64(2), np.int32(3)),
        "text": ["a", "ö"],
        "more": (frozenset({"x"}), slice(1, 5), pd.Timestamp("2026-11-28"), pd.Timedelta(3, "D")),
        "tables": [pd.DataFrame({"a": [1, 2]}, index=["x", "y"]), pd.Series([1.5], name="s")],
        "index": pd.MultiIndex.from_product([["a"], [1, 2]], names=["f", "g"]),
    }
    from interlace.storage.reader import Reader

    writer = Writer()
    root = writer.value(values)
    json.dumps(writer.entries, allow_nan=False)
    again = Reader(writer.entries, lambda i: writer.arrays[i].copy()).value(root)
    assert again["numbers"] == values["numbers"] and again["more"] == values["more"]
    assert again["tables"][0].equals(values["tables"][0]) and again["index"].equals(values["index"])
    with pytest.raises(SavingError, match=r"type builtins\.complex"):
        writer.value(1j)
