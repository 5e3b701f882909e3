"""The models of the command line: mixed where the formula has random terms, linear where it has none."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from interlace.cli.inputs import STANDARD_INPUT, levels_of, read_data, with_types_of_levels
from interlace.design.design import Source
from interlace.errors import DataError
from interlace.estimation.solver import KINDS as SOLVERS
from interlace.estimation.solver import Solver
from interlace.formula.parser import parse_any
from interlace.model import LinearMixedModel
from interlace.model.choice import Choice
from interlace.model.least import LinearModel
from interlace.model.with_absorbed import model_of
from interlace.precision.small_sample import small_sample
from interlace.refitting.specification import LinearSpecification, MixedSpecification

MIXED_ONLY = "it is of models with random effects"


def fitted(arguments: argparse.Namespace) -> LinearMixedModel | LinearModel:
    """The model that is asked for: `lmer`'s where the formula has a random term, `lm`'s where it has none.

    Raises
    ------
    FormulaError, DataError, ModelError
        Also for an option of mixed models beside a formula without random terms.
    """
    formula = parse_any(arguments.formula)
    shared = {
        "source": Source(read_data(arguments.data)),
        "weights": arguments.weights,
        "contrasts": _contrasts(arguments.contrasts) or None,
        "data_name": "standard input" if arguments.data == STANDARD_INPUT else arguments.data,
    }  # no context: a formula from outside knows the documented functions and no others
    if formula.random:
        mixed = MixedSpecification(**shared, reml=not arguments.ml, solver=Solver(arguments.solver))
        return model_of(mixed.fit(arguments.formula), mixed)
    _refuse_mixed(arguments)
    if formula.absorbed:
        _say_that_the_bar_absorbs(arguments.formula)
    linear = LinearSpecification(**shared)
    fit = linear.fit(arguments.formula)
    return LinearModel(fit, Choice(fit, "iid", None, small_sample(None)), linear)


def _refuse_mixed(arguments: argparse.Namespace) -> None:
    """Options that a linear model has no use for, rather than options that do nothing."""
    for option, given in (
        ("--ml", arguments.ml),
        (f"--solver {arguments.solver}", arguments.solver != SOLVERS[0]),
        (f"--ddf {arguments.ddf}", arguments.ddf is not None),
    ):
        if given:
            raise DataError(
                f"leave {option} out: {MIXED_ONLY}, and '{arguments.formula}' has no random term such as "
                "'(1 | g)', so that it is a linear model, fitted by least squares"
            )


def _say_that_the_bar_absorbs(formula: str) -> None:
    print(
        f"interlace: note: '{formula}' has a bar outside parentheses: the factors after it are absorbed "
        "fixed effects of a linear model. A random term stands in parentheses, as in '(1 | g)'.",
        file=sys.stderr,
    )


def tests(model: LinearMixedModel | LinearModel, arguments: argparse.Namespace) -> dict[str, Any]:
    """How coefficients are tested; the model knows its degrees of freedom where none are asked for."""
    asked = {} if arguments.ddf is None else {"ddf": arguments.ddf}
    clusters = None if arguments.cluster is None else arguments.cluster.split(",")
    return {**asked, "vcov": arguments.vcov, "cluster": clusters}


def predicted(model: LinearMixedModel | LinearModel, arguments: argparse.Namespace, table: Any) -> Any:
    """Predictions of new rows, read from a file, as the options ask for them."""
    new = with_types_of_levels(table, levels_of(model), refuse=arguments.new_levels == "error")
    options = {"interval": arguments.interval, "se": arguments.se}
    if arguments.level is not None:
        options["level"] = arguments.level
    if isinstance(model, LinearMixedModel):
        random = arguments.random if arguments.random in ("all", "none") else arguments.random.split(",")
        return model.predict(new, random=random, new_levels=arguments.new_levels, **options)
    for option, given in (
        (f"--random {arguments.random}", arguments.random not in ("all", "none")),
        (f"--new-levels {arguments.new_levels}", arguments.new_levels != "error"),
    ):
        if given:
            raise DataError(f"leave {option} out: {MIXED_ONLY}, and '{arguments.model}' holds a linear model")
    return model.predict(new, **options)


def _contrasts(given: Sequence[str]) -> dict[str, str]:
    """Factors and their codings."""
    found: dict[str, str] = {}
    for one in (part for text in given for part in text.split(",")):
        factor, equals, coding = (part.strip() for part in one.partition("="))
        if not (factor and equals and coding):
            raise DataError(f"--contrasts takes a factor and its coding, such as Machine=sum, not {one!r}")
        found[factor] = coding
    return found
