"""The command `interlace`: fit a model to a file, print what was found, save it, and predict by it.

Formulas know the documented functions and no others: nothing that stands in an argument or a file is run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

import numpy as np

from interlace.cli.inputs import read_data
from interlace.cli.models import fitted, predicted, tests
from interlace.cli.shell_words import in_a_shell
from interlace.errors import DataError, InterlaceError, InterlaceWarning
from interlace.estimation.solver import KINDS as SOLVERS
from interlace.inference.emmeans import EMMeans
from interlace.inference.means_list import MeansList
from interlace.model import LinearMixedModel
from interlace.model.least import LinearModel
from interlace.model.saving import load
from interlace.options import MODEL, TYPES, type_number, word
from interlace.precision.df import WORDS
from interlace.precision.ols_covariance import KINDS as OF_LINEAR
from interlace.precision.sandwiches import KINDS as OF_MIXED
from interlace.prediction.predict import INTERVALS, NEW_LEVELS
from interlace.report.results import plain
from interlace.tables.table import Table

DESCRIPTION = (
    "Linear mixed-effects models of formulas with random terms, 'y ~ x + (1 | g)', and linear models, by "
    "least squares, of formulas without: 'y ~ x', or 'y ~ x | f' with the levels of f absorbed."
)
VCOV = tuple(dict.fromkeys((MODEL, *OF_MIXED, *OF_LINEAR)))
BAD_INPUT = 2
INTERRUPTED = 130
FORMULA = (
    "such as 'Reaction ~ Days + (Days | Subject)', a mixed model, or 'Reaction ~ Days': without a random "
    "term it is a linear model"
)
DATA = (
    "a CSV (also .gz) or Parquet file, '-' for CSV on standard input, a pattern such as 'data/*.csv' for "
    "files that are read in chunks, or the name of a shipped data set"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 0, 2 for bad input, 130 when interrupted."""
    try:
        arguments = _parser().parse_args(argv)
        arguments.run(arguments)
        sys.stdout.flush()
    except InterlaceError as error:
        print(f"interlace: error: {in_a_shell(error)}", file=sys.stderr)
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
        quotes = "; a formula stands in quotes" if message.startswith("unrecognized arguments") else ""
        self.exit(BAD_INPUT, f"interlace: error: {message}{quotes} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="interlace", description=DESCRIPTION)
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_fit(commands)
    _add_report(commands)
    _add_save(commands)
    _add_predict(commands)
    return parser


def _add_model(command: argparse.ArgumentParser) -> None:
    """What a model is, of every command that fits one."""
    command.add_argument("formula", metavar="FORMULA", help=FORMULA)
    command.add_argument("data", metavar="DATA", help=DATA)
    command.add_argument(
        "--ml", action="store_true", help="maximum likelihood in place of REML (mixed models)"
    )
    command.add_argument("--weights", metavar="COLUMN", help="column of prior weights")
    command.add_argument(
        "--contrasts",
        metavar="FACTOR=CODING",
        action="append",
        default=[],
        help="coding of a factor, such as Machine=sum; several by commas, or by the option again",
    )
    command.add_argument(
        "--solver",
        default="auto",
        type=_meant(SOLVERS, lambda given: word("solver", given, SOLVERS)),
        choices=SOLVERS,
        help="how the system of the random effects is solved (default: auto: exact where there is room)",
    )


def _add_tests(command: argparse.ArgumentParser) -> None:
    """How coefficients are tested."""
    command.add_argument(
        "--ddf",
        default=None,
        type=_meant(WORDS, lambda given: word("ddf", given, WORDS)),
        choices=WORDS,
        help="degrees of freedom of the tests of a mixed model (default: satterthwaite; asymptotic with "
        "--solver iterative); a linear model has those of its residuals or clusters",
    )
    command.add_argument(
        "--vcov",
        default=MODEL,
        type=_meant(VCOV, lambda given: word("vcov", given, VCOV)),
        choices=VCOV,
        help="covariance of the coefficients: the model's (default), a cluster-robust one of a mixed model "
        f"({_listed(OF_MIXED)}), or one of a linear model ({_listed(OF_LINEAR)})",
    )
    command.add_argument(
        "--cluster",
        metavar="COLUMN",
        help="clusters of --vcov: a column, or several by commas (default in a mixed model: the factor that "
        "the others are nested in)",
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _add_fit(commands: Any) -> None:
    fit = commands.add_parser("fit", help="fit a model and print its summary", description=_fit.__doc__)
    _add_model(fit)
    _add_tests(fit)
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
    fit.add_argument(
        "--json", metavar="FILE", help="write all results as JSON; '-' prints them in place of the summary"
    )
    fit.set_defaults(run=_fit)


def _add_report(commands: Any) -> None:
    report = commands.add_parser(
        "report", help="fit a model and write a page about it", description=_report.__doc__
    )
    _add_model(report)
    _add_tests(report)
    report.add_argument("-o", "--output", metavar="FILE", required=True, help="the page, such as report.html")
    report.add_argument("--title", help="of the page")
    report.add_argument("--no-plots", action="store_true", help="leave the pictures out")
    report.set_defaults(run=_report)


def _add_save(commands: Any) -> None:
    save = commands.add_parser("save", help="fit a model and write it to a file", description=_save.__doc__)
    _add_model(save)
    save.add_argument(
        "-o", "--output", metavar="FILE", required=True, help="the file, for 'interlace predict'"
    )
    save.add_argument(
        "--no-rows", action="store_true", help="leave the rows of the data out: enough for predictions"
    )
    save.set_defaults(run=_save, ddf=None)


def _add_predict(commands: Any) -> None:
    predict = commands.add_parser(
        "predict", help="predict new rows by a saved model", description=_predict.__doc__
    )
    predict.add_argument("model", metavar="MODEL", help="a file of 'interlace save' or of m.save(path)")
    predict.add_argument("data", metavar="DATA", help="the new rows: as for 'interlace fit'")
    predict.add_argument(
        "--random",
        default="all",
        metavar="WHICH",
        help="of a mixed model: all (as without it), none, or names of grouping factors",
    )
    predict.add_argument(
        "--new-levels",
        default="error",
        type=_meant(NEW_LEVELS, lambda given: word("new_levels", given, NEW_LEVELS)),
        choices=NEW_LEVELS,
        help="what becomes of levels that the model has not seen (default: error)",
    )
    predict.add_argument(
        "--interval",
        type=_meant(INTERVALS, lambda given: word("interval", given, INTERVALS)),
        choices=INTERVALS,
        help="add lower and upper: of the mean, or of a new response",
    )
    predict.add_argument("--level", type=float, help="of the interval (default: 0.95)")
    predict.add_argument("--se", action="store_true", help="add standard errors")
    predict.add_argument(
        "-o", "--output", metavar="FILE", default="-", help="a CSV file (default: standard output)"
    )
    predict.set_defaults(run=_predict)


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


def _model(arguments: argparse.Namespace) -> LinearMixedModel | LinearModel:
    """The model that is asked for; what the library warns of is said on standard error."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", InterlaceWarning)
        warnings.showwarning = _show_warning
        return fitted(arguments)


def _report(arguments: argparse.Namespace) -> None:
    """Fit a model and write one self-contained page of HTML about it."""
    model = _model(arguments)
    asked = tests(model, arguments)
    if isinstance(model, LinearMixedModel):
        model.report(arguments.output, title=arguments.title, plots=not arguments.no_plots, **asked)
    else:  # its page has no pictures
        model.report(arguments.output, title=arguments.title, **asked)
    print(f"interlace: {arguments.output}", file=sys.stderr)


def _save(arguments: argparse.Namespace) -> None:
    """Fit a model and write it to a file that holds no code."""
    model = _model(arguments)
    model.save(arguments.output, rows=not arguments.no_rows)
    said = "without the rows of the data" if arguments.no_rows else "with the rows of the data"
    print(f"interlace: {model.formula}, {said}: {arguments.output}", file=sys.stderr)


def _predict(arguments: argparse.Namespace) -> None:
    """Predict new rows by a saved model: a CSV file of the rows with columns beside them."""
    model, data = load(arguments.model), read_data(arguments.data)
    table = data if hasattr(data, "assign") else data.to_pandas()
    found = predicted(model, arguments, table)
    columns = dict(found) if hasattr(found, "columns") else {"predicted": np.asarray(found)}
    if taken := [name for name in columns if name in table]:
        raise DataError(f"the data have a column '{taken[0]}' already: rename it")
    text = table.assign(**columns).to_csv(index=False)
    _write(arguments.output, text.rstrip("\n"))


def _fit(arguments: argparse.Namespace) -> None:
    """Fit a model and print its summary."""
    model = _model(arguments)
    asked = tests(model, arguments)
    table = None if arguments.anova is None else model.anova(type=arguments.anova, **asked)
    means = _means(model, arguments)
    if arguments.json is not None:
        found = model.to_dict(**asked)
        if table is not None:
            found["anova"] = plain(
                {"type": arguments.anova, "terms": table.index, **dict(table), "note": table.note}
            )
        found |= {name: plain({**dict(shown), "note": shown.note}) for name, shown in _tables(means).items()}
        _write(arguments.json, json.dumps(found, indent=1, allow_nan=False, ensure_ascii=False))
    if arguments.json != "-":
        print(model.summary(**asked))
        if table is not None:
            print(f"\n{table}")
        for one in means.values():
            print(f"\n{one}")


def _means(model: LinearMixedModel | LinearModel, arguments: argparse.Namespace) -> dict[str, EMMeans]:
    """The marginal means that are asked for, and their differences."""
    if arguments.emmeans is None:
        if arguments.pairs:
            raise DataError("--pairs needs the means to compare: name them by --emmeans")
        return {}
    found = model.emmeans(arguments.emmeans, **tests(model, arguments))
    means = dict(found) if isinstance(found, MeansList) else {"emmeans": found}
    if arguments.pairs:
        means["pairs"] = means["emmeans"].pairs()
    return means


def _tables(means: dict[str, EMMeans]) -> dict[str, Table]:
    return {name: one.frame if name == "emmeans" else one.test() for name, one in means.items()}


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
    said = in_a_shell(message) if isinstance(message, Warning) else message
    print(f"interlace: warning: {said}", file=sys.stderr)
