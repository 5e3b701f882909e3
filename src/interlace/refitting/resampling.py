"""Responses drawn anew: from the model, from its residuals, from blocks of them, or with random signs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from interlace.arrays import Array, Index
from interlace.errors import ModelError
from interlace.estimation.answering import Given, Responses
from interlace.estimation.fit import Fit
from interlace.estimation.normal_errors import Answered, NormalErrors
from interlace.estimation.penalized import System
from interlace.frozen import dataclass
from interlace.prediction.predict import contribution, fixed_part
from interlace.prediction.selection import Part
from interlace.prediction.simulate import drawn, drawn_by, drawn_of_products

# A sum of squares below this share of the largest is rounding error.
NOTHING = 1e-12
# A row whose leverage is so near to 1 has no residual.
ALL_LEVERAGE = 1 - 1e-10

HCCME = ("hc2", "hc3")
AUX = ("mammen", "rademacher", "norm", "webb", "gamma")


class Sampler(Protocol):
    """Where responses come from."""

    def responses(self, fit: Fit, generators: Sequence[np.random.Generator]) -> Responses:
        """A response for each generator."""


class Resampler:
    """A source whose responses are made of all rows at once."""

    __slots__ = ()

    def draw(self, fit: Fit, rng: np.random.Generator) -> Array:
        """A response, (n,)."""
        raise NotImplementedError

    def responses(self, fit: Fit, generators: Sequence[np.random.Generator]) -> Responses:
        """A response for each generator."""
        return Given(np.array([self.draw(fit, rng) for rng in generators]))


@dataclass(frozen=True, slots=True)
class Parametric(Resampler):
    """New random effects and new errors, both normal, with the estimated variances."""

    def draw(self, fit: Fit, rng: np.random.Generator) -> Array:
        """A response of `simulate`."""
        return drawn(fit, rng)

    def responses(self, fit: Fit, generators: Sequence[np.random.Generator]) -> Responses:
        """The same, chunk by chunk where rows are read so."""
        return drawn_by(fit, generators)


@dataclass(frozen=True, slots=True)
class ParametricOfProducts:
    """The same where the rows are not here: by their law, and not row by row.

    Attributes
    ----------
    errors : NormalErrors
        Of the rows of the fit.
    """

    errors: NormalErrors

    @classmethod
    def of(cls, fit: Fit) -> ParametricOfProducts:
        """Of the rows of a fit."""
        system = fit.criterion.system
        return cls(NormalErrors.of(system.A, system.A.layout.names(fit.encoding)))

    def responses(self, fit: Fit, generators: Sequence[np.random.Generator]) -> Answered:
        """A response for each generator."""
        return drawn_of_products(fit, self.errors, generators)


def parametric(fit: Fit) -> Sampler:
    """Row by row, or by the products where rows are not here.

    Raises
    ------
    FactorTooLargeError
        The rows are not here, and the factor of their products does not fit in memory.
    """
    by_rows = fit.rows.readable or fit.encoding.absorbed or not isinstance(fit.criterion.system, System)
    return Parametric() if by_rows else ParametricOfProducts.of(fit)


@dataclass(frozen=True, slots=True)
class Residuals(Resampler):
    """Random effects and residuals of a fit, centred and with the variances that were estimated.

    Estimated effects vary less than the effects do (they are shrunk), and residuals less than errors. Both
    are multiplied so that their empirical covariance is the estimated one: ``U A`` with ``A'U'U A / L = S``
    for the effects U of L levels and their estimated covariance S, ``A = (C_S C_U^-1)'`` for Cholesky factors
    of the two covariances.

    References
    ----------
    Carpenter, J. R., Goldstein, H., and Rasbash, J. (2003). A novel bootstrap procedure for assessing the
    relationship between class size and achievement. Applied Statistics, 52, 431-443.
    """

    effects: tuple[Array, ...]
    errors: Array
    fixed: Array

    @classmethod
    def of(cls, fit: Fit) -> Residuals:
        """All of them.

        Raises
        ------
        ModelError
            The covariance of the levels is known: they cannot be exchanged.
        """
        refuse_known(fit)
        design, solution = fit.design, fit.solution
        fixed = fixed_part(fit, design)
        errors = design.y - fixed
        for i, b in enumerate(solution.b):
            errors -= contribution(design.random[i], b, whole(i, b))
        effects = [spread(b, fit.sigma * T) for b, T in zip(solution.b, solution.factors, strict=True)]
        return cls(tuple(effects), _scaled(_weighted(fit, errors), fit.sigma), fixed)

    def draw(self, fit: Fit, rng: np.random.Generator) -> Array:
        """A response: effects of levels and errors of rows, each with replacement."""
        y = _unweighted(fit, rng.choice(self.errors, size=len(self.errors)))
        for i, u in enumerate(self.effects):
            y += contribution(fit.design.random[i], u[rng.integers(0, len(u), len(u))], whole(i, u))
        return y + self.fixed


@dataclass(frozen=True, slots=True)
class Blocks(Resampler):
    """Effects of levels by least squares within each, ``b = (Z'Z)^-1 Z'r`` for ``r = y - X beta``, and the
    errors ``r - Z b`` of each level together: the random effect block bootstrap.

    Attributes
    ----------
    effects : ndarray, (L, k)
        Of all random terms, side by side.
    errors : ndarray, (n,)
        Times the root of the prior weights, in the order of the levels.
    order, first, size : ndarray of int
        The rows in that order; where each level begins, and its number of rows.
    fixed : ndarray, (n,)

    References
    ----------
    Chambers, R., and Chandra, H. (2013). A random effect block bootstrap for clustered data. Journal of
    Computational and Graphical Statistics, 22, 452-470.
    """

    effects: Array
    errors: Array
    order: Index
    first: Index
    size: Index
    fixed: Array

    @classmethod
    def of(cls, fit: Fit) -> Blocks:
        """All of them.

        Raises
        ------
        ModelError
            There is not one grouping factor, its levels have a known covariance, or a level has too few rows
            for effects of its own.
        """
        refuse_known(fit)
        groups = list(dict.fromkeys(block.group for block in fit.encoding.random))
        if len(groups) > 1:
            raise ModelError(
                "the random effect block bootstrap is for one grouping factor, and the model has "
                f"{', '.join(groups)}: take kind='residual' or 'parametric'"
            )
        design = fit.design
        codes, z = design.random[0].codes, _joint(fit)
        fixed = fixed_part(fit, design)
        r, w = design.y - fixed, np.ones(design.nrows) if design.weights is None else design.weights
        levels = len(fit.encoding.random[0].levels)
        zz, zr = np.zeros((levels, z.shape[1], z.shape[1])), np.zeros((levels, z.shape[1]))
        np.add.at(zz, codes, w[:, None, None] * z[:, :, None] * z[:, None, :])
        np.add.at(zr, codes, w[:, None] * z * r[:, None])
        _refuse_short(fit, zz)
        b = np.linalg.solve(zz, zr[:, :, None])[:, :, 0]
        errors = (r - np.einsum("nk,nk->n", z, b[codes])) * np.sqrt(w)
        order = np.argsort(codes, kind="stable")
        size = np.bincount(codes, minlength=levels)
        return cls(b, errors[order], order, np.cumsum(size) - size, size, fixed)

    @classmethod
    def scaled(cls, fit: Fit) -> Blocks:
        """Centred, with the variances that were estimated."""
        found = cls.of(fit)
        k = found.effects.shape[1]
        root, at = np.zeros((k, k)), 0
        for T in fit.solution.factors:
            root[at : at + len(T), at : at + len(T)] = fit.sigma * T
            at += len(T)
        errors = _scaled(found.errors, fit.sigma)
        return cls(spread(found.effects, root), errors, found.order, found.first, found.size, found.fixed)

    def draw(self, fit: Fit, rng: np.random.Generator) -> Array:
        """A response: effects of levels with replacement; for each level the errors of one that is drawn, as
        many as it has rows, with replacement."""
        levels = len(self.effects)
        b = self.effects[rng.integers(0, levels, levels)]
        donor = np.repeat(rng.integers(0, levels, levels), self.size)
        picked = self.first[donor] + np.floor(rng.random(len(donor)) * self.size[donor]).astype(np.intp)
        drawn = np.empty(len(donor))
        drawn[self.order] = self.errors[picked]
        y = _unweighted(fit, drawn)
        return np.asarray(y + np.einsum("nk,nk->n", _joint(fit), b[fit.design.random[0].codes]) + self.fixed)


@dataclass(frozen=True, slots=True)
class Wild(Resampler):
    """Marginal residuals ``r = y - X beta`` over ``(1 - h)^power``, h the leverage of least squares, times a
    random number for each cluster of mean 0 and variance 1.

    References
    ----------
    Modugno, L., and Giannerini, S. (2015). The wild bootstrap for multilevel models. Communications in
    Statistics - Theory and Methods, 44, 4812-4825.
    """

    residuals: Array
    codes: Index
    clusters: int
    fixed: Array
    aux: str

    @classmethod
    def of(cls, fit: Fit, codes: Index, hccme: str, aux: str) -> Wild:
        """With the clusters of the rows."""
        refuse_known(fit)
        design = fit.design
        fixed, X = fixed_part(fit, design), fit.X
        root = np.ones(design.nrows) if design.weights is None else np.sqrt(design.weights)
        Q = np.linalg.qr(X * root[:, None])[0]
        h = np.einsum("np,np->n", Q, Q)
        there = h < ALL_LEVERAGE
        left = np.where(there, 1 - h, 1.0) ** {"hc2": 0.5, "hc3": 1.0}[hccme]
        residuals = np.where(there, (design.y - fixed) / left, 0.0)
        return cls(residuals, codes, int(codes.max()) + 1, fixed, aux)

    def draw(self, fit: Fit, rng: np.random.Generator) -> Array:
        """A response."""
        return self.fixed + self.residuals * _AUXILIARY[self.aux](rng, self.clusters)[self.codes]


def _mammen(rng: np.random.Generator, n: int) -> Array:
    root = np.sqrt(5.0)
    return np.asarray(np.where(rng.random(n) < (root + 1) / (2 * root), -(root - 1) / 2, (root + 1) / 2))


def _webb(rng: np.random.Generator, n: int) -> Array:
    roots = np.sqrt(np.array([1.5, 1.0, 0.5]))
    return np.concatenate([roots, -roots])[rng.integers(0, 6, size=n)]


_AUXILIARY: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "mammen": _mammen,
    "rademacher": lambda rng, n: 2.0 * rng.integers(0, 2, size=n) - 1.0,
    "norm": lambda rng, n: rng.standard_normal(n),
    "webb": _webb,
    "gamma": lambda rng, n: rng.gamma(4.0, 0.5, size=n) - 2.0,
}


def refuse_known(fit: Fit, instead: str = "take kind='parametric'") -> None:
    """Levels with a known covariance cannot be exchanged; what to do instead.

    Raises
    ------
    ModelError
    """
    known = [block.group for block in fit.encoding.random if block.known is not None]
    if known:
        raise ModelError(f"levels of '{known[0]}' have a known covariance and cannot be exchanged: {instead}")


def whole(i: int, effects: Array) -> Part:
    """All columns of a block."""
    return Part(i, tuple(range(effects.shape[1])))


def spread(b: Array, root: Array) -> Array:
    """Rows, centred, times A with ``A' cov A = root root'``, root lower triangular.

    A is ``(root C^-1)'`` for the Cholesky factor C of the covariance of the rows, so that the unit of a
    column does not matter; directions in which the rows do not vary stay zero.
    """
    centred = b - b.mean(axis=0)
    Q, R = np.linalg.qr(centred)
    size = np.diagonal(R) if R.size else np.zeros(0)
    kept = np.abs(size) > np.sqrt(NOTHING) * np.linalg.norm(centred, axis=0)[: len(size)]
    Q = Q * np.where(kept, np.sign(size), 0.0) * np.sqrt(len(b))
    return np.asarray(Q @ root[:, : Q.shape[1]].T)


def _scaled(errors: Array, sigma: float) -> Array:
    """Centred, of mean square sigma^2; errors that are all zero stay so."""
    errors = errors - errors.mean()
    size = np.sqrt(np.mean(errors**2))
    return errors * (sigma / size) if size else errors


def _weighted(fit: Fit, errors: Array) -> Array:
    weights = fit.design.weights
    return errors if weights is None else errors * np.sqrt(weights)


def _unweighted(fit: Fit, errors: Array) -> Array:
    weights = fit.design.weights
    return errors if weights is None else errors / np.sqrt(weights)


def _joint(fit: Fit) -> Array:
    """The columns of all random terms of the one grouping factor, (n, k)."""
    return np.hstack([rows.z for rows in fit.design.random])


def _refuse_short(fit: Fit, zz: Array) -> None:
    values = np.linalg.eigvalsh(zz / np.maximum(np.trace(zz, axis1=1, axis2=2), 1e-300)[:, None, None])
    short = np.flatnonzero(values[:, 0] <= NOTHING)
    if short.size:
        label = fit.encoding.random[0].levels[short[0]]
        raise ModelError(
            f"the level {label!r} of '{fit.encoding.random[0].group}' has too few rows to tell its "
            f"{zz.shape[1]} random effects by itself, as the random effect block bootstrap must: take "
            "kind='residual'"
        )
