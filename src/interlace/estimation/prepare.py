"""Design to criterion: columns of X that depend on others leave, what cannot be fitted is refused."""

from __future__ import annotations

from interlace.design.encoding import Encoding
from interlace.design.rows import Rows, selected
from interlace.errors import ModelError
from interlace.estimation.absorbed import Absorbed
from interlace.estimation.beside_levels import absorbed_of, beside, without_effects
from interlace.estimation.capacity import FactorTooLargeError, check_room
from interlace.estimation.crossproducts import CrossProducts
from interlace.estimation.deviance import ProfiledDeviance
from interlace.estimation.estimated import EstimatedDeviance
from interlace.estimation.identification import Identification, identify
from interlace.estimation.iterative import IterativeSystem, unsuitable
from interlace.estimation.penalized import EXACT_FIT, System
from interlace.estimation.probed import AbsorbedGram
from interlace.estimation.rank import check_rows, independent_columns
from interlace.estimation.solver import Solver
from interlace.frozen import dataclass

# Matrices of the size of X'X, and of Z'X, that a fit holds at once.
SQUARES, COPIES = 8, 4
# A factorisation of more flops is a matter of hours: the iterative engine is taken instead.
LARGEST_EXACT = 1e14
EXACTLY = Solver("exact")
MOST_PARAMETERS = 2_000  # to see what the data tell of so many is a matter of seconds
MOST_BEYOND_ROWS = 500  # and what fewer rows than parameters tell is not worth that time
EXACT = (
    "the residual variance is zero: the model fits the response exactly, so its likelihood has no maximum. "
    "Look for a random effect for each distinct value of the response, or for values repeated within groups"
)


@dataclass(frozen=True, slots=True)
class Model:
    """What was found out about the design: `kept`, `dropped` and `identification` of a `Fit`."""

    kept: tuple[int, ...]
    dropped: tuple[str, ...]
    identification: Identification


def prepare(
    encoding: Encoding, rows: Rows, *, reml: bool, n_jobs: int | None = None, solver: Solver = EXACTLY
) -> tuple[ProfiledDeviance, Model]:
    """The criterion of the rows, and what was found out about their design."""
    check_products_room(encoding)
    A = CrossProducts.of(encoding, rows)
    absorbed = absorbed_of(encoding, rows, n_jobs)
    kept = independent_columns(A, rows) if absorbed is None else beside(absorbed, rows)
    return prepare_products(
        A, kept, encoding, rows, reml=reml, n_jobs=n_jobs, absorbed=absorbed, solver=solver
    )


def prepare_products(
    A: CrossProducts,
    kept: tuple[int, ...],
    encoding: Encoding,
    rows: Rows,
    *,
    reml: bool,
    n_jobs: int | None = None,
    absorbed: Absorbed | None = None,
    solver: Solver = EXACTLY,
) -> tuple[ProfiledDeviance, Model]:
    """The same from cross-products of all columns of X, and those that do not depend on earlier ones."""
    # 1) columns of X that depend on earlier ones leave
    names = encoding.fixed_names
    dropped = () if len(kept) == len(names) else tuple(n for j, n in enumerate(names) if j not in kept)
    if dropped:
        A = A.select_fixed(kept)
    if encoding.absorbs_constant:
        dropped = tuple(name for name in dropped if name != "Intercept")
    check_rows(encoding, A.n, len(kept), "fixed effects")
    rows = selected(rows, kept)
    if absorbed is not None:
        demeaned = without_effects(absorbed, rows)
        A = A.with_response(encoding, demeaned)
        A = conditioned(A, demeaned)
    else:
        A = conditioned(A, rows)
    # 2) the pattern of the factor, and whether it fits
    criterion = criterion_of(encoding, A, reml=reml, n_jobs=n_jobs, solver=solver)
    _check_parameters(criterion)
    # 3) what the data cannot tell
    if absorbed is None:
        return criterion, Model(kept, dropped, identify(criterion, rows))
    beside_levels = AbsorbedGram.of(criterion, rows, absorbed)
    found = identify(criterion, rows, beside_levels)
    return criterion.beginning(*beside_levels.variances()), Model(kept, dropped, found)


def criterion_of(
    encoding: Encoding, A: CrossProducts, *, reml: bool, n_jobs: int | None, solver: Solver
) -> ProfiledDeviance:
    """The criterion by the engine that is asked for, or that the size of the factor asks for.

    Raises
    ------
    ModelError
        The factor does not fit in memory, and the iterative engine is not for this model or not asked for.
    """
    if solver.kind == "iterative":
        return _estimated(encoding, A, reml, n_jobs, solver)
    try:
        system = System.of(encoding, A, n_jobs)
    except FactorTooLargeError:
        if not _can_do_without(encoding, solver):
            raise
        return _estimated(encoding, A, reml, n_jobs, solver)
    if system.flops > LARGEST_EXACT and _can_do_without(encoding, solver):
        return _estimated(encoding, A, reml, n_jobs, solver)
    return ProfiledDeviance.of(system, reml=reml)


def _can_do_without(encoding: Encoding, solver: Solver) -> bool:
    """Whether the iterative engine may take the place of the factor."""
    return solver.kind == "auto" and not unsuitable(encoding)


def _estimated(
    encoding: Encoding, A: CrossProducts, reml: bool, n_jobs: int | None, solver: Solver
) -> EstimatedDeviance:
    found = EstimatedDeviance.of(IterativeSystem.by(solver, encoding, A, n_jobs), reml=reml)
    assert isinstance(found, EstimatedDeviance)
    return found


def check_products_room(encoding: Encoding) -> None:
    """Do the products of a wide fixed part fit in memory?"""
    p = len(encoding.fixed_names)
    effects = sum([block.grouping.n_levels * len(block.basis.names) for block in encoding.random])
    check_room(
        8.0 * p * (SQUARES * p + COPIES * effects),
        f"the fixed part has {p:,} columns beside {effects:,} random effects, and their products would "
        "need {}: make its largest factor a random term, or use a coarser one",
    )


def _check_parameters(criterion: ProfiledDeviance) -> None:
    n, n_par = criterion.system.A.n, criterion.n_par
    most = MOST_PARAMETERS if n_par <= n else MOST_BEYOND_ROWS
    if n_par <= most:
        return
    columns, group = max(
        ((b.columns, b.group) for b in criterion.system.encoding.random), key=lambda b: len(b[0])
    )
    rows = "" if n_par <= n else f" from fewer rows ({n:,})"
    raise ModelError(
        f"the random part has {n_par:,} variances and covariances, and {most:,} are the most that "
        f"can be estimated{rows}: the term on '{group}' alone has {len(columns):,} columns that may all be "
        "correlated; use fewer, or write (1 | g) + (1 | g:f) in place of (f | g) where f has many levels"
    )


def conditioned(A: CrossProducts, rows: Rows) -> CrossProducts:
    """The fit of the fixed effects taken from y where it is nearly all of y; refused where it is all."""
    size = A.products.yy + _total_weight(A, rows) * A.origin.y**2
    A = A.with_small_response(rows)
    if A.products.yy <= EXACT_FIT**2 * size:
        raise ModelError(EXACT)
    return A


def _total_weight(A: CrossProducts, rows: Rows) -> float:
    """Of all rows; the square of the intercept, where there is one."""
    if rows.encoding.weights is None:
        return float(A.products.n)
    if rows.encoding.intercept is not None and A.products.p:
        return float(A.products.xx[0, 0])
    return sum(
        float(design.nrows if design.weights is None else design.weights.sum()) for design in rows.cells()
    )
