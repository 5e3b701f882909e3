"""Denominator degrees of freedom: the methods by name, and what each is bound to a fit by."""

from __future__ import annotations

from typing import Literal, NoReturn, Protocol

import numpy as np

from interlace.arrays import Array
from interlace.errors import DataError, shown
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.options import MODEL, word
from interlace.precision import kenward_roger, satterthwaite
from interlace.precision.robust import ClusterRobust, VcovLike, robust_choice
from interlace.precision.sandwich import normal_test
from interlace.precision.sandwiches import Bound
from interlace.precision.unidentified import as_far_as_known
from interlace.precision.wald import Ddf, FTest, Worded, mean, scores, standard_errors

__all__ = [
    "WORDS",
    "Asymptotic",
    "Ddf",
    "DdfLike",
    "DdfMethod",
    "FTest",
    "KenwardRoger",
    "Satterthwaite",
    "VcovLike",
    "ddf_method",
]

INFORMATION = ("expected", "observed")


class DdfMethod(Protocol):
    """A choice of method with its options; `bind` does the work for one fit."""

    def bind(self, fit: Fit) -> Ddf:
        """The method's answers for this fit."""
        ...

    def robust(self, vcov: ClusterRobust) -> DdfMethod:
        """The method with a cluster-robust covariance in place of the model's."""
        ...


@dataclass(frozen=True, slots=True)
class Satterthwaite:
    """Satterthwaite's approximation as lmerTest defines it; for fits by REML and by maximum likelihood."""

    def bind(self, fit: Fit) -> Ddf:
        """Degrees of freedom from the covariance of the variance parameters."""
        return as_far_as_known(fit, satterthwaite.bind(fit))

    def robust(self, vcov: ClusterRobust) -> DdfMethod:
        """The degrees of freedom of a robust covariance are Satterthwaite's."""
        return vcov


@dataclass(frozen=True, slots=True)
class KenwardRoger:
    """Kenward and Roger (1997): adjusted covariance of beta, scaled F, and its degrees of freedom.

    Parameters
    ----------
    information : {"expected", "observed"}
        The information about the variance parameters: "expected" is that of the paper and of pbkrtest,
        "observed" (the Hessian of the REML criterion) that of SAS and JMP.
    """

    information: Literal["expected", "observed"] = "expected"

    def __post_init__(self) -> None:
        object.__setattr__(self, "information", word("information", self.information, INFORMATION))

    def bind(self, fit: Fit) -> Ddf:
        """Adjusted covariance and what its degrees of freedom follow from."""
        return as_far_as_known(fit, kenward_roger.bind(fit, self.information))

    def robust(self, vcov: ClusterRobust) -> NoReturn:
        """Refused: the method adjusts the covariance of the model."""
        raise DataError(
            f"Kenward-Roger adjusts the covariance of the model and cannot be had with vcov {vcov.kind}: "
            "take ddf='satterthwaite' or ddf='asymptotic'"
        )


@dataclass(frozen=True, slots=True)
class Asymptotic:
    """Infinite degrees of freedom: t is taken as normal, F times its numerator df as chi-square."""

    def bind(self, fit: Fit) -> Ddf:
        """No work is needed."""
        vcov = fit.vcov
        return as_far_as_known(fit, AsymptoticDdf(fit.solution.beta, vcov))

    def robust(self, vcov: ClusterRobust) -> DdfMethod:
        """Normal and chi-square tests by the robust covariance."""
        return _RobustAsymptotic(vcov)


@dataclass(frozen=True, slots=True)
class _RobustAsymptotic:
    vcov: ClusterRobust

    def bind(self, fit: Fit) -> Ddf:
        return _RobustAsymptoticDdf(self.vcov.bind(fit))

    def robust(self, vcov: ClusterRobust) -> NoReturn:
        self.vcov.robust(vcov)


@dataclass(frozen=True, slots=True, repr=False)
class AsymptoticDdf(Worded):
    beta: Array
    vcov: Array
    note: str = ""

    @property
    def name(self) -> str:
        return "asymptotic"

    @property
    def description(self) -> str:
        return "the normal distribution"

    def se(self, L: Array) -> Array:
        return standard_errors(L, self.vcov)

    def df(self, L: Array) -> Array:
        return np.full(len(L), np.inf)

    def f_test(self, L: Array, rhs: Array | float = 0.0) -> FTest:
        _, t2 = scores(L, self.vcov, L @ self.beta - rhs)
        return FTest(mean(t2), float(t2.size), np.inf)


@dataclass(frozen=True, slots=True, repr=False)
class _RobustAsymptoticDdf(Worded):
    bound: Bound

    @property
    def name(self) -> str:
        return f"asymptotic, {self.bound.name}"

    @property
    def description(self) -> str:
        return f"the normal distribution with a cluster-robust covariance ({self.bound.kind})"

    @property
    def covariance(self) -> str:
        return self.bound.covariance

    @property
    def vcov(self) -> Array:
        return self.bound.vcov

    @property
    def note(self) -> str:
        return self.bound.note

    def se(self, L: Array) -> Array:
        return self.bound.se(L)

    def df(self, L: Array) -> Array:
        return np.where(np.isnan(self.bound.se(L)), np.nan, np.inf)

    def f_test(self, L: Array, rhs: Array | float = 0.0) -> FTest:
        return normal_test(self.bound, L, rhs)


DdfLike = str | DdfMethod | type[DdfMethod]

_METHODS: dict[str, DdfMethod] = {
    "satterthwaite": Satterthwaite(),
    "kenward-roger": KenwardRoger(),
    "asymptotic": Asymptotic(),
}
WORDS = tuple(_METHODS)


def ddf_method(ddf: DdfLike, vcov: VcovLike = MODEL) -> DdfMethod:
    """The method of a word, or the object itself; with a robust covariance if one is asked for.

    Raises
    ------
    DataError
        A word is not known, or the method cannot be had with a robust covariance.

    Examples
    --------
    >>> ddf_method("satterthwaite")
    Satterthwaite()
    >>> ddf_method("satterthwaite", "CR2")
    ClusterRobust(kind='CR2', cluster=None)
    """
    method, robust = _by_word(ddf), robust_choice(vcov)
    return method if robust is None else method.robust(robust)


def _by_word(ddf: DdfLike) -> DdfMethod:
    if not isinstance(ddf, str):
        if not hasattr(ddf, "bind"):
            raise DataError(
                f"ddf must be one of {', '.join(WORDS)}, or an object such as KenwardRoger(), "
                f"not {shown(ddf)}"
            )
        return ddf() if isinstance(ddf, type) else ddf  # the class in place of an object
    return _METHODS[word("ddf", ddf, WORDS)]
