"""Cross-products that grow chunk by chunk are those of all rows at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from interlace import kernel
from interlace.design.joining import first_of_codes

LEVELS, K = (40, 25, 6), (2, 1, 1)


def rows(n: int, p: int = 3, seed: int = 1) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "y": rng.normal(size=n),
        "x": rng.normal(size=(n, p)),
        "codes": [rng.integers(levels, size=n, dtype=np.int32) for levels in LEVELS],
        "z": [rng.normal(size=(n, k)) for k in K],
        "levels": list(LEVELS),
        "w": rng.uniform(0.5, 2.0, size=n),
        "y_origin": 0.3,
        "x_origin": np.full(p, 0.1),
        "z_origin": [np.full(k, 0.2) for k in K],
    }


def some(all_rows: dict[str, Any], part: slice) -> dict[str, Any]:
    out = dict(all_rows)
    for name in ("y", "x", "w"):
        out[name] = all_rows[name][part]
    for name in ("codes", "z"):
        out[name] = [np.ascontiguousarray(one[part]) for one in all_rows[name]]
    return out


@pytest.mark.parametrize("size", [1, 7, 250, 1000, 1001])
@pytest.mark.parametrize("p", [3, 14])
def test_chunks_are_the_whole(size: int, p: int) -> None:
    everything = rows(1000, p)
    whole = kernel.accumulate(**everything)
    growing = kernel.Accumulation(**some(everything, slice(0, 0)))
    for start in range(0, 1000, size):
        growing.add(**some(everything, slice(start, start + size)))
    found = growing.take()
    assert found.n == whole.n
    assert found.sum_log_w == pytest.approx(whole.sum_log_w, rel=1e-13)
    np.testing.assert_allclose(found.xx, whole.xx, rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(found.xy, whole.xy, rtol=1e-12, atol=1e-11)
    for f in range(3):
        np.testing.assert_allclose(found.zz_diagonal(f), whole.zz_diagonal(f), rtol=1e-12, atol=1e-12)
        for g in range(f):
            ptr, col, values = found.zz_pair(g, f)
            known = whole.zz_pair(g, f)
            np.testing.assert_array_equal(ptr, known[0])
            np.testing.assert_array_equal(col, known[1])
            np.testing.assert_allclose(values, known[2], rtol=1e-12, atol=1e-12)


def test_rows_of_another_design_are_refused() -> None:
    growing = kernel.Accumulation(**rows(10))
    with pytest.raises(ValueError, match="another design"):
        growing.add(**rows(10, p=2))


def test_the_first_of_each_code() -> None:
    codes = np.array([3, -1, 3, 0, 0, -1, 5], dtype=np.int32)
    assert sorted(first_of_codes(codes, 6).tolist()) == [0, 1, 3, 6]
    assert first_of_codes(codes[:0], 0).tolist() == []
