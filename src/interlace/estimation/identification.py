"""Which variances and covariances the data can tell.

The data tell a direction of the covariance parameters if ``P (sigma^2 I + Z D Z') P`` changes along it, where
P projects off the columns of X (of weighted rows). Three things can be in the way:

- the columns of Z lie in the span of X (`lost`): the fixed effects take up all that the term could show;
- two directions change the covariance of y in the same way (`unchanged`), as two terms with one partition;
- they differ within the span of X only (`confounded`).

Where the residual variance is one of the directions, there is no model to be fitted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from interlace import kernel
from interlace.design.design import Design
from interlace.design.encoding import Encoding
from interlace.design.rows import Rows
from interlace.errors import ModelError
from interlace.estimation.covariance import Unstructured
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.deviance import ProfiledDeviance
from interlace.estimation.gram import Gram
from interlace.estimation.parameters import Parameters
from interlace.estimation.probed import AbsorbedGram, ProbedGram
from interlace.estimation.rank import ROWS_AT_ONCE, TOLERANCE
from interlace.frozen import dataclass

Array = NDArray[np.floating]
Direction = tuple[Array, ...]  # a symmetric matrix per covariance block

# Eigenvalues of the inner products, over their units: above the first nothing is in doubt, below the second
# they are rounding error.
CERTAIN, NOTHING = 1e-8, 1e-11
# Share of a column of Z that X leaves, of its square: below it the rows are asked, below `TOLERANCE` of its
# length it is nothing.
IN_DOUBT = 1e-5
# Where asking the rows would take more operations than this, cross-products decide.
LARGEST = 2e10
# Share of the largest component of a direction that is rounding error.
INVOLVED = 1e-4
WIDEST = 60  # effects of a level, where some have a structured covariance


@dataclass(frozen=True, slots=True)
class Identification:
    """What the data cannot tell about the covariance matrices of the random effects about the origin.

    Attributes
    ----------
    lost : tuple of ndarray, (k, c)
        Per covariance block, combinations of its effects that are seen in the fixed effects only.
    absorbed : tuple of int
        Blocks whose every covariance matrix can be had by adding to those of the others.
    unchanged : tuple of Direction
        Directions along which the covariance of y does not change.
    confounded : tuple of Direction
        Directions along which it changes, but within the columns of X only.
    n_parameters : int
        Covariance parameters that the data tell, sigma^2 not counted.
    """

    lost: tuple[Array, ...]
    absorbed: tuple[int, ...] = ()
    unchanged: tuple[Direction, ...] = ()
    confounded: tuple[Direction, ...] = ()
    n_parameters: int = 0

    @property
    def complete(self) -> bool:
        """Do the data tell everything?"""
        return not (self.unchanged or self.confounded or any([U.size for U in self.lost]))

    def superfluous(self, *, reml: bool) -> tuple[Array, ...]:
        """Combinations of effects, as `lost`, without which the criterion has the same minimum.

        Likelihoods that are not restricted depend on what is lost to the fixed effects.
        """
        if reml and not self.absorbed:
            return self.lost
        return tuple(
            np.identity(len(U)) if i in self.absorbed else U if reml else U[:, :0]
            for i, U in enumerate(self.lost)
        )

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Those that are not lost to the fixed effects."""
        return self.unchanged + self.confounded


