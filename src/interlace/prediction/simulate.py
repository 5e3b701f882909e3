"""New responses drawn from a fitted model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import replace

import numpy as np

from interlace.arrays import Array
from interlace.design.answered import AnsweredRows, Answers
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.rows import FrameRows, Rows, per_row
from interlace.errors import DataError
from interlace.estimation.answering import Given, OneOf, Responses
from interlace.estimation.capacity import available_bytes
from interlace.estimation.fit import Fit
from interlace.estimation.normal_errors import Answered, Coefficients, NormalErrors
from interlace.frozen import dataclass
from interlace.options import count, generator, word
from interlace.prediction.predict import contribution, fixed_part
from interlace.prediction.selection import Part, select

Seed = int | np.random.Generator | None
RANDOM = ("new", "conditional")
AT_ONCE = 1 << 16  # numbers that are drawn to be passed over


def simulate(fit: Fit, n: int, *, seed: Seed = None, random: str | Sequence[str] = "new") -> np.ndarray:
    """Draw `n` responses for the rows of the fit, shape (n_obs, n).

    Each is `X beta + offset + Z b + e` with new `b ~ N(0, sigma^2 Lambda Lambda')` and
    `e ~ N(0, sigma^2 / w)`; levels with a known covariance are drawn with it. `random` says which b are new;
    the others are those of the fit.
    """
    fresh = _fresh(fit, random)
    n = count("n", n, at_most=available_bytes() / (8 * fit.rows.n))
    rng = generator(seed)
    return np.column_stack([drawn(fit, rng, fresh) for _ in range(n)])


def _fresh(fit: Fit, random: str | Sequence[str]) -> frozenset[int]:
    """The covariance blocks whose effects are drawn."""
    if isinstance(random, str) and random not in {block.group for block in fit.encoding.random}:
        every = range(len(fit.encoding.random)) if word("random", random, RANDOM) == "new" else ()
        return frozenset(every)
    return frozenset(part.block for part in select(fit.encoding, random) if _is_whole(fit, part))


def _is_whole(fit: Fit, part: Part) -> bool:
    block = fit.encoding.random[part.block]
    if len(part.columns) < len(block.columns):
        raise DataError(
            f"the effects of '{block.group}' vary together and are drawn together: name the grouping factor"
        )
    return True


def drawn(fit: Fit, rng: np.random.Generator, fresh: frozenset[int] | None = None) -> np.ndarray:
    """One response: its errors are drawn first, then the random effects, block by block."""
    errors = rng.normal(scale=fit.sigma, size=fit.rows.n)
    random = _random_part(_effects(fit, rng, fresh), OneOf(errors)())
    return per_row(fit.rows, lambda design: random(design) + fixed_part(fit, design))


def drawn_by(fit: Fit, generators: Sequence[np.random.Generator]) -> Responses:
    """A response for each generator; those of rows in memory are there, others are drawn chunk by chunk."""
    if isinstance(fit.rows, FrameRows):
        return Given(np.array([drawn(fit, rng) for rng in generators]))
    found = []
    for rng in generators:
        before = deepcopy(rng)
        _pass_over(rng, fit.rows.n)
        found.append((before, _effects(fit, rng)))
    return Drawn(fit, tuple(rng for rng, _ in found), tuple(effects for _, effects in found))


def drawn_of_products(fit: Fit, errors: NormalErrors, generators: Sequence[np.random.Generator]) -> Answered:
    """A response for each generator, of which only the products with the columns of the fit are known.

    Its fixed part is that of the fit and is taken from it by the origin, which is how y is held where X
    explains nearly all of it.
    """
    A, layout = fit.A, fit.A.layout
    drawn = [_effects(fit, rng) for rng in generators]
    found, rest = errors.draw(generators)
    z = [fit.sigma * one for one in found.z]
    for i, place in enumerate(layout.places):
        R = A.origin.shift(fit.encoding, i)
        z[place.group][:, place.columns] += np.stack([effects[i] @ R.T for effects in drawn], axis=-1)
    origin = replace(A.origin, beta=A.origin.beta + fit.solution.factor.beta)
    response = Coefficients(z, fit.sigma * found.x)
    return Answered(tuple(errors.answered(origin, response, fit.sigma**2 * rest)))


def _pass_over(rng: np.random.Generator, n: int) -> None:
    """Draw n normal numbers, and keep none."""
    for start in range(0, n, AT_ONCE):
        rng.standard_normal(min(AT_ONCE, n - start))


def _effects(fit: Fit, rng: np.random.Generator, fresh: frozenset[int] | None = None) -> list[Array]:
    """Of each block: new ones, or those of the fit."""
    system = fit.criterion.system
    return [
        fit.sigma * system.draw(place.group, rng.standard_normal(b.shape)) @ T.T
        if fresh is None or i in fresh
        else b
        for i, (b, T, place) in enumerate(
            zip(fit.solution.b, fit.solution.factors, system.A.layout.places, strict=True)
        )
    ]


def _random_part(effects: Sequence[Array], errors: Answers) -> Answers:
    """``Z b + e`` with these effects, and errors of rows of weight 1, chunk by chunk."""

    def following(design: Design) -> Array:
        part = errors(design)
        if design.weights is not None:
            part = part / np.sqrt(design.weights)
        for i, b in enumerate(effects):
            part = part + contribution(design.random[i], b, Part(i, tuple(range(b.shape[1]))))
        return part

    return following


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Responses that a fit draws for rows that are read in chunks: the same numbers as `drawn` has, chunk by
    chunk and in no more memory than a chunk takes. Their errors are drawn anew each time they are asked for.

    Attributes
    ----------
    fit : Fit
    generators : tuple of Generator
        As they are before the errors; copies are used.
    effects : tuple of list of ndarray
        Of each.
    """

    fit: Fit
    generators: tuple[np.random.Generator, ...]
    effects: tuple[list[Array], ...]

    def __len__(self) -> int:
        """Their number."""
        return len(self.generators)

    def __getitem__(self, some: slice) -> Drawn:
        """Some of them."""
        return replace(self, generators=self.generators[some], effects=self.effects[some])

    def checked(self, n: int) -> Drawn:
        """They are numbers."""
        return self

    def middle(self, encoding: Encoding, rows: Rows) -> Array:
        """That of the response of the fit."""
        return np.full(len(self), self.fit.A.origin.y)

    def over(self, rows: Rows) -> Iterator[tuple[Design, Array]]:
        """Chunks of the rows, and the responses of the rows of each.

        The rows are those of the fit, though the model and the chunks may be others.
        """
        random = [self._random_part(j) for j in range(len(self))]
        of_the_fit = self.fit.rows.designs()
        waiting = np.zeros((len(self), 0))
        for design in rows.designs():
            while waiting.shape[1] < design.nrows:
                read = next(of_the_fit)
                found = fixed_part(self.fit, read) + np.array([one(read) for one in random])
                waiting = np.hstack([waiting, found])
            yield design, np.ascontiguousarray(waiting[:, : design.nrows])
            waiting = waiting[:, design.nrows :]

    def rows(self, j: int, rows: Rows) -> Rows:
        """The rows with response j."""
        return AnsweredRows(rows.encoding, rows, OneDrawn(self[j : j + 1], rows))

    def _random_part(self, j: int) -> Answers:
        rng = deepcopy(self.generators[j])
        return _random_part(
            self.effects[j], lambda design: rng.normal(scale=self.fit.sigma, size=design.nrows)
        )


@dataclass(frozen=True, slots=True, eq=False)
class OneDrawn:
    """A response that a fit draws, handed out chunk by chunk.

    Attributes
    ----------
    responses : Drawn
        This one.
    rows : Rows
        Whose chunks they are.
    """

    responses: Drawn
    rows: Rows

    def __call__(self) -> Answers:
        """Begin anew."""
        pieces = self.responses.over(self.rows)
        return lambda design: np.asarray(next(pieces)[1][0])
