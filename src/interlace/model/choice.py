"""Which covariance a table of a linear model has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from interlace.errors import DataError, shown
from interlace.options import KEPT, MODEL
from interlace.precision import ols_covariance, robust, small_sample

if TYPE_CHECKING:
    from interlace.estimation.ols_fit import LeastSquaresFit
    from interlace.precision.df import DdfLike, VcovLike
    from interlace.precision.ols_covariance import ResidualDdf
    from interlace.precision.small_sample import SmallSample

_ELSEWHERE = {
    "hetero": "HC1",
    "robust": "HC1",
    "white": "HC1",
    "cluster": "CR1",
    "twoway": "CR1",
    "crv1": "CR1",
    "crv3": "CR3",
    "standard": "iid",
    "nonrobust": "iid",
    "ols": "iid",
}


def covariance_kind(vcov: Any, cluster: Any) -> str:
    """The kind of covariance that is asked for; without one "iid", or "CR1" with clusters.

    Raises
    ------
    DataError
        It is not known, or has clusters where there are none.
    """
    if vcov is None:
        return "iid" if cluster is None else "CR1"
    if not isinstance(vcov, str):
        raise DataError(
            f"vcov must be one of {', '.join(ols_covariance.KINDS)}, not {shown(vcov)}; clusters are given "
            "by cluster='firm'"
        )
    kind = next((one for one in ols_covariance.KINDS if one.lower() == vcov.strip().lower()), None)
    if kind is None:
        known = _ELSEWHERE.get(vcov.strip().lower())
        hint = f": did you mean '{known}'?" if known else ""
        raise DataError(
            f"vcov {shown(vcov)} is not known{hint} (there are {', '.join(ols_covariance.KINDS)})"
        )
    if cluster is not None and not kind.startswith("CR"):
        raise DataError(f"vcov='{kind}' has no clusters; leave cluster out, or take 'CR1' or 'CR3'")
    return kind


def plain_choice(vcov: Any, cluster: Any) -> tuple[Any, Any]:
    """Kind and clusters, one beside the other, of `ClusterRobust(kind, cluster=...)` too.

    Raises
    ------
    DataError
        There are clusters twice.
    """
    if isinstance(vcov, type) and issubclass(vcov, robust.ClusterRobust):
        vcov = vcov()
    if not isinstance(vcov, robust.ClusterRobust):
        return vcov, cluster
    if cluster is not None and vcov.cluster is not None:
        raise DataError("clusters are given twice, in ClusterRobust(...) and by cluster=: leave one out")
    return vcov.kind, vcov.cluster if cluster is None else cluster


class Choice:
    """The covariances of a fit, that of the model unless another is asked for."""

    def __init__(
        self,
        fit: LeastSquaresFit,
        kind: str,
        cluster: Any,
        small: SmallSample,
        own: ResidualDdf | None = None,
    ) -> None:
        self._fit, self.kind, self.cluster, self.small = fit, kind, cluster, small
        self._own = own or ols_covariance.bind(fit, kind, cluster, small)

    @property
    def parts(self) -> tuple[Any, ...]:
        """What makes the same choice of the same fit."""
        return self.kind, self.cluster, self.small, self._own

    def without_rows(self, fit: LeastSquaresFit) -> Choice:
        """The same covariance of the same fit without its rows."""
        rule = ols_covariance.Rule(fit, self.kind, (), self.small)
        return Choice(fit, self.kind, None, self.small, replace(self._own, rule=rule))

    def of_another(self, fit: LeastSquaresFit) -> Choice:
        """The same choice for a fit of the same rows."""
        return Choice(fit, self.kind, self.cluster, self.small)

    def other(self, vcov: Any, cluster: Any, ssc: Any) -> Callable[[LeastSquaresFit], Choice]:
        """What makes a choice for another fit: this one, with what is not `KEPT` in its place.

        Clusters that come without a kind, or go, change the kind where that is not of clusters, or is.
        """
        if vcov is not KEPT:
            vcov, cluster = plain_choice(vcov, cluster)
        clusters = self.cluster if cluster is KEPT else cluster
        kind = self.kind if vcov is KEPT else vcov
        if vcov is KEPT and self.kind.startswith("CR") != (clusters is not None):
            kind = None
        kind = covariance_kind(kind, clusters)
        small = self.small if ssc is KEPT else small_sample.small_sample(ssc)
        return lambda fit: Choice(fit, kind, clusters if kind.startswith("CR") else None, small)

    def ddf(self, ddf: DdfLike = "satterthwaite", vcov: VcovLike = MODEL, cluster: Any = None) -> ResidualDdf:
        """The covariance and its degrees of freedom."""
        found = self.of(vcov, cluster)
        if ddf == "satterthwaite":  # what means have where nothing is said
            return found
        if ddf == "asymptotic":
            return replace(found, den_df=np.inf, name="asymptotic", description="the normal distribution")
        raise DataError(
            f"ddf={shown(ddf)} is of models with random effects; here tests have the degrees of freedom of "
            "the residuals or of the clusters, and with ddf='asymptotic' infinite ones"
        )

    def of(self, vcov: Any, cluster: Any = None) -> ResidualDdf:
        """Another kind, with the clusters of the model if there are none of its own."""
        vcov, cluster = plain_choice(vcov, cluster)
        if vcov == MODEL and cluster is None:
            return self._own
        kind = covariance_kind(None if vcov == MODEL else vcov, cluster)
        clusters = self.cluster if cluster is None and kind.startswith("CR") else cluster
        return ols_covariance.bind(self._fit, kind, clusters, self.small)
