"""`demean` on tables of every kind, beside fixest, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace import demean
from interlace.design.absorbing import learn_absorbed, parse_term
from interlace.design.frame import Frame
from interlace.errors import DataError
from interlace.estimation.absorbed import Absorbed
from reference_data import load_case, load_data, named


@pytest.fixture
def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n = 60
    table = pd.DataFrame({"y": rng.normal(size=n), "x": rng.normal(size=n), "k": rng.integers(0, 9, n)})
    table["g"] = rng.choice(list("abcd"), n)
    table["h"] = pd.Categorical(rng.choice(["u", "v", "w"], n), categories=["w", "v", "u", "never"])
    table["w"] = rng.uniform(0.5, 2.0, n)
    table["when"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 3, n), unit="D")
    table.index = pd.Index(np.arange(n)[::-1], name="row")
    return table


def dense(data: pd.DataFrame, columns: list[str], D: list[np.ndarray], w: Any = 1.0) -> np.ndarray:
    root = np.sqrt(np.broadcast_to(w, len(data)))[:, None]
    V, X = data[columns].to_numpy(), np.hstack(D)
    return V - X @ np.linalg.lstsq(root * X, root * V, rcond=1e-11)[0]


def dummies(column: Any) -> np.ndarray:
    return pd.get_dummies(pd.Series(np.asarray(column))).to_numpy(dtype=float)


class TestFactors:
    def test_one(self, data: pd.DataFrame) -> None:
        found = demean(data, "y", "g")
        np.testing.assert_allclose(
            found["y"], data["y"] - data.groupby("g")["y"].transform("mean"), atol=1e-14
        )

    def test_several_of_every_type(self, data: pd.DataFrame) -> None:
        names = ["g", "h", "k", "when"]
        found = demean(data, ["y", "x"], names)
        expected = dense(data, ["y", "x"], [dummies(data[name]) for name in names])
        np.testing.assert_allclose(found.to_numpy(), expected, atol=1e-12)

    @pytest.mark.parametrize("text", ["g:k", "g^k", " g : k "])
    def test_combinations(self, data: pd.DataFrame, text: str) -> None:
        expected = dense(data, ["y"], [dummies(data["g"] + data["k"].astype(str)), dummies(data["h"])])
        np.testing.assert_allclose(demean(data, ["y"], [text, "h"]).to_numpy(), expected, atol=1e-12)

    def test_slopes(self, data: pd.DataFrame) -> None:
        g, x = dummies(data["g"]), data["x"].to_numpy()[:, None]
        both = demean(data, "y", ["g[x]", "k"]).to_numpy()
        np.testing.assert_allclose(both, dense(data, ["y"], [g, g * x, dummies(data["k"])]), atol=1e-12)
        alone = demean(data, "y", ["g[[x]]", "k"]).to_numpy()
        np.testing.assert_allclose(alone, dense(data, ["y"], [g * x, dummies(data["k"])]), atol=1e-12)
        several = demean(data, "y", "g[x, k]").to_numpy()
        k = data["k"].to_numpy()[:, None]
        np.testing.assert_allclose(several, dense(data, ["y"], [g, g * x, g * k]), atol=1e-12)

    def test_weights(self, data: pd.DataFrame) -> None:
        expected = dense(data, ["y"], [dummies(data["g"]), dummies(data["k"])], data["w"].to_numpy())
        for weights in ("w", data["w"], data["w"].to_numpy(), data["w"].tolist()):
            np.testing.assert_allclose(demean(data, "y", ["g", "k"], weights=weights), expected, atol=1e-12)

    def test_a_column_whose_name_looks_like_a_formula_is_that_column(self, data: pd.DataFrame) -> None:
        named = data.rename(columns={"h": "g:k"})
        pd.testing.assert_frame_equal(demean(named, "y", "g:k"), demean(data, "y", "h"))

    def test_whole_floats_are_labels(self, data: pd.DataFrame) -> None:
        floats = data.assign(k=data["k"].astype(float))
        pd.testing.assert_frame_equal(demean(floats, "y", "k"), demean(data, "y", "k"))

    def test_integers_and_truth_values_are_numbers(self, data: pd.DataFrame) -> None:
        found = demean(data.assign(b=data["x"] > 0), ["k", "b"], "g")
        assert (found.dtypes == np.float64).all() and abs(
            found.groupby(data["g"]).sum()
        ).to_numpy().max() < 1e-12

    def test_one_row(self) -> None:
        assert demean({"y": [3.0], "g": ["a"]}, "y", "g")["y"].tolist() == [0.0]


class TestTables:
    def test_pandas_keeps_its_index(self, data: pd.DataFrame) -> None:
        found = demean(data, ["x", "y"], "g")
        assert (
            list(found.columns) == ["x", "y"] and found.index.equals(data.index) and found.index.name == "row"
        )

    def test_the_data_are_left_alone(self, data: pd.DataFrame) -> None:
        before = data.copy(deep=True)
        found = demean(data, "y", "g")
        found.loc[:, "y"] = 0.0
        pd.testing.assert_frame_equal(data, before)

    def test_polars(self, data: pd.DataFrame) -> None:
        polars = pytest.importorskip("polars")
        found = demean(polars.from_pandas(data), ["y", "x"], ["g", "k"])
        assert isinstance(found, polars.DataFrame) and found.columns == ["y", "x"]
        np.testing.assert_array_equal(found.to_numpy(), demean(data, ["y", "x"], ["g", "k"]).to_numpy())

    def test_pyarrow(self, data: pd.DataFrame) -> None:
        pyarrow = pytest.importorskip("pyarrow")
        found = demean(pyarrow.Table.from_pandas(data), "y", "h")
        assert isinstance(found, pyarrow.Table)
        np.testing.assert_array_equal(found["y"].to_numpy(), demean(data, "y", "h")["y"])

    def test_a_mapping(self, data: pd.DataFrame) -> None:
        found = demean({"y": data["y"].to_numpy(), "g": data["g"].tolist()}, "y", "g")
        np.testing.assert_array_equal(found["y"], demean(data, "y", "g")["y"])


class TestErrors:
    @pytest.mark.parametrize(
        ("columns", "factors", "options", "message"),
        [
            ("z", "g", {}, "no column 'z'"),
            ("y", "gg", {}, r"no column 'gg'; did you mean"),
            ("y", "g:kk", {}, r"no column 'kk', which the factor 'g:kk' names; did you mean 'k'"),
            ("y", "g[xx]", {}, "no column 'xx'"),
            ("y", "g[x", {}, "no column 'g"),
            ("y", "g[[x]", {}, "no column 'g"),
            ("y", "g[]", {}, "no column"),
            ("y", "", {}, "no column ''"),
            ("g", "k", {}, r"'g' holds text or categories, and only numbers can be demeaned: .*to_numeric"),
            ("when", "k", {}, "'when' holds values of type datetime64"),
            (
                "y",
                "g[h]",
                {},
                "'h' holds text or categories, and only numbers can have a slope in each level",
            ),
            ("y", "x", {}, r"the factor 'x' holds numbers that are not whole, such as .* in row 0"),
            ("y", "g:x", {}, r"the factor 'x' holds numbers that are not whole"),
            ([], "g", {}, r"columns must be a name or a list of names, not \[\]"),
            ("y", [], {}, "factors must be a name or a list of names"),
            ("y", None, {}, "factors must be a name or a list of names, not None"),
            ("y", 3, {}, "factors must be a name or a list of names, not 3"),
            ("y", ["g", 3], {}, "factors must be a name or a list of names"),
            (["y", "y"], "g", {}, "columns names 'y' more than once"),
            ("y", ["g", "g"], {}, "factors names 'g' more than once"),
            ("y", "g", {"weights": "x"}, "weights 'x' must be positive and finite"),
            ("y", "g", {"weights": "g"}, "weights 'g' must be numeric"),
            ("y", "g", {"weights": [1.0]}, "weights has 1 values, the data have 60 rows"),
            ("y", "g", {"weights": 2.0}, "weights must be a column name or one value per row"),
            ("y", "g", {"n_jobs": 0}, "n_jobs must be a positive number"),
        ],
    )
    def test_refused(
        self, data: pd.DataFrame, columns: Any, factors: Any, options: dict, message: str
    ) -> None:
        with pytest.raises(DataError, match=message):
            demean(data, columns, factors, **options)

    @pytest.mark.parametrize(("column", "gap"), [("y", np.nan), ("g", None), ("h", np.nan), ("w", np.nan)])
    def test_missing_values(self, data: pd.DataFrame, column: str, gap: Any) -> None:
        data.iloc[[3, 5], data.columns.get_loc(column)] = gap
        message = rf"\('?weights|'{column}' 2\)|'{column}' is missing in 2 rows"
        with pytest.raises(DataError, match=message):
            demean(data, "y", ["g", "h"], weights="w")
        demean(data.dropna(), "y", ["g", "h"], weights="w")

    def test_infinite_values(self, data: pd.DataFrame) -> None:
        data.iloc[7, 0] = np.inf
        with pytest.raises(DataError, match="'y' is inf at row 7"):
            demean(data, "y", "g")

    def test_no_rows(self, data: pd.DataFrame) -> None:
        with pytest.raises(DataError, match="the data have no rows"):
            demean(data.iloc[:0], "y", "g")

    def test_no_table(self) -> None:
        with pytest.raises(DataError, match="the data are of type list"):
            demean([1, 2], "y", "g")

    def test_an_option_that_is_not_there(self, data: pd.DataFrame) -> None:
        with pytest.raises(TypeError, match="weights"):
            demean(data, "y", "g", weight="w")  # type: ignore[call-arg]


FIXEST = load_case("fixest", "fixest_small")["feols"]


class TestBesideFixest:
    """Coefficients of R's fixest by least squares of demeaned columns, and its number of parameters."""

    @pytest.mark.parametrize(
        ("case", "factors", "weights"),
        [
            ("fe1", ["id"], None),
            ("fe2", ["id", "firm"], None),
            ("fe3", ["id", "firm", "year"], None),
            ("slope", ["id", "firm[x2]"], None),
            ("combined", ["id", "firm^year"], None),
            ("fe2_weights", ["id", "firm"], "w"),
        ],
    )
    def test_coefficients(self, case: str, factors: list[str], weights: str | None) -> None:
        expected = FIXEST[case]["coef"]
        data = load_data("fe_small")
        within = demean(data, ["y", *expected["names"]], factors, weights=weights).to_numpy()
        root = 1.0 if weights is None else np.sqrt(data[weights].to_numpy())[:, None]
        beta = np.linalg.lstsq(root * within[:, 1:], (root * within)[:, 0], rcond=None)[0]
        np.testing.assert_allclose(beta, expected["values"], rtol=1e-8)

    @pytest.mark.parametrize(
        ("case", "factors"),
        [("fe2", ["id", "firm"]), ("fe3", ["id", "firm", "year"]), ("slope", ["id", "firm[x2]"])],
    )
    def test_rank_and_effects(self, case: str, factors: list[str]) -> None:
        """Without the three people who have one row, which fixest leaves out."""
        reference = FIXEST[case]
        data = load_data("fe_small")
        data = data[~data["id"].isin([201, 202, 203])]
        frame = Frame.read(data)
        absorbed = Absorbed(learn_absorbed(frame, [parse_term(text, frame.names) for text in factors]))
        names, beta = reference["coef"]["names"], np.array(reference["coef"]["values"])
        assert absorbed.nrows == reference["nobs"]
        assert absorbed.rank + len(names) == reference["nparams"]
        rest = data["y"].to_numpy() - data[names].to_numpy() @ beta
        residuals = absorbed.residuals(rest[:, None]).values[:, 0]
        head = np.array(reference["resid"]["head"])
        np.testing.assert_allclose(residuals[: len(head)], head, atol=1e-9)
        if case == "slope":
            return  # fixest's effects stop 6e-7 from those of dense least squares, and ours 1e-14
        firm = absorbed.effects(rest[:, None]).estimates[1][:, 0, 0]
        given = named(reference["fixef"]["firm"])
        given.index = given.index.astype(int)
        levels = absorbed.factors[1].grouping.levels
        np.testing.assert_allclose(firm, (given - given.loc[levels[0]]).loc[levels], atol=1e-7)


def test_the_name_is_public() -> None:
    assert "demean" in interlace.__all__ and interlace.demean is demean
