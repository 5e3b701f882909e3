"""Tables of results: every column is printed, and what must be said about the numbers stands below them."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.tables.cells import NO_ROWS
from interlace.tables.markup import table_html
from interlace.tables.table import Table, Wide


@pytest.fixture(scope="module")
def singular() -> interlace.LinearMixedModel:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"y": rng.normal(size=40), "x": rng.normal(size=40), "g": np.arange(40) % 8})
    data["y"] -= data.groupby("g")["y"].transform("mean")
    model = interlace.lmer("y ~ x + (1 | g)", data)
    assert model.is_singular
    return model


TABLES: dict[str, Callable[[interlace.LinearMixedModel], Table]] = {
    "coef_table": lambda m: m.coef_table(),
    "anova": lambda m: m.anova(),
    "wald": lambda m: m.anova(test="wald"),
    "chisq": lambda m: m.anova(test="chisq"),
    "drop1": lambda m: m.drop1(),
    "lrt": lambda m: m.drop1(test="lrt"),
    "varcorr": lambda m: m.varcorr(),
    "varcorr_se": lambda m: m.varcorr(se=True),
    "ranova": lambda m: m.ranova(),
    "contrast": lambda m: m.contrast_test("x").rows,
    "compare": lambda m: interlace.compare(m, m.refit(reml=False)),
    "aic_table": lambda m: interlace.aic_table(m),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_result_is_a_table_that_prints_whole(singular: interlace.LinearMixedModel, name: str) -> None:
    table = TABLES[name](singular)
    assert type(table) is Table
    text, html = str(table), table._repr_html_()
    for column in table.columns:
        if column != "formula":  # above the numbers, one line for each
            assert re.search(rf"(^|\s){column}(\s|$)", text), column
        assert f">{column}</th>" in html or column == "formula"
    for words in (table.heading, table.note):
        assert "".join(words.split()) in "".join(text.split())


@pytest.mark.parametrize("name", ["coef_table", "anova", "drop1", "contrast"])
def test_a_singular_fit_is_said_wherever_its_degrees_of_freedom_are(
    singular: interlace.LinearMixedModel, name: str
) -> None:
    assert "the fit is singular" in TABLES[name](singular).note


def test_a_singular_fit_is_said_beside_its_variances(singular: interlace.LinearMixedModel) -> None:
    assert singular.varcorr().note.startswith("singular fit: ")


def test_the_note_is_part_of_results_for_json(singular: interlace.LinearMixedModel) -> None:
    assert singular.to_dict()["coefficients"]["note"] == singular.coef_table().note


def test_words_survive_pickles_and_copies() -> None:
    table = Table.of({"F": [1.0]}, ["x"], heading="Tests", note=["", "one", "", "two"])
    assert table.note == "one; two"
    for again in (pickle.loads(pickle.dumps(table)), copy.copy(table)):
        assert (again.attrs["heading"], again.attrs["note"]) == ("Tests", "one; two")


def test_what_is_made_of_a_table_is_plain() -> None:
    table = Table.of({"F": [1.23456789, 2.0], "p": [0.5, 1e-300]}, ["x", "z"])
    assert type(table[["F"]]) is type(table.round(2)) is type(table.loc[["x"]]) is Wide


def test_numbers_without_a_value() -> None:
    """Blank in tables of tests, NaN in tables of estimates."""
    assert "NaN" not in str(Table.of({"F": [np.nan, 2.0], "p": [np.nan, 0.1]}, ["x", "z"]))
    assert (
        str(Table.of({"estimate": [1.0, 2.0], "se": [np.nan, 1.0], "p": [np.nan, 0.1]}, "xz")).count("NaN")
        == 2
    )


def test_no_rows() -> None:
    empty = Table.of_rows([], ["F", "p"], [], heading="Tests")
    assert str(empty) == f"Tests\n{NO_ROWS}"
    assert NO_ROWS in empty._repr_html_()


def test_many_columns_are_all_printed() -> None:
    names = [f"column_{j}" for j in range(40)]
    table = Table.of({name: [float(j)] for j, name in enumerate(names)}, ["row"])
    assert all(name in str(table) for name in names)


def test_text_of_data_is_escaped() -> None:
    table = Table.of({"estimate": [1.0]}, ["<b>x</b>"], heading="<i>", note="<u>")
    assert not {"<b>", "<i>", "<u>"} & set(re.findall(r"<\w>", table._repr_html_()))


@pytest.mark.parametrize(("difference", "shown"), [(0.9e-13, "  0.0 0.5"), (1.1e-13, "1.1e-13")])
def test_differences_that_are_rounding_error(difference: float, shown: str) -> None:
    assert shown in str(Table.of({"estimate": [difference, 1.0], "se": [0.5, 0.5]}, ["zero", "one"]))


def test_a_sentence_in_a_cell_has_room_on_a_narrow_page() -> None:
    html = table_html("", ["", "reading"], [["a", "levels of the factor differ in variance"]], "ll")
    assert html.count("min-width") == 1 and "left; min-width: 14em" in html
