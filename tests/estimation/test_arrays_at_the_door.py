"""Arrays that the core takes and gives: those of NumPy in any order, and nothing that it cannot read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace import kernel

F = np.array([[2.0, 1.0, 0.5], [0.0, 1.5, 0.25], [1.0, 0.0, 3.0]])
EXPECTED = kernel.lower_factor(F)


def packed() -> Any:
    """Behind a byte in each record, so that no number is aligned."""
    records = np.zeros((3, 3), dtype=np.dtype([("flag", "i1"), ("value", "<f8")]))
    records["value"] = F
    return records["value"]


def read_only() -> Any:
    found = F.copy()
    found.flags.writeable = False
    return found


GIVEN = {
    "columns first": np.asfortranarray(F),
    "some of a larger one": np.pad(F, 2)[2:5, 2:5],
    "backwards": F[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": read_only(),
    "packed": packed(),
    "other bytes": F.astype(">f8"),
    "halved": F.astype(np.float32),
}


@pytest.mark.parametrize("name", GIVEN)
def test_any_array_of_numbers_is_read(name: str) -> None:
    try:
        found = kernel.lower_factor(GIVEN[name])
    except TypeError:  # what the core does not take it does not misread either
        assert name in ("packed", "other bytes")
        return
    np.testing.assert_allclose(found, EXPECTED, rtol=1e-6 if name == "halved" else 0)


@pytest.mark.parametrize("wrong", [None, 2.0, [[1.0]], "text", np.zeros(3), np.zeros((3, 3), dtype=object)])
def test_what_is_no_matrix_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError):
        kernel.lower_factor(wrong)


def test_what_comes_back_belongs_to_the_caller() -> None:
    found = kernel.lower_factor(F)
    assert type(found) is np.ndarray and found.dtype == np.float64 and found.flags.writeable
    found[:] = 0.0
    np.testing.assert_array_equal(kernel.lower_factor(F), EXPECTED)


@pytest.mark.parametrize("k", [0, 1, 22, 23, 40])
def test_small_and_large_ones_are_made_alike(k: int) -> None:
    """Up to some size they are copied into an array of NumPy's, and beyond it handed over."""
    root = np.tril(np.random.default_rng(k).normal(size=(k, k)))
    root[np.diag_indices(k)] = np.abs(root.diagonal()) + 1.0
    found = kernel.lower_factor(root)
    assert found.shape == (k, k) and found.flags.c_contiguous and found.flags.writeable
    np.testing.assert_allclose(found, root, rtol=1e-12, atol=1e-12)


def test_strided_columns_are_read_where_they_stand() -> None:
    table = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": [1.0, 3.0, 9.0]}).to_numpy()
    for column in (table[:, 1], table[::-1, 1], np.repeat(table[:, 1], 2)[::2]):
        assert kernel.scan(column) == (13.0, 91.0, 1.0, 9.0)


def test_an_array_outlives_the_call_that_looks_at_it() -> None:
    """What keeps rows keeps their arrays."""
    rng = np.random.default_rng(1)
    n, one = 12, np.zeros(1)
    rows: dict[str, Any] = {
        "y": rng.normal(size=n), "x": np.ones((n, 1)), "codes": [np.arange(n, dtype=np.int32) % 3],
        "z": [np.ones((n, 1))], "levels": [3], "w": None, "y_origin": 0.0, "x_origin": one, "z_origin": [one],
    }  # fmt: skip
    of = {"clusters": np.arange(n, dtype=np.int32) % 4, "n_clusters": 4, "beta": np.zeros(1)}
    of |= {"white": np.eye(1), "residual": [np.zeros((3, 1))], "columns": []}

    def made() -> Any:
        return kernel.Clusters(
            **{k: v.copy() if isinstance(v, np.ndarray) else v for k, v in (rows | of).items()}
        )

    clusters = made()
    expected = np.array([rows["y"][i::4].sum() for i in range(4)])
    np.testing.assert_allclose(np.asarray(clusters.scores()).ravel(), expected, rtol=1e-12)


class Making:
    """Makes an array whenever it is asked for one, and keeps none."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    @property
    def __array_struct__(self) -> Any:
        return self.values.copy().__array_struct__


def test_arrays_that_are_made_when_they_are_asked_for_are_held() -> None:
    column = np.arange(200_000.0)  # so large that its memory goes back to the system with it
    assert kernel.scan(Making(column)) == kernel.scan(column)
    square = np.linspace(1.0, 2.0, 250_000).reshape(500, 500)
    np.testing.assert_array_equal(kernel.lower_factor(Making(square)), kernel.lower_factor(square))


def test_integers_and_logicals_have_their_types() -> None:
    codes, levels = kernel.counted(np.array([5, 3, 5, 4], dtype=np.int64))
    assert (codes.dtype, codes.tolist()) == (np.int32, [2, 0, 2, 1])
    assert (levels.dtype, levels.tolist()) == (np.int64, [3, 4, 5])
    values = np.array([4, 9, 2], dtype=np.int64)
    looked = kernel.looked_up(values, 3, 2, np.array([7, 8], dtype=np.int32))
    assert (looked.dtype, looked.tolist()) == (np.int32, [8, -1, -1])
    assert kernel.looked_up(values, 3, 2, None).tolist() == [1, -1, -1]
    with pytest.raises(ValueError, match="another size"):
        kernel.looked_up(values, 3, 3, np.array([7, 8], dtype=np.int32))


def of_absorbed(codes: Any) -> None:
    kernel.absorbed([codes], [3], [None], [True], None)


def of_cells(codes: Any) -> None:
    kernel.cells([codes], [3], np.zeros(4), None, None, 0.0, 4)


def of_rows(codes: Any, clusters: Any = None) -> None:
    n, ones = len(codes), np.ones((len(codes), 1))
    kernel.Clusters(
        y=np.zeros(n), x=ones, codes=[codes], z=[ones], levels=[3], w=None, y_origin=0.0,
        x_origin=np.zeros(1), z_origin=[np.zeros(1)], clusters=codes if clusters is None else clusters,
        n_clusters=3, beta=np.zeros(1), white=np.eye(1), residual=[np.zeros((3, 1))], columns=[],
    )  # fmt: skip


def of_clusters(codes: Any) -> None:
    of_rows(np.zeros(4, dtype=np.int32), codes)


@pytest.mark.parametrize("look", [of_absorbed, of_cells, of_rows, of_clusters])
@pytest.mark.parametrize("code", [-1, 3])
@pytest.mark.parametrize("row", [0, 1, 3])
def test_codes_without_a_level_are_refused(look: Any, code: int, row: int) -> None:
    codes = np.array([0, 1, 2, 0], dtype=np.int32)
    look(codes)
    codes[row] = code
    with pytest.raises(ValueError, match=r"a (code|cluster) is out of range"):
        look(codes)
