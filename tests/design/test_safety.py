"""A formula computes and does nothing else: no files, no programs, no attributes, no changes of the data."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace.cli import main
from interlace.design.encoding import Encoding
from interlace.errors import FormulaError, InterlaceError

MODULES = {"os": os, "np": np, "pd": pd, "subprocess": subprocess, "sys": sys, "Path": Path}


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "y": [1.0, 4, 2, 3, 7, 1, 5, 2],
            "x": [3.0, 1, 2, 5, 4, 9, 8, 7],
            "z": [1.0, 2, 1, 2, 1, 2, 3, 3],
            "f": pd.Categorical(list("ababbaab")),
            "g": [1, 1, 1, 1, 2, 2, 2, 2],
        }
    )


HOSTILE = [
    "x.to_csv('{file}')",
    "I(x.to_csv('{file}'))",
    "x.to_pickle('{file}')",
    "I(x.iloc.__setitem__(0, 5))",
    "x.values.tofile('{file}')",
    "np.savetxt('{file}', x)",
    "np.save('{file}', x)",
    "np.ndarray.tofile(x, '{file}')",
    "np.lib.npyio.save('{file}', x)",
    "open('{file}', 'w')",
    "os.system('touch {file}')",
    "os.mkdir('{file}')",
    "subprocess.run('touch {file}')",
    "sys.exit(3)",
    "eval('1 + 1')",
    "exec('x = 1')",
    "__import__('os').system('touch {file}')",
    "`__import__`('os')",
    "getattr(x, 'to_csv')('{file}')",
    "x.__class__",
    "I(x.__array__())",
    "I(().__class__.__bases__)",
    "(lambda: 1)()",
    "[i for i in x]",
    "x[0]",
    "pd.read_csv('{file}')",
    "pd.Series.to_csv(x, '{file}')",
    "Path('{file}').touch()",
    "I((x := 5))",
    "'{file}'.format(x)",
    "log(x, out=z)",
    "np.log(x, z)",
    "np.log(x, out=z)",
    "np.add(x, 1, z)",
    "np.exp(x, where=z)",
]


@pytest.mark.parametrize("rhs", HOSTILE)
@pytest.mark.parametrize(
    "place", ["y ~ x + {} + (1 | g)", "{} ~ x + (1 | g)", "y ~ x + offset({}) + (1 | g)", "y ~ (1 | {})"]
)
def test_refused_in_words_and_without_effect(rhs: str, place: str, tmp_path: Path) -> None:
    file = tmp_path / "touched"
    data, before = table(), table()
    with pytest.raises(InterlaceError):
        Encoding.learn(place.format(rhs.format(file=file)), data, context=MODULES)
    assert not file.exists()
    pd.testing.assert_frame_equal(data, before)


@pytest.mark.parametrize("rhs", HOSTILE)
def test_the_command_line_refuses_too(rhs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "touched"
    table().to_csv(tmp_path / "data.csv", index=False)
    code = main(["fit", f"y ~ x + {rhs.format(file=file)} + (1 | g)", str(tmp_path / "data.csv")])
    assert code != 0 and not file.exists()
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["main", "read_data", "print", "json", "Path", "warnings", "arguments", "model_of"]
)
def test_the_command_line_has_no_functions_of_its_own(name: str, tmp_path: Path, capsys: Any) -> None:
    table().to_csv(tmp_path / "data.csv", index=False)
    for rhs in (f"{name}(x)", f"I(x + {name})"):
        assert main(["fit", f"y ~ {rhs} + (1 | g)", str(tmp_path / "data.csv")]) != 0
        assert f"'{name}'" in capsys.readouterr().err


def test_two_arguments_of_functions_never_overwrite() -> None:
    data, before = table(), table()
    for rhs in ("log(x, z)", "sqrt(x, z)", "abs(x, z)", "exp(x, z)", "round(x, z)", "floor(x, z)"):
        with contextlib.suppress(InterlaceError):
            Encoding.learn(f"y ~ {rhs} + (1 | g)", data)
        pd.testing.assert_frame_equal(data, before)


def test_functions_of_the_caller_get_copies() -> None:
    def spoil(x: Any) -> Any:
        values = np.asarray(x).copy()
        if isinstance(x, pd.Series) and x.dtype.kind == "f":
            x[:] = 0.0
        return values

    def spoil_codes(f: Any) -> Any:
        values = (f == "a").to_numpy(float)
        f.iloc[:] = "a"
        return values

    data, before = table(), table()
    arrays = {name: data[name].to_numpy() for name in ("y", "x", "z", "g")}
    context = {"spoil": spoil, "spoil_codes": spoil_codes}
    formula = "y ~ spoil(x) + spoil_codes(f) + (1 | g)"
    encoding, design = Encoding.learn(formula, data, context=context)
    pd.testing.assert_frame_equal(data, before)
    np.testing.assert_array_equal(design.X[:, 1], before["x"])
    encoding.design(data)
    Encoding.learn("spoil(y) ~ spoil(z) + (1 | g)", arrays, context=context)
    for name, values in arrays.items():
        np.testing.assert_array_equal(values, before[name])


def test_functions_by_name_and_of_numpys_kind_are_there() -> None:
    def double(x: Any) -> Any:
        return 2 * x

    context = {"double": double, "np": np}
    encoding, design = Encoding.learn(
        "y ~ double(x) + np.log(z) + I(z^2 * np.pi) + (1 | g)", table(), context=context
    )
    np.testing.assert_allclose(design.X[:, 1], 2 * table()["x"])
    np.testing.assert_allclose(design.X[:, 2], np.log(table()["z"]))
    np.testing.assert_allclose(design.X[:, 3], table()["z"] ** 2 * np.pi)
    assert set(encoding.context) == {"double", "np.log", "np.pi"}


@pytest.mark.parametrize("name", ["__builtins__", "__name__", "print", "getattr", "vars"])
def test_names_of_python_are_nobodys(name: str) -> None:
    context = {"__builtins__": max, "__name__": max}
    with pytest.raises(FormulaError, match=f"'{name}'"):
        Encoding.learn(f"y ~ {name}(x) + (1 | g)", table(), context=context)
