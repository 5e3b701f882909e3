"""Backward elimination of random and fixed terms, as lmerTest's `step`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import field, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from interlace.errors import DataError, shown
from interlace.formula.parser import parse_random
from interlace.frozen import dataclass
from interlace.hints import answers_options
from interlace.model import LinearMixedModel
from interlace.model.choice import Choice
from interlace.model.least import LinearModel
from interlace.model.with_absorbed import model_of
from interlace.options import labels, switch, word
from interlace.precision.small_sample import small_sample
from interlace.refitting.ranova import reductions
from interlace.tables.markup import page, paragraphs
from interlace.tables.table import Table

AnyModel = LinearMixedModel | LinearModel
After = TypeVar("After", bound=AnyModel)

DDF = ("satterthwaite", "kenward-roger")
RANDOM = "Backward reduced random-effect table"
FIXED = "Backward reduced fixed-effect table"


@dataclass(frozen=True)
class Step:
    """What `interlace.step` did, and the model that is left.

    Attributes
    ----------
    random : Table
        The rows of `ranova` of the terms that went, in their order, and of those that stayed, after a column
        `eliminated`: 1, 2, ... for those that went, 0 for those that stayed, NaN for the model itself. Empty
        for a model without random effects.
    fixed : Table
        The same of `drop1`.
    model : LinearMixedModel or LinearModel
        The model that is left; a linear model where no random term is.
    """

    random: Table
    fixed: Table
    model: AnyModel = field(repr=False)

    def __repr__(self) -> str:
        tables = [str(table) for table in (self.random, self.fixed) if len(table.columns)]
        return "\n\n".join([*tables, f"Model found:\n{self.model.formula}"])

    def _repr_html_(self) -> str:
        tables = [table._repr_html_() for table in (self.random, self.fixed) if len(table.columns)]
        return page(*tables, paragraphs([f"Model found: {self.model.formula}"]))


@answers_options
def step(
    model: LinearMixedModel | LinearModel,
    *,
    alpha_random: float = 0.1,
    alpha_fixed: float = 0.05,
    reduce_random: bool = True,
    reduce_fixed: bool = True,
    keep: str | Iterable[str] = (),
    ddf: str = "satterthwaite",
) -> Step:
    """Backward elimination: first random terms, then fixed terms, as lmerTest's `step`.

    As long as some random term (or slope) has a p-value above `alpha_random` by `ranova`, the one with the
    largest leaves, and the model is fitted again. Then fixed terms that are part of no other leave by the F
    tests of `drop1`, in the same way.

    Parameters
    ----------
    model : LinearMixedModel or LinearModel
    alpha_random, alpha_fixed : float
        A term stays where its p-value is not above this.
    reduce_random, reduce_fixed : bool
        False: nothing of this part leaves.
    keep : str, or several
        Terms of the fixed part that stay.
    ddf : {"satterthwaite", "kenward-roger"}
        Degrees of freedom of the F tests.

    Returns
    -------
    Step
        `.model` is what is left, a `LinearModel` where no random term is; `.random` and `.fixed` are
        the tables.

    Raises
    ------
    DataError
        `keep` names no term; a model would have other rows, because a column with missing values left.
    ModelError
        The model was fitted to a response of `refit`.

    Notes
    -----
    Tests of a model that was chosen by the same data are too optimistic: the tables say what was done, and
    their p-values are not those of a model that was fixed beforehand.

    References
    ----------
    Kuznetsova, A., Brockhoff, P. B., and Christensen, R. H. B. (2017). lmerTest package: tests in linear
    mixed effects models. Journal of Statistical Software, 82(13).

    Examples
    --------
    >>> import interlace
    >>> machines = interlace.datasets.load("machines")
    >>> m = interlace.lmer("score ~ Machine + (1 | Worker) + (1 | Worker:Machine)", machines)
    >>> found = interlace.step(m)
    >>> print(found.fixed[["eliminated", "F", "p"]].round(4))
             eliminated        F       p
    Machine         0.0  20.5761  0.0003
    >>> found.model.formula
    'score ~ Machine + (1 | Worker) + (1 | Worker:Machine)'
    """
    if not isinstance(model, LinearMixedModel | LinearModel):
        raise DataError(f"step takes a model of interlace.lmer or interlace.lm, not {type(model).__name__}")
    ddf, keep = word("ddf", ddf, DDF), labels("keep", [keep] if isinstance(keep, str) else keep)
    by_random = _level("alpha_random", alpha_random) if switch("reduce_random", reduce_random) else 1.0
    by_fixed = _level("alpha_fixed", alpha_fixed) if switch("reduce_fixed", reduce_fixed) else 1.0
    random = Table.of({})
    if isinstance(model, LinearMixedModel):
        model, random = _without_random(model, by_random)
    model, fixed = _without_fixed(model, by_fixed, keep, ddf)
    return Step(random, fixed, model)


def _level(option: str, given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float | np.number) or not 0 <= given <= 1:
        raise DataError(f"{option} must be a number between 0 and 1, not {shown(given)}")
    return float(given)


# ---- random terms ---


def _without_random(model: LinearMixedModel, alpha: float) -> tuple[AnyModel, Table]:
    """The model with the random terms that stay, and what was done."""
    gone: list[pd.DataFrame] = []
    table = model.ranova()
    heading, note, own = f"{RANDOM}. {table.heading}", table.note, table.iloc[:1]
    left: AnyModel = model
    while isinstance(left, LinearMixedModel):
        found = _largest(table["p"].iloc[1:], alpha)
        if found is None:
            break
        gone.append(table.iloc[[1 + found]])
        left = _reduced(left, table.index[1 + found])
        table = left.ranova() if isinstance(left, LinearMixedModel) else table.iloc[:1]
    return left, _reported([own], gone, table.iloc[1:], heading, note)


def _reduced(model: LinearMixedModel, label: str) -> AnyModel:
    """The model without what a row of `ranova` drops."""
    smaller = next(one for one in reductions(model.fit) if one.label == label)
    random = tuple(term for block in smaller.rows.encoding.random for term in parse_random(block.text()))
    formula = replace(model.fit.encoding.formula, random=random)
    if not random:
        return _plain(model, formula.terse)
    asked = model._asked.without_known(formula)
    return _checked(model, model_of(asked.fit(formula.terse), asked))


def _plain(model: LinearMixedModel, formula: str) -> LinearModel:
    asked = model._asked.plain()
    fit = asked.fit(formula)
    return _checked(model, LinearModel(fit, Choice(fit, "iid", None, small_sample(None)), asked))


# ---- fixed terms ---


def _without_fixed(model: AnyModel, alpha: float, keep: Sequence[str], ddf: str) -> tuple[AnyModel, Table]:
    """The model with the fixed terms that stay, and what was done."""
    _check_kept(model, keep)
    tests: Callable[[Any], Table] = (
        (lambda m: m.drop1(ddf=ddf)) if isinstance(model, LinearMixedModel) else (lambda m: m.drop1())
    )
    gone: list[pd.DataFrame] = []
    table = tests(model)
    heading, note = f"{FIXED}. {table.heading}", table.note
    while True:
        p = table["p"].where(~table.index.isin(keep))
        found = _largest(p, alpha)
        if found is None:
            return model, _reported([], gone, table, heading, note)
        gone.append(table.iloc[[found]])
        model = _checked(model, _without_term(model, table.index[found]))
        table = tests(model)


def _without_term(model: AnyModel, term: str) -> AnyModel:
    written = {":".join(names): members for names, members in _members(model).items()}
    return model.update(f"~ . - {written[term]}")


def _members(model: AnyModel) -> dict[tuple[str, ...], str]:
    """The terms of the fixed part, by what their members are called, as a formula writes them."""
    fixed = model.fit.encoding.fixed
    return {m: ":".join(w) for m, w in zip(fixed.members, fixed.written, strict=True)}


def _check_kept(model: AnyModel, keep: Sequence[str]) -> None:
    known = [label for label, _ in model.fit.encoding.fixed_terms if label != "1"]
    for name in keep:
        if name not in known:
            raise DataError(f"keep names '{name}', which is no fixed term; there are {', '.join(known)}")


# ---- both ---


def _largest(p: pd.Series, alpha: float) -> int | None:
    """The place of the largest p-value, if it is above alpha."""
    values = p.to_numpy(dtype=np.float64)
    if not (values > alpha).any():
        return None
    return int(np.nanargmax(values))


def _checked(before: AnyModel, after: After) -> After:
    if before.nobs != after.nobs:
        raise DataError(
            f"the model without a term has {after.nobs} rows and not {before.nobs}, because a column with "
            "missing values has left: leave these rows out of the data beforehand"
        )
    return after


def _reported(
    first: Sequence[pd.DataFrame], gone: Sequence[pd.DataFrame], left: pd.DataFrame, heading: str, note: str
) -> Table:
    parts = [pd.DataFrame(part) for part in (*first, *gone, left)]
    eliminated = [np.nan] * len(first) + list(range(1, len(gone) + 1)) + [0] * len(left)
    rows = pd.concat([part for part in parts if len(part)] or parts[:1])
    columns = {"eliminated": np.array(eliminated, dtype=float), **{c: rows[c].to_numpy() for c in rows}}
    return Table.of(columns, list(rows.index), heading=heading, note=note)
