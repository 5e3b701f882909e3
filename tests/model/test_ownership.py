"""A model is its own: nothing the caller does to the data, or to what a model gave, changes an answer."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import interlace

N, GROUPS = 120, 12
FORMULA = "y ~ x + k + f + log(v) + offset(o) + (1 + x | g)"
NAMES = ("y", "x", "k", "v", "o", "g", "w")


def arrays() -> dict[str, np.ndarray]:
    """Arrays that tables are made of, most of them without a copy."""
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(GROUPS, dtype=np.int32), N // GROUPS)
    x = rng.normal(size=N)
    y = 1 + x + rng.normal(size=GROUPS)[g] + rng.normal(size=GROUPS)[g] * x + rng.normal(size=N)
    k = rng.integers(0, 5, N)
    return {
        "y": y,
        "x": x,
        "k": k,
        "f": np.resize(np.arange(3, dtype=np.int32), N),
        "v": rng.uniform(1, 2, N),
        "o": rng.uniform(0, 1, N),
        "g": g,
        "w": rng.uniform(1, 2, N),
    }


LEVELS = ["a", "b", "c"]


def as_pandas(a: dict[str, np.ndarray]) -> pd.DataFrame:
    data = pd.DataFrame({name: pd.Series(a[name], copy=False) for name in NAMES}, copy=False)
    data.index = pd.Index(np.arange(N) + 100)
    return data.assign(f=pd.Categorical.from_codes(a["f"], LEVELS))


def as_pandas_nullable(a: dict[str, np.ndarray]) -> pd.DataFrame:
    whole = np.zeros(N, dtype=bool)
    floats = {n: pd.arrays.FloatingArray(a[n], whole) for n in ("y", "x", "v", "o", "w")}
    integers = {n: pd.arrays.IntegerArray(a[n], whole) for n in ("k", "g")}
    return pd.DataFrame({**floats, **integers, "f": pd.Categorical.from_codes(a["f"], LEVELS)}, copy=False)


def as_pandas_arrow(a: dict[str, np.ndarray]) -> pd.DataFrame:
    return as_arrow(a).to_pandas(types_mapper=pd.ArrowDtype)


def as_arrow(a: dict[str, np.ndarray]) -> pa.Table:
    table = pa.table({name: pa.array(a[name]) for name in NAMES})
    return table.append_column("f", pa.DictionaryArray.from_arrays(pa.array(a["f"]), pa.array(LEVELS)))


def as_polars(a: dict[str, np.ndarray]) -> pl.DataFrame:
    f = pl.Series(np.array(LEVELS, dtype=object)[a["f"]].tolist(), dtype=pl.Enum(LEVELS))
    return pl.DataFrame({name: pl.Series(name, a[name]) for name in NAMES}).with_columns(f.alias("f"))


def as_mapping(a: dict[str, np.ndarray]) -> dict[str, Any]:
    return {**a, "f": pd.Categorical.from_codes(a["f"], LEVELS)}


def as_structured(a: dict[str, np.ndarray]) -> np.ndarray:
    data = np.empty(N, dtype=[(name, a[name].dtype) for name in NAMES] + [("f", "U1")])
    for name in NAMES:
        data[name] = a[name]
    data["f"] = np.array(LEVELS)[a["f"]]
    return data


def as_narwhals(a: dict[str, np.ndarray]) -> Any:
    return nw.from_native(as_arrow(a))


MAKERS: list[Callable[[dict[str, np.ndarray]], Any]] = [
    as_pandas,
    as_pandas_nullable,
    as_pandas_arrow,
    as_arrow,
    as_polars,
    as_mapping,
    as_structured,
    as_narwhals,
]


def answers(m: interlace.LinearMixedModel, new: dict[str, Any]) -> dict[str, Any]:
    """What every method says."""
    y = np.asarray(m.simulate(1, seed=3)[_first(m.simulate(1, seed=3))])
    return {
        "summary": str(m.summary()),
        "print": repr(m),
        "coefficients": m.coef_table(),
        "fitted": np.asarray(m.fitted),
        "residuals": np.asarray(m.residuals("standardized")),
        "vcov": [m.vcov(kind) for kind in ("model", "CR0", "CR2")],
        "clusters": m.vcov("CR1", cluster="g"),
        "anova": [m.anova(type=t) for t in (1, 2, 3)],
        "drop1": [m.drop1(), m.drop1(test="lrt")],
        "ranova": m.ranova(),
        "kenward_roger": m.coef_table(ddf="kenward-roger"),
        "explained": [*m.r2().values(), m.icc()["adjusted"]],
        "varcorr": m.varcorr(se=True).select_dtypes("number"),
        "ranef": m.ranef(condvar=True)["g"],
        "coef": m.coef()["g"],
        "condvar": m.condvar()["g"],
        "predicted": m.predict(new, offset=np.zeros(2)),
        "simulated": y,
        "ml": str(m.refit(reml=False)),
        "other": str(m.refit(y)),
        "facts": [m.loglik, m.deviance, m.aic, m.bic, m.sigma, *m.theta, *m.fixef, *m.se],
    }


def _first(table: Any) -> str:
    return next(iter(getattr(table, "column_names", None) or table.columns))


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    for name, value in before.items():
        if isinstance(value, str):
            assert after[name] == value, name
        else:
            pairs = (
                zip(value, after[name], strict=True) if isinstance(value, list) else [(value, after[name])]
            )
            for one, other in pairs:
                np.testing.assert_array_equal(np.asarray(one), np.asarray(other), err_msg=name)


def spoil(data: Any, a: dict[str, np.ndarray]) -> None:
    """Everything that can be written to is: the table, and the arrays that it was made of."""
    if isinstance(data, pd.DataFrame):
        for name in NAMES:
            data.loc[data.index[:30], name] = 9
        data.loc[data.index[:30], "f"] = "a"
        data.index.name = "spoilt"
    if isinstance(data, np.ndarray):
        data[:30] = data[-1]
    for array in a.values():
        array.flags.writeable = True
        array[:30] = array[-1]


@pytest.mark.parametrize("make", MAKERS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dropped", [False, True], ids=["whole", "a row dropped"])
def test_what_the_caller_changes_later_does_not_matter(
    make: Callable[[dict[str, np.ndarray]], Any], dropped: bool
) -> None:
    a = arrays()
    if dropped:
        a["x"][7] = np.nan
    data, weights, offset = make(a), a["w"], a["o"].copy()
    m = interlace.lmer(FORMULA, data, weights=weights, offset=offset)
    new = {"x": [0.0, 1], "k": [1, 2], "f": ["a", "b"], "v": [1.5, 1.5], "o": [0, 0], "g": [1, 2]}
    before = answers(m, new)
    spoil(data, {**a, "offset": offset})
    assert_same(before, answers(m, new))


def test_what_a_formula_names_of_the_callers_can_be_changed() -> None:
    data = as_pandas(arrays())
    knots, among, coding = np.array([-0.5, 0.5]), [1, 3], np.array([[0.0, 0], [1, 0], [0, 1]])
    formula = "y ~ ns(x, knots=knots) + I(k %in% among) + f + (1 | g)"
    m = interlace.lmer(formula, data, contrasts={"f": coding})
    predicted, tests = m.predict(data), m.drop1()
    knots[:], among[0], coding[:] = 0.0, 4, 9.0
    np.testing.assert_array_equal(m.predict(data), predicted)
    np.testing.assert_array_equal(m.drop1(), tests)


def test_the_tables_were_made_without_a_copy() -> None:
    # Else the test above shows less than it seems to.
    a = arrays()
    frames = [as_pandas(a), as_arrow(a), as_pandas_nullable(a)]
    spoil(None, a)
    assert [float(np.asarray(data["x"])[0]) for data in frames] == [a["x"][-1]] * 3


def test_what_a_model_gave_can_be_changed() -> None:
    a = arrays()
    m = interlace.lmer(FORMULA, as_pandas(a))
    new = {"x": [0.0, 1], "k": [1, 2], "f": ["a", "b"], "v": [1.5, 1.5], "o": [0, 0], "g": [1, 2]}
    before = answers(m, new)
    for table in (m.fixef, m.se, m.residuals(), m.fitted, m.predict(), m.vcov(), m.vcov("CR2"), m.ranova()):
        table.iloc[:1] = 99.0
        table.index.name = "spoilt"
    for table in (m.ranef()["g"], m.coef()["g"], m.coef_table(), m.anova(), m.drop1(), m.varcorr()):
        table.iloc[:, -1] = 99.0
        table.index.name = "spoilt"
    for array in (m.theta, m.condvar()["g"]):
        array[:] = 99.0
    for mapping in (m.ngroups, m.r2(), m.icc()):
        mapping.clear()
    summary = m.summary()
    summary.coefficients.iloc[:] = 99.0
    summary.correlation.iloc[:] = 99.0
    assert_same(before, answers(m, new))


def test_rows_of_a_model_are_read_only() -> None:
    m = interlace.lmer(FORMULA, as_pandas(arrays()), weights="w")
    design = m.fit.design
    held = [design.y, design.X, design.weights, design.offset]
    held += [array for rows in design.random for array in (rows.codes, rows.z)]
    for array in held:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_copies_and_pickles_stay_the_model() -> None:
    m = interlace.lmer(FORMULA, as_pandas(arrays()))
    for other in (copy.copy(m), copy.deepcopy(m)):
        assert str(other.summary()) == str(m.summary())


def test_numbers_are_held_once() -> None:
    a = arrays()
    design = interlace.lmer("y ~ x + k + (1 | g)", as_pandas(a)).fit.design
    columns = design.frame.columns
    assert np.shares_memory(columns["y"], design.y)
    assert np.shares_memory(columns["x"], design.X) and np.shares_memory(columns["k"], design.X)
    assert columns["g"].codes is design.random[0].codes


PEAK = """
import resource, sys
import numpy as np, pandas as pd
import interlace
n = 2_000_000
rng = np.random.default_rng(1)
a = np.repeat(np.arange(n // 500), 500)
b = np.repeat(np.arange(n // 50), 50)
x = rng.normal(size=n)
data = pd.DataFrame({"y": x + rng.normal(size=n // 500)[a] + rng.normal(size=n), "x": x, "a": a, "b": b})
small = data.iloc[:5000]
interlace.lmer("y ~ x + (1 | a/b)", small)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
m = interlace.lmer("y ~ x + (1 | a/b)", data)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / n)
"""


@pytest.mark.slow
def test_memory_for_each_row() -> None:
    """Bytes a row, of 32 that the table has: y 8, X 16, z 8 (shared by a and a:b), codes 2 x 4, the column b
    8, and what the products and codes need on the way."""
    done = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 100


@pytest.mark.parametrize("formula", ["y ~ yes + (1 | g)", "y ~ yes * x + (x | g)"])
def test_a_logical_column_stays_logical(formula: str) -> None:
    """It has one column of X, which is not the column of the table: terms are found in the table again."""
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"y": rng.normal(size=60), "x": rng.normal(size=60), "g": np.arange(60) % 6})
    data["yes"] = rng.random(60) < 0.4
    m = interlace.lmer(formula, data)
    assert m.fit.design.frame.columns["yes"].dtype == bool
    texts = data.assign(yes=np.where(data["yes"], "true", "false"))
    for kind in (1, 2, 3):
        expected = interlace.lmer(formula, texts).anova(type=kind)
        np.testing.assert_allclose(m.anova(type=kind), expected, rtol=1e-6)
    np.testing.assert_allclose(m.predict(data), m.fitted)
