"""The proof of convergence that a fit carries, as facts in one line."""

from __future__ import annotations

import math

from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.precision.singular import singular_terms
from interlace.precision.unidentified import unidentified_parts
from interlace.tables.markup import page, table_html

ROUNDING = 1e-8  # a scaled gradient below this is rounding error


@dataclass(frozen=True, slots=True)
class Convergence:
    """What is known about the point where the optimiser stopped: one line, and a table in notebooks.

    Attributes
    ----------
    status : str
        Why the optimiser stopped.
    scaled_gradient : float
        `sqrt(g' H^-1 g)` for the gradient g and the Hessian H over the covariance parameters: without
        units; the criterion could still fall by half its square.
    smallest_eigenvalue : float or None
        Of the Hessian; None when there are no parameters.
    evaluations : int
        Evaluations of the criterion.
    singular : tuple of str
        Per covariance matrix of random effects that is singular, its rank and the reason.
    unidentified : tuple of str
        What the data cannot tell of the variances.
    other_value : float or None
        The criterion at the next lowest minimum, where the search met more than one.
    other_theta : tuple of float
        theta there, in the order of `m.theta`; empty where no other minimum was met.
    """

    status: str
    scaled_gradient: float
    smallest_eigenvalue: float | None
    evaluations: int
    singular: tuple[str, ...]
    unidentified: tuple[str, ...]
    other_value: float | None = None
    other_theta: tuple[float, ...] = ()

    def __str__(self) -> str:
        facts = [" ".join(pair) for pair in self._numbers().items()]
        facts.append(f"{self.evaluations} evaluation{'s' * (self.evaluations != 1)}")
        unknown = [f"the data cannot tell {part}" for part in self.unidentified]
        parts = [f"{self.status}: {', '.join(facts)}", *self.singular, *unknown, *self._other()]
        return "; ".join(parts)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        unknown = [("the data cannot tell", part) for part in self.unidentified]
        singular = [("singular", part) for part in self.singular]
        facts = [*self._numbers().items(), ("evaluations", str(self.evaluations))]
        facts += [*singular, *unknown, *(("another minimum", part) for part in self._other())]
        return page(table_html("", ("convergence", self.status), facts, "ll"))

    def _numbers(self) -> dict[str, str]:
        small = self.scaled_gradient < ROUNDING
        gradient = f"below {ROUNDING:.0e}" if small else f"{self.scaled_gradient:.1e}"
        found = {"scaled gradient": gradient}
        if self.smallest_eigenvalue is not None:
            found["smallest Hessian eigenvalue"] = f"{self.smallest_eigenvalue:.3g}"
        return found

    def _other(self) -> list[str]:
        if self.other_value is None:
            return []
        theta = ", ".join(f"{value:.4g}" for value in self.other_theta)
        return [
            f"two minima were found: the criterion is {self.other_value:.4f} at the higher one, theta {theta}"
        ]


def convergence(fit: Fit) -> Convergence:
    """The facts about the optimum of a fit."""
    optimum = fit.optimum
    return Convergence(
        status=optimum.status,
        scaled_gradient=math.sqrt(max(0.0, 2 * optimum.decrement)),
        smallest_eigenvalue=optimum.smallest_eigenvalue if optimum.par.size else None,
        evaluations=optimum.evaluations,
        singular=tuple(str(term) for term in singular_terms(fit)),
        unidentified=unidentified_parts(fit),
        other_value=None if optimum.other is None else optimum.other.value,
        other_theta=() if optimum.other is None else tuple(optimum.other.theta.tolist()),
    )