def identify(criterion: ProfiledDeviance, rows: Rows, beside: AbsorbedGram | None = None) -> Identification:
    """What the data tell of the parameters of a criterion.

    Parameters
    ----------
    criterion : ProfiledDeviance
        As `ProfiledDeviance.of` makes it.
    rows : Rows
        Of them X has the columns that are in the model.
    beside : AbsorbedGram, optional
        Where there are absorbed factors.

    Raises
    ------
    ModelError
        The random effects can stand in for the residuals.
    """
    A, parameters, system = criterion.system.A, criterion.parameters, criterion.system
    told = Identification(parameters.nothing, n_parameters=parameters.counted)
    linked = any([Q is not None for Q in system.precisions])
    if beside is not None:
        _refuse_lost(beside, system.encoding)
        return told
    # 1) nearly always everything is told
    if (not linked and _plain_to_see(A)) or _too_wide(parameters):
        return told
    gram = Gram(A, parameters.natural, parameters.structures)
    if linked:
        gram = ProbedGram(A, parameters.natural, parameters.structures, system, rows.design)
    if _told(gram):
        return told
    if not all(isinstance(s, Unstructured) for s in parameters.structures):
        return _of_structures(criterion, rows, gram)
    # 2) columns of Z that X has taken; those that it has nearly taken are told, if not well
    split = [_split(gram, rows, i, left) for i, left in enumerate(gram.left())]
    lost = tuple(B @ gone for B, (_, gone) in zip(parameters.natural, split, strict=True))
    gram = gram.within(tuple(B @ free for B, (free, _) in zip(parameters.natural, split, strict=True)))
    # 3) directions that are the same as others
    unchanged, confounded, absorbed = _same_as_others(criterion, gram)
    n = sum(s.counted for s in gram.structures) - len(unchanged) - len(confounded)
    return Identification(lost, absorbed, unchanged, confounded, n)


def _refuse_lost(gram: AbsorbedGram, encoding: Encoding) -> None:
    """Absorbed factors leave something of every variance and covariance that no other tells, or there is no
    model.

    Raises
    ------
    ModelError
    """
    _, units = gram.plain()
    found = gram.projected(units)
    terms = [block.text() for block in encoding.random]
    lost = [terms[i] for i in sorted(set(gram.block[np.diagonal(found)[:-1] < NOTHING].tolist()))]
    names = ", ".join(str(one.term) for one in encoding.absorbed)
    if lost:
        raise ModelError(
            f"nothing is left of {' and '.join(lost)} beside the absorbed factors {names} and the fixed "
            "part: its random effects are sums of theirs, as where the absorbed factor is equal to the "
            "grouping factor or nested in it; leave one of the two out"
        )
    if np.linalg.eigvalsh(found)[0] < NOTHING:
        raise ModelError(
            f"the variances of {' and '.join(terms)} cannot be told from each other or from that of the "
            f"residuals beside the absorbed factors {names}: leave a random term or a factor out"
        )


def _of_structures(criterion: ProfiledDeviance, rows: Rows, gram: Gram) -> Identification:
    """The same where some covariances have a structure: a term is lost to X as a whole, or its directions are
    confounded within X one by one."""
    blocks = zip(gram.bases, gram.structures, gram.left(), strict=True)
    bases, structures, lost = [], [], []
    for i, (B, s, left) in enumerate(blocks):
        gone = not _split(gram, rows, i, left)[0].shape[1]
        bases.append(B[:, :0] if gone else B)
        structures.append(Unstructured(0) if gone else s)
        lost.append(B if gone else B[:, :0])
    rest = replace(gram, bases=tuple(bases), structures=tuple(structures))
    unchanged, confounded, _ = _same_as_others(criterion, rest)
    n = sum(s.counted for s in structures) - len(unchanged) - len(confounded)
    return Identification(tuple(lost), unchanged=unchanged, confounded=confounded, n_parameters=n)


def _too_wide(parameters: Parameters) -> bool:
    """Would sums over all pairs of pairs of effects of a level be too large? Then all is taken as told."""
    structured = not all(isinstance(s, Unstructured) for s in parameters.structures)
    return structured and max(parameters.layout.k) > WIDEST


def _same_as_others(
    criterion: ProfiledDeviance, gram: Gram
) -> tuple[tuple[Direction, ...], tuple[Direction, ...], tuple[int, ...]]:
    """Directions along which nothing changes and those within X, and blocks that can be left out.

    Raises
    ------
    ModelError
        The random effects can stand in for the residuals.
    """
    plain, units = gram.plain()
    values, vectors = np.linalg.eigh(gram.projected(units))
    null = vectors[:, values < NOTHING]
    if np.linalg.norm(null[-1]) > INVOLVED:
        raise ModelError(_refusal(criterion, gram, null))
    null = null[:-1]
    change, turn = np.linalg.eigh(null.T @ plain @ null)
    null = null @ turn
    found = [_direction(gram, units * null[:, j]) for j in range(null.shape[1])]
    same = [bool(value < NOTHING) for value in change]
    absorbed: tuple[int, ...] = ()
    if all(isinstance(s, Unstructured) for s in gram.structures):
        absorbed = _absorbed(gram, null[:, np.array(same, dtype=np.bool_)], units)
    unchanged = tuple(d for d, s in zip(found, same, strict=True) if s)
    return unchanged, tuple(d for d, s in zip(found, same, strict=True) if not s), absorbed


