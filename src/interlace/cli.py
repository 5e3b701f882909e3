"""The command `interlace`: fit a model to a file and print what was found."""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
import zlib
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn, TextIO

import pandas as pd

from interlace import datasets
from interlace.design.design import Source
from interlace.design.queries import chunks
from interlace.errors import DataError, InterlaceError, InterlaceWarning
from interlace.estimation.solver import KINDS as SOLVERS
from interlace.estimation.solver import Solver
from interlace.inference.emmeans import EMMeans
from interlace.inference.means_list import MeansList
from interlace.model import LinearMixedModel
from interlace.model.with_absorbed import model_of
from interlace.options import TYPES, type_number, word
from interlace.precision.df import WORDS
from interlace.precision.robust import MODEL
from interlace.precision.sandwiches import KINDS
from interlace.refitting.specification import MixedSpecification
from interlace.report.results import plain
from interlace.tables.table import Table

BAD_INPUT = 2
INTERRUPTED = 130
PARQUET = (".parquet", ".pq")
TAB_SEPARATED = (".tsv", ".tsv.gz", ".tab")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 0, 2 for bad input, 130 when interrupted."""
    try:
        arguments = _parser().parse_args(argv)
        arguments.run(arguments)
        sys.stdout.flush()
    except InterlaceError as error:
        print(f"interlace: error: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("interlace: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as in `interlace fit ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


class _Parser(argparse.ArgumentParser):
    """Errors of usage in one line, like every other error of the command."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"interlace: error: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="interlace", description="Linear mixed-effects models.")
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    fit = commands.add_parser("fit", help="fit a model and print its summary", description=_fit.__doc__)
    fit.add_argument("formula", metavar="FORMULA", help="such as 'Reaction ~ Days + (Days | Subject)'")
    fit.add_argument(
        "data",
        metavar="DATA",
        help="a CSV (also .gz) or Parquet file, a pattern such as 'data/*.csv' for files that are read in "
        "chunks, or the name of a shipped data set",
    )
    fit.add_argument("--ml", action="store_true", help="maximum likelihood in place of REML")
    fit.add_argument(
        "--ddf",
        default=None,
        type=_meant(WORDS, lambda given: word("ddf", given, WORDS)),
        choices=WORDS,
        help="degrees of freedom of the tests (default: satterthwaite; asymptotic with --solver iterative)",
    )
    fit.add_argument(
        "--vcov",
        default=MODEL,
        type=_meant((MODEL, *KINDS), lambda given: word("vcov", given, (MODEL, *KINDS))),
        choices=(MODEL, *KINDS),
        help="covariance of the coefficients: the model's, or a cluster-robust one (default: model)",
    )
    fit.add_argument(
        "--anova",
        type=_meant(TYPES, type_number),
        choices=TYPES,
        help="add the ANOVA table of this type, tests by --ddf",
    )
    fit.add_argument(
        "--emmeans", metavar="SPECS", help="add marginal means, such as those of 'A', 'A * B' or 'A | B'"
    )
    fit.add_argument("--pairs", action="store_true", help="add all differences of the means of --emmeans")
    fit.add_argument("--weights", metavar="COLUMN", help="column of prior weights")
    fit.add_argument(
        "--solver",
        default="auto",
        type=_meant(SOLVERS, lambda given: word("solver", given, SOLVERS)),
        choices=SOLVERS,
        help="how the system of the random effects is solved (default: auto, exact where there is room)",
    )
    fit.add_argument(
        "--json", metavar="FILE", help="write all results as JSON; '-' prints them in place of the summary"
    )
    fit.set_defaults(run=_fit)
    return parser


def _meant(known: Sequence[Any], read: Callable[[str], Any]) -> Callable[[str], Any]:
    """What is meant by a word, as everywhere in the library; other words are refused with those known."""

    def converted(given: str) -> Any:
        try:
            return read(given)
        except DataError as error:
            choices = ", ".join(map(str, known))
            raise argparse.ArgumentTypeError(f"{given!r} is not known: choose from {choices}") from error

    return converted


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "nargs": 0, "help": "print the version"})

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> NoReturn:
        from interlace.version import installed_version

        print(f"interlace {installed_version()}")
        parser.exit()


def _tests(arguments: argparse.Namespace) -> dict[str, Any]:
    """How coefficients are tested; the model knows its degrees of freedom where none are asked for."""
    asked = {} if arguments.ddf is None else {"ddf": arguments.ddf}
    return {**asked, "vcov": arguments.vcov}


