"""Cluster-robust (sandwich) covariance of beta, with degrees of freedom by Pustejovsky and Tipton (2018)."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from interlace.arrays import Array
from interlace.errors import DataError, ModelError
from interlace.estimation.fit import Fit
from interlace.frozen import dataclass
from interlace.options import MODEL, word
from interlace.precision.clusters import clusterings
from interlace.precision.sandwiches import KINDS, Bound, bind
from interlace.precision.unidentified import known_vcov


@dataclass(frozen=True, slots=True, eq=False)
class ClusterRobust:
    """Sandwich covariance of beta: right when the random effects and their covariances are not, as long as
    clusters are independent and there are enough of them.

    With the estimated V as the working covariance, ``M = (X'V^-1X)^-1`` and residuals ``r = y - X beta``,

        Var(beta) = M (sum over clusters of X_j'V_j^-1 A_j r_j r_j' A_j' V_j^-1 X_j) M .

    As clubSandwich has it for `lmer` fits; prior weights, which it refuses, are part of V here.

    Parameters
    ----------
    kind : {"CR2", "CR0", "CR1", "CR1p", "CR1S", "CR3"}
        For J clusters, n rows and p coefficients, ``A_j A_j'`` is 1 (CR0), ``J / (J - 1)`` (CR1),
        ``J / (J - p)`` (CR1p), ``J (n - 1) / ((J - 1) (n - p))`` (CR1S, Stata's). CR2 makes the covariance
        unbiased if V is right (Bell and McCaffrey 2002), CR3 is close to the jackknife.
    cluster : str or array-like, or several in a list, optional
        A column of the data or values per row; by default the grouping factor in which all others are
        nested. Several, ``["firm", "year"]`` or a table with a column for each, let rows depend on each other
        that share a cluster of any of them.

    Notes
    -----
    From several clusterings (CR0 and the relatives of CR1) the covariance is the sum of those by each of
    them, less those by the combinations of two, and so on (Cameron, Gelbach and Miller 2011), as in
    sandwich's `vcovCL`: each with its own factor, and with ``(V^-1 X)_i r_i`` as the score of row i, for a
    random effect may reach beyond a cluster. One of them must hold the levels of each grouping factor.
    Tests have as many degrees of freedom as the fewest clusters, less one. Such a covariance need not be
    positive semidefinite.

    A standard error below 1e-7 of the model's is rounding error, as where one cluster determines a
    coefficient: it is NaN, and so is every test that rests on it. A column that the model does not use is
    read from the table of the fit, which must be as it was; a pickled model does not have it.

    Tests of one row have the t distribution with Satterthwaite's degrees of freedom; tests of several rows
    are approximate Hotelling T-squared tests (HTZ, clubSandwich's default). With `ddf="asymptotic"` they are
    normal and chi-square.

    Examples
    --------
    >>> import interlace
    >>> sleepstudy = interlace.datasets.load("sleepstudy")
    >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
    >>> print(m.coef_table(vcov="CR2")[["estimate", "se", "df"]].round(3))
               estimate     se    df
    Intercept   251.405  6.825  17.0
    Days         10.467  1.546  17.0
    >>> print(m.anova(test="chisq", vcov="CR1", cluster="Subject").round(3))
           chisq   df    p
    term
    Days  45.853  1.0  0.0
    """

    kind: str = "CR2"
    cluster: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", word("robust covariance", self.kind, KINDS))
        if isinstance(self.cluster, list) and all(isinstance(one, str) for one in self.cluster):
            object.__setattr__(self, "cluster", tuple(self.cluster))

    def __eq__(self, other: object) -> bool:
        """Same kind and same clusters, arrays by their values."""
        if not isinstance(other, ClusterRobust):
            return NotImplemented
        same = self.cluster is other.cluster or np.array_equal(self.cluster, other.cluster)
        return self.kind == other.kind and same

    def __hash__(self) -> int:
        """By value; there is none of clusters in an array, as of the array."""
        return hash((self.kind, self.cluster))

    def robust(self, vcov: ClusterRobust) -> NoReturn:
        """Refused: it is robust already."""
        raise DataError(
            f"ddf ({self.kind}) and vcov ({vcov.kind}) are both robust covariances: leave ddf out"
        )

    def bind(self, fit: Fit) -> Bound:
        """The covariance and its moments under the model.

        Raises
        ------
        ModelError
            The model has absorbed factors.
        """
        if fit.encoding.absorbed:
            raise ModelError(
                "cluster-robust covariances of mixed models with absorbed factors are not computed: the "
                "levels of the factors reach beyond clusters; write the factors as terms, or use "
                "vcov='model'"
            )
        return bind(fit, self.kind, clusterings(fit, self.cluster))


def covariance(fit: Fit, vcov: VcovLike = MODEL, *, cluster: Any = None) -> Array:
    """Covariance of beta, (p, p): that of the model, or a robust one.

    Raises
    ------
    DataError
        The kind is not known, or a cluster was given for the covariance of the model.
    """
    robust = robust_choice(with_cluster(vcov, cluster))
    return known_vcov(fit) if robust is None else robust.bind(fit).vcov


VcovLike = str | ClusterRobust | type[ClusterRobust]


def with_cluster(vcov: VcovLike, cluster: Any) -> VcovLike:
    """What is meant by ``vcov="CR2", cluster="school"``, the one way to write clusters.

    Raises
    ------
    DataError
        The covariance is that of the model, or has clusters of its own.
    """
    if cluster is None:
        return vcov
    robust = robust_choice(vcov)
    if robust is None:
        raise DataError(
            f"the covariance of the model has no clusters: write vcov='CR2' beside cluster= (there are "
            f"{', '.join(KINDS)})"
        )
    if robust.cluster is not None:
        raise DataError("clusters are given twice, in ClusterRobust(...) and by cluster=: leave one out")
    return ClusterRobust(robust.kind, cluster)


def robust_choice(vcov: VcovLike) -> ClusterRobust | None:
    """The robust covariance that is meant by a word, or itself; None for that of the model.

    Raises
    ------
    DataError
        The word is not known, or it is something else (such as a matrix, which has no degrees of freedom).
    """
    if isinstance(vcov, ClusterRobust):
        return vcov
    if vcov is ClusterRobust:
        return ClusterRobust()
    if not isinstance(vcov, str):
        raise DataError(
            f"vcov must be one of {MODEL}, {', '.join(KINDS)} (clusters are given by cluster=), not an "
            f"object of type {type(vcov).__name__}"
        )
    kind = word("vcov", vcov, (MODEL, *KINDS))
    return None if kind == MODEL else ClusterRobust(kind)