def _plain_to_see(A: CrossProducts) -> bool:
    """Is everything told whatever X is? So in nearly all models, and seen at little cost."""
    layout, p = A.layout, A.products.p
    if layout.effects >= A.products.n - p:
        return False
    if len(layout.levels) > 1:
        return set(layout.k) == {1} and _variances_told(A)
    # ``Z D Z'`` has at least the rank of Z within every level, and P takes twice the rank of X at most
    return layout.k[0] <= 2 and kernel.full_levels(A.products, 0, IN_DOUBT) > 2 * p


def _variances_told(A: CrossProducts) -> bool:
    """`_told` at its first sight, for one effect per level of every grouping factor."""
    factors, p = range(len(A.layout.levels)), A.products.p
    own = [np.asarray(A.products.zz_diagonal(f)).ravel() for f in factors]
    norm = np.array([np.sqrt(zz @ zz) for zz in own])
    products = np.identity(len(norm))
    for f in factors:
        for g in range(f):
            value = A.products.zz_pair(g, f)[2].ravel()
            products[f, g] = products[g, f] = value @ value / (norm[f] * norm[g])
    largest = max(float(zz.max()) / size for zz, size in zip(own, norm, strict=True)) ** 2
    return bool(float(np.linalg.eigvalsh(products)[0]) > max(CERTAIN, 2 * p * len(norm) * largest))


def _told(gram: Gram) -> bool:
    """Are there more independent directions than X and the residuals could hide, or than they do hide?"""
    A, p = gram.A, gram.A.products.p
    plain, units = gram.plain()
    smallest = float(np.linalg.eigvalsh(plain)[0])
    effects = sum(n * k for n, k in zip(A.layout.levels, A.layout.k, strict=True))
    if effects < A.n - p and smallest > max(CERTAIN, 2 * p * len(units) * gram.largest):
        return True
    return float(np.linalg.eigvalsh(gram.projected(units))[0]) > CERTAIN


def _split(gram: Gram, rows: Rows, i: int, left: Array) -> tuple[Array, Array]:
    """Orthonormal directions of block i that X leaves, surely, and those of which it leaves nothing."""
    values, vectors = np.linalg.eigh(left)
    doubt = int((values < IN_DOUBT).sum())  # ascending
    free, doubtful = vectors[:, doubt:], vectors[:, :doubt]
    if not doubt:
        return free, doubtful
    values, turn = np.linalg.eigh(_left_by_rows(gram, rows, i, doubtful))
    return free, doubtful @ turn[:, values < TOLERANCE**2]


def _left_by_rows(gram: Gram, rows: Rows, i: int, directions: Array) -> Array:
    """What X leaves of ``sum over levels of Z'Z / levels`` in these directions, (c, c), from the rows."""
    A, c = gram.A, directions.shape[1]
    p, levels = A.products.p, A.layout.levels[A.layout.places[i].group]
    if rows.n * float(p + levels * c) ** 2 > LARGEST:
        left = gram.left()[i]
        found = directions.T @ left @ directions
        return np.where(np.abs(found) < NOTHING, 0.0, found)
    R = np.zeros((0, p + levels * c))
    for design in rows.cells():
        for wide in _rows(gram, design, i, directions, levels):
            R = np.asarray(np.linalg.qr(np.vstack([R, wide]), mode="r"))
    left = R[p:, p:].reshape(-1, levels, c)
    return np.asarray(np.einsum("nla,nlb->ab", left, left) / levels)