def _fit(arguments: argparse.Namespace) -> None:
    """Fit a linear mixed model and print its summary."""
    data = read_data(arguments.data)
    with warnings.catch_warnings():
        warnings.simplefilter("always", InterlaceWarning)
        warnings.showwarning = _show_warning
        # No context: a formula from outside knows the documented functions and no others.
        asked = MixedSpecification(
            Source(data),
            weights=arguments.weights,
            reml=not arguments.ml,
            solver=Solver(arguments.solver),
            data_name=arguments.data,
        )
        model = model_of(asked.fit(arguments.formula), asked)
    tests = _tests(arguments)
    table = None if arguments.anova is None else model.anova(type=arguments.anova, **tests)
    means = _means(model, arguments)
    if arguments.json is not None:
        found = model.to_dict(**tests)
        if table is not None:
            found["anova"] = plain(
                {"type": arguments.anova, "terms": table.index, **dict(table), "note": table.note}
            )
        found |= {name: plain({**dict(shown), "note": shown.note}) for name, shown in _tables(means).items()}
        _write(arguments.json, json.dumps(found, indent=1, allow_nan=False, ensure_ascii=False))
    if arguments.json != "-":
        print(model.summary(**tests))
        if table is not None:
            print(f"\n{table}")
        for one in means.values():
            print(f"\n{one}")


def _means(model: LinearMixedModel, arguments: argparse.Namespace) -> dict[str, EMMeans]:
    """The marginal means that are asked for, and their differences."""
    if arguments.emmeans is None:
        if arguments.pairs:
            raise DataError("--pairs needs the means to compare: name them by --emmeans")
        return {}
    found = model.emmeans(arguments.emmeans, **_tests(arguments))
    means = dict(found) if isinstance(found, MeansList) else {"emmeans": found}
    if arguments.pairs:
        means["pairs"] = means["emmeans"].pairs()
    return means


def _tables(means: dict[str, EMMeans]) -> dict[str, Table]:
    return {name: one.frame if name == "emmeans" else one.test() for name, one in means.items()}


def read_data(name: str) -> Any:
    """The table of a CSV or Parquet file or of a shipped data set; a directory or a pattern of names stands
    for files that are read in chunks.

    Raises
    ------
    DataError
        If there is no such file and no such data set, or the file cannot be read.
    """
    path = Path(name)
    if path.is_file():
        return _read_parquet(path) if path.suffix.lower() in PARQUET else _read_csv(path)
    if path.is_dir() or any(sign in name for sign in "*?["):
        return chunks(name)
    if path.suffix or path.name != name:
        raise DataError(f"there is no file '{name}'")
    return _shipped(name)


def _shipped(name: str) -> Any:
    known = datasets.names()
    if name.lower() not in known:
        raise DataError(
            f"there is no file '{name}', and no shipped data set of that name ({', '.join(known)})"
        )
    return datasets.load(name)


def _read_csv(path: Path) -> pd.DataFrame:
    separator = "\t" if path.name.lower().endswith(TAB_SEPARATED) else ","
    try:
        header = pd.read_csv(path, sep=separator, header=None, nrows=1, dtype=str)
        _check_header(path, [] if header.empty else header.iloc[0].dropna().tolist(), separator)
        return pd.read_csv(path, sep=separator, low_memory=False)
    except DataError:
        raise
    except UnicodeDecodeError as error:
        raise DataError(f"'{path}' is no text in UTF-8; save it in that encoding") from error
    except pd.errors.EmptyDataError as error:
        raise DataError(f"'{path}' is empty") from error
    except (
        OSError,
        EOFError,
        ValueError,
        zlib.error,
    ) as error:  # a parser error and a bad encoding are ValueErrors
        raise DataError(f"'{path}' cannot be read as a CSV file: {_one_line(error)}") from error


def _check_header(path: Path, names: list[str], separator: str) -> None:
    """Columns must have names of their own, and there must be more than one of them."""
    twice = list(dict.fromkeys(name for name in names if names.count(name) > 1))
    if twice:
        raise DataError(f"'{path}' has more than one column named '{twice[0]}'; rename them")
    other = next((s for s in (",", ";", "\t") if s in names[0]), None) if len(names) == 1 else None
    if other is not None:
        words = {",": "commas", ";": "semicolons", "\t": "tabs"}
        raise DataError(
            f"the columns of '{path}' seem to be separated by {words[other]}, not {words[separator]}; "
            f"write it with {words[separator]}, and with decimal points"
        )


def _read_parquet(path: Path) -> Any:
    if find_spec("pyarrow"):
        return _read_by_pyarrow(path)
    if find_spec("polars"):
        return _read_by_polars(path)
    raise DataError(f"reading the Parquet file '{path}' needs pyarrow or polars: pip install pyarrow")


def _read_by_pyarrow(path: Path) -> Any:
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise _unreadable_parquet(path, error) from error


def _read_by_polars(path: Path) -> Any:
    import polars

    try:
        return polars.read_parquet(path)
    except (OSError, polars.exceptions.PolarsError) as error:
        raise _unreadable_parquet(path, error) from error


def _unreadable_parquet(path: Path, error: Exception) -> DataError:
    return DataError(f"'{path}' cannot be read as a Parquet file: {_one_line(error)}")


def _write(target: str, text: str) -> None:
    if target == "-":
        print(text)
        return
    try:
        Path(target).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"'{target}' cannot be written: {error.strerror}") from error


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    print(f"interlace: warning: {message}", file=sys.stderr)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
