"""`Accumulator`: what a model needs of rows that lie on many machines, as a value that adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from typing import Any
from uuid import uuid4

from interlace.callers import caller_scope
from interlace.design.batches import Batch, batches_of, names_of
from interlace.design.checks import check_mapping
from interlace.design.chunked import Elsewhere
from interlace.design.design import Source
from interlace.design.kinds import Kind, merged_kinds
from interlace.design.learning_rows import chunked_rows
from interlace.design.merging import Seen, Task
from interlace.design.queries import chunked
from interlace.design.rows import ChunkedRows
from interlace.errors import DataError, ModelError, shown
from interlace.estimation.far import warn_if_far
from interlace.estimation.gathering import Gathered
from interlace.estimation.ols_chunks import Squares
from interlace.estimation.stages import Functions, Levels
from interlace.formula.parser import parse_any
from interlace.frozen import dataclass
from interlace.kernel import blas_threads, thread_count
from interlace.model import LinearMixedModel
from interlace.model.choice import Choice
from interlace.model.least import LinearModel
from interlace.model.with_absorbed import model_of
from interlace.options import switch, word
from interlace.precision.small_sample import small_sample
from interlace.precision.unidentified import warn_if_unidentified
from interlace.refitting.specification import LinearSpecification, MixedSpecification

NA_ACTIONS = ("drop", "error")


@dataclass(frozen=True, slots=True)
class _Products:
    """Sums over the rows of a model that was learnt."""

    rows: ChunkedRows
    sums: Gathered | Squares
    name = "products"

    @property
    def read(self) -> tuple[int, int]:
        return self.sums.n, self.sums.n_read

    def plus(self, task: Task, batch: Batch, given_order: frozenset[str]) -> _Products:
        design = self.rows.encoding.design(batch.frame, response="required")
        return replace(self, sums=self.sums.plus(design))

    def merged(self, other: _Products, task: Task, given_order: frozenset[str]) -> _Products:
        return replace(self, sums=self.sums.merged(other.sums))  # type: ignore[arg-type]

    def mixed(self, rows: ChunkedRows, asked: MixedSpecification) -> LinearMixedModel:
        """The model, whose rows are read again from `rows`."""
        assert isinstance(self.sums, Gathered)
        threads = thread_count(asked.n_jobs)
        with blas_threads(inf, threads):
            fit = self.sums.fitted(rows, reml=asked.reml, n_jobs=threads)
        warn_if_unidentified(fit)
        warn_if_far(fit)
        return model_of(fit, asked)

    def linear(self, rows: ChunkedRows, asked: LinearSpecification) -> LinearModel:
        """The same without random terms."""
        assert isinstance(self.sums, Squares)
        fit = self.sums.fitted(rows, thread_count(asked.n_jobs))
        return LinearModel(fit, Choice(fit, "iid", None, small_sample(None)), asked)


class Accumulator:
    """What a model needs of rows, collected batch by batch and machine by machine.

    Cross-products of rows add, and so does what is learnt of their levels. An accumulator is a value: it
    pickles, `update` gives one that has more rows, `merge` puts two together, and none of them changes. So
    batches, files and partitions can be looked at anywhere, and their accumulators merged in a tree. The rows
    that travel are the few that show levels and extremes, and the last ones, up to 2 MB of them or as much as
    the cross-products take, which are summed together with those that follow.

    The rows are passed over twice, as levels must be known before products are taken, and once before that
    for functions of the formula that look at all rows, such as ``scale(x)``: `stage` is "functions", "levels"
    or "products", and `next` begins the pass that follows.

    Parameters
    ----------
    formula : str
        As for `interlace.lmer`; without random terms as for `interlace.lm`, but for absorbed factors, which
        need all rows at once.
    like : table, source of rows, pyarrow.Schema, or list of str
        The columns of the data: only their names are looked at.
    weights, offset : str, optional
        Columns of the data.
    contrasts, na_action
        As for `interlace.lmer`.

    Attributes
    ----------
    stage : {"functions", "levels", "products"}
    columns : list of str
        The columns that are read; a batch may have others.
    ready : bool
        Is this the last pass, after which `fit` gives the model?

    Raises
    ------
    FormulaError, DataError, ModelError

    Notes
    -----
    Merge accumulators in the order of their rows: categories whose order differs between partitions are put
    in the order in which they appear. All else depends on the order and on the shape of the tree by rounding
    error alone, about 1e-15 of each cross-product; the same tree gives the same numbers. Rows that take up to
    2 MB, in the order of a table and merged in any tree, give the numbers of that table to the last bit.

    Examples
    --------
    >>> import interlace
    >>> sleepstudy = interlace.datasets.load("sleepstudy")
    >>> parts = [sleepstudy[:100], sleepstudy[100:]]
    >>> accumulator = interlace.Accumulator("Reaction ~ Days + (Days | Subject)", sleepstudy.columns.tolist())
    >>> accumulator = accumulator.update(parts[0]).merge(accumulator.update(parts[1])).next()
    >>> accumulator = accumulator.update(parts[0]).merge(accumulator.update(parts[1]))
    >>> accumulator
    <interlace.Accumulator of Reaction ~ Days + (Days | Subject): products of 180 rows>
    >>> print(accumulator.fit().fixef.round(3).to_string())
    Intercept    251.405
    Days          10.467
    """

    __slots__ = ("_contrasts", "_expected", "_given_order", "_kinds", "_stage", "_task", "_token")

    def __init__(
        self,
        formula: str,
        like: Any,
        *,
        weights: str | None = None,
        offset: str | None = None,
        contrasts: Mapping[str, Any] | None = None,
        na_action: str = "drop",
    ) -> None:
        if not isinstance(formula, str):
            raise DataError(
                f"the formula must be text such as 'y ~ x + (1 | g)', not {type(formula).__name__}"
            )
        check_mapping(contrasts)
        parsed = parse_any(formula)
        if parsed.absorbed:
            raise ModelError(
                "absorbed factors are solved for with all rows in memory, and not from sums of parts: write "
                "them as random terms, (1 | f), or, with few levels, as factors of the fixed part"
            )
        self._task = Task.of(
            parsed,
            names_of(like),
            weights=weights,
            offset=offset,
            na_action=word("na_action", na_action, NA_ACTIONS),
            context=caller_scope(),
        )
        self._contrasts = dict(contrasts or {})
        self._kinds: dict[str, Kind] = {}
        self._given_order: frozenset[str] = frozenset()
        self._expected: tuple[int, int] | None = None
        self._token = uuid4().hex
        calls = self._task.calls
        columns = tuple(dict.fromkeys(name for call in calls for name in self._task.columns_of(call)))
        self._stage: Any = Functions(columns) if calls else Levels()

    @property
    def stage(self) -> str:
        """What this pass collects: "functions", "levels" or "products"."""
        return str(self._stage.name)

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        return self._task.columns

    @property
    def ready(self) -> bool:
        """Is this the last pass, after which `fit` gives the model?"""
        return isinstance(self._stage, _Products)

    def update(self, batch: Any, *, name: str | None = None) -> Accumulator:
        """An accumulator that has the rows of a batch as well.

        Parameters
        ----------
        batch : table or source of rows
            Any table that `interlace.lmer` takes, a pyarrow RecordBatch, or what is read in chunks: a path,
            `interlace.chunks(...)`. It may have no rows.
        name : str, optional
            What an error calls these rows, such as "partition 7".

        Raises
        ------
        DataError
            A column is not there or is of another kind than in other rows, a value is not finite, a level was
            not there in the pass before.
        """
        source = chunked(batch)
        called = name if name is not None or source is None else source.said
        found = self
        with _named(called):
            for one in batches_of(batch, self.columns, called):
                found = found._with(one)
        return found

    def merge(self, other: Accumulator) -> Accumulator:
        """An accumulator that has the rows of both, those of `other` after its own.

        Raises
        ------
        DataError
            They are of different models or of different passes, or a column is of different kinds in them.
        """
        if not isinstance(other, Accumulator):
            raise DataError(f"an accumulator is merged with another one, not with {shown(other)}")
        if self._token != other._token:
            raise DataError(
                "the accumulators are not of the same pass of the same model: send one accumulator to all "
                "workers, update it there, and merge what comes back"
            )
        kinds = merged_kinds(self._kinds, other._kinds)
        given_order = self._given_order | other._given_order
        stage = self._stage.merged(other._stage, self._task, given_order)
        return self._changed(stage=stage, kinds=kinds, given_order=given_order)

    def next(self) -> Accumulator:
        """An accumulator without rows for the pass that follows.

        After the last one it is for a pass about the fit of the fixed effects, which `fit` asks for where
        they explain nearly all of the response.

        Raises
        ------
        DataError, ModelError
            The rows cannot carry the model, or they are not those of the pass before.
        """
        self._check_rows()
        task, stage = self._task, self._stage
        new: Any
        if isinstance(stage, Functions):
            task, new = stage.taught(task, self._given_order), Levels()
        elif isinstance(stage, Levels):
            task = task.remembering()
            new = _begun(task, stage.seen(task, self._given_order), self._contrasts)
        elif isinstance(stage.sums, Gathered):
            new = replace(stage, sums=stage.sums.closer(stage.rows))
        else:
            raise ModelError("this was the last pass: accumulator.fit() gives the model")
        found = self._changed(stage=new, task=task)
        found._expected, found._token = stage.read, uuid4().hex
        return found

    def fit(
        self, *, reml: bool = True, n_jobs: int | None = None, rows: Any = None
    ) -> LinearMixedModel | LinearModel:
        """The model, after the last pass.

        Parameters
        ----------
        reml, n_jobs
            As for `interlace.lmer`.
        rows : source of rows, optional
            Where the rows can be read again in chunks, as for `interlace.chunks`: whatever is asked of single
            rows (`fitted`, `residuals`, `augment`, ...) needs them, and coefficients, tests and means do not.

        Returns
        -------
        LinearMixedModel, or LinearModel for a formula without random terms

        Raises
        ------
        DataError
            A pass is missing, or the rows of the passes are not the same.
        ModelError
            As for `interlace.lmer`; or one more pass is needed, and the message says how it is made.
        """
        reml = switch("reml", reml)
        if not isinstance(self._stage, _Products):
            raise DataError(
                f"this accumulator has had the pass for the {self.stage} only: write accumulator = "
                "accumulator.next(), and update it with all rows again"
            )
        self._check_rows()
        known = self._stage.rows
        if rows is not None:
            source = chunked(rows)
            if source is None:
                raise DataError(
                    f"rows= says where the rows are read in chunks, and is no {type(rows).__name__}: give a "
                    "path, or interlace.chunks(...)"
                )
            known = replace(known, source=source)
        task = self._task
        asked: dict[str, Any] = {
            "source": Source(known.source if known.readable else None),
            "weights": task.weights,
            "offset": task.offset,
            "contrasts": self._contrasts or None,
            "na_action": task.na_action,
            "n_jobs": n_jobs,
            "context": task.memory.context,
        }
        if isinstance(self._stage.sums, Squares):
            return self._stage.linear(known, LinearSpecification(**asked))
        return self._stage.mixed(known, MixedSpecification(**asked, reml=reml))

    def __repr__(self) -> str:
        used, _ = self._stage.read
        return f"<interlace.Accumulator of {self._task.scope.formula.text}: {self.stage} of {used} rows>"

    def _with(self, batch: Batch) -> Accumulator:
        kinds = merged_kinds(self._kinds, batch.kinds)
        given_order = self._given_order | batch.given_order
        stage = self._stage.plus(self._task, batch, given_order)
        return self._changed(stage=stage, kinds=kinds, given_order=given_order)

    def _check_rows(self) -> None:
        """Every pass has the same rows."""
        if self._expected is None or self._stage.read == self._expected:
            return
        (n, n_read), (n_before, n_read_before) = self._stage.read, self._expected
        raise DataError(
            f"this pass has {n_read} rows ({n} of them without missing values), and the pass before had "
            f"{n_read_before} ({n_before}): a partition is missing, was counted twice, or has changed"
        )

    def _changed(self, **changes: Any) -> Accumulator:
        found = object.__new__(Accumulator)
        for slot in Accumulator.__slots__:
            setattr(found, slot, changes.get(slot.removeprefix("_"), getattr(self, slot)))
        return found


def _begun(task: Task, seen: Seen, contrasts: Mapping[str, Any]) -> _Products:
    """The pass for the products: what was learnt, and sums of no rows."""
    learnt = task.learn(seen, contrasts)
    encoding, rows = chunked_rows(learnt, seen.counted, Elsewhere(), task)
    if not encoding.random:
        return _Products(rows, Squares.begin(encoding))
    assert seen.shown is not None
    shown_rows = encoding.design(seen.shown, response="required")
    return _Products(rows, Gathered.begin(encoding, shown_rows, seen.counted.covariates))


@contextmanager
def _named(name: str | None) -> Iterator[None]:
    """Inside, errors of data begin with the name of the rows."""
    try:
        yield
    except (DataError, ModelError) as error:
        if name is None or name in str(error):
            raise
        raise type(error)(f"{name}: {error}") from error