def _rows(gram: Gram, design: Design, i: int, directions: Array, levels: int) -> Iterator[Array]:
    """Weighted rows of X and of a column for each level and direction, about the origin, some at a time."""
    origin, random, c = gram.A.origin, design.random[i], directions.shape[1]
    for start in range(0, design.nrows, ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        z = (random.z[part] - origin.z[i]) @ (gram.bases[i] @ directions)
        wide = np.zeros((len(z), levels, c))
        wide[np.arange(len(z)), random.codes[part]] = z
        rows = np.hstack([design.fixed.rows(part) - origin.x, wide.reshape(len(z), -1)])
        yield rows if design.weights is None else rows * np.sqrt(design.weights[part, None])


def _absorbed(gram: Gram, null: Array, units: Array) -> tuple[int, ...]:
    """Blocks that can be left out, the last ones first, as whatever they add the others can add.

    `null` has the directions along which the covariance of y stays, one per column, in these units.
    """
    out: list[int] = []
    block = gram.block
    for i in reversed(range(len(gram.sizes))):
        own = block == i
        if not own.any() or np.linalg.matrix_rank(null[own], tol=INVOLVED) < own.sum():
            continue
        # the directions that take this matrix away and leave the blocks that are gone already
        fixed = own | np.isin(block, out)
        take = units[:, None] * null @ np.linalg.pinv(null[fixed], rcond=INVOLVED) / units[fixed]
        adds = [_matrices(gram, -take @ _entries(gram, i, D)[fixed]) for D in _rank_one(gram.sizes[i])]
        if all(_takes_the_place(i, out, matrices) for matrices in adds):
            out.append(i)
    return tuple(out)


def _takes_the_place(i: int, gone: list[int], matrices: list[Array]) -> bool:
    """Is what the others must add a covariance matrix, and is nothing asked of those that are gone?"""
    for j, D in enumerate(matrices):
        smallest = np.linalg.eigvalsh(D)[0] if len(D) > 1 else D.min(initial=0.0)
        if (j in gone and np.abs(D).max(initial=0.0) > INVOLVED) or (j != i and smallest < -INVOLVED):
            return False
    return True


def _rank_one(r: int) -> list[Array]:
    """Covariance matrices whose sums, with any signs, are all symmetric matrices."""
    e = np.identity(r)
    vectors = [e[a] for a in range(r)] + [
        e[a] + s * e[b] for a in range(r) for b in range(a) for s in (1, -1)
    ]
    return [np.outer(v, v) for v in vectors]


def _entries(gram: Gram, i: int, D: Array) -> Array:
    """The parameters of a matrix in block i without a structure, all others zero."""
    own = np.array([D[row, col] for row, col in gram.structures[i].entries])
    return np.concatenate([own if j == i else np.zeros(s.n_par) for j, s in enumerate(gram.structures)])


def _direction(gram: Gram, values: Array) -> Direction:
    """The symmetric matrices, about the origin, of a direction in the parameters."""
    return tuple(B @ D @ B.T for B, D in zip(gram.bases, _matrices(gram, values), strict=True))


def _matrices(gram: Gram, values: Array) -> list[Array]:
    """The symmetric matrices, (r, r), of parameters."""
    out, at = list[Array](), 0
    for s in gram.structures:
        tangents = s.tangents
        n, r, _ = tangents.shape
        out.append((values[at : at + n] @ tangents.reshape(n, r * r)).reshape(r, r))
        at += n
    return out


def _refusal(criterion: ProfiledDeviance, gram: Gram, null: Array) -> str:
    along = np.abs(null @ null[-1])[:-1]
    blocks = {int(gram.block[j]) for j in np.flatnonzero(along > INVOLVED * along.max(initial=0.0))}
    encoding, n, p = criterion.system.encoding, gram.A.n, gram.A.products.p
    terms = [encoding.random[i].text() for i in sorted(blocks)]
    count = {i: len(encoding.random[i].levels) * len(encoding.random[i].columns) for i in blocks}
    effects, one = sum(count.values()), count == {i: len(encoding.random[i].levels) for i in blocks}
    if not terms:
        return f"{n} rows and {p} fixed effects leave nothing that could tell a residual variance"
    what = "variance" if one and len(terms) == 1 else "variances"
    return (
        f"the {what} of {' and '.join(terms)} cannot be told from the residuals: {effects} random effects "
        f"can stand in for every residual of {n} rows, as with one row per level; drop a term, use fewer "
        "columns in it, or a coarser grouping factor"
    )
