"""What is known of each row, of the data and of new ones."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

from interlace.design.written import tables_of, write
from interlace.errors import DataError
from interlace.model.fitted import Fitted
from interlace.prediction import leverage, predict, residuals, simulate, streamed

if TYPE_CHECKING:
    from interlace.callers import CallersSeries, CallersTable
    from interlace.design.written import ArrowTable
    from interlace.tables.table import Table


class StreamOptions(TypedDict, total=False):
    """What `stream` is asked by name, for type checkers."""

    data: Any
    random: str | Sequence[str]
    new_levels: str
    interval: str | None
    level: float
    se: bool


class Rows(Fitted):
    """What is known of each row, of the data and of new ones."""

    @property
    def fitted(self) -> CallersSeries:
        """`X beta + offset + Z b` of the rows used: a Series of the library of the data, or an array."""
        return self._handed.series("fitted", residuals.fitted(self._fit))

    def residuals(self, kind: str = "response") -> CallersSeries:
        """Residuals of the rows used, in the library of the data.

        Parameters
        ----------
        kind : str
            Conditional residuals `e`: "response", `y - fitted`; "pearson", times the root of the prior
            weight; "standardized", the Pearson residual over sigma (lme4's
            `resid(m, type = "pearson", scaled = TRUE)`); "studentized", over its standard deviation,
            `sigma sqrt((1 - h) / w)` for the leverage `h`; "externally-studentized", the same with the sigma
            that the other rows give at the same theta.

            Marginal residuals `r = y - offset - X beta`, with V the covariance of y and C that of beta:
            "marginal", r; "marginal-pearson", `r / sqrt(diag V)`; "marginal-studentized",
            `r / sqrt(diag(V - X C X'))`; "marginal-cholesky", `L^-1 r` for `V = L L'` with rows in their own
            order, which leaves no correlation.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
        >>> float(m.residuals("externally studentized").abs().max().round(2))
        6.06
        """
        return self._handed.series("residuals", residuals.residuals(self._fit, kind=kind))

    @overload
    def leverage(self, level: None = None) -> CallersTable: ...

    @overload
    def leverage(self, level: str) -> Table: ...

    def leverage(self, level: str | None = None) -> CallersTable | Table:
        """How much each response moves its own fitted value: the diagonal of `H` with `fitted = H y`.

        Parameters
        ----------
        level : str, optional
            A grouping factor: means over the rows of each of its levels, a DataFrame.

        Returns
        -------
        table of the library of the data, a row for each row used
            Columns `overall` = `fixef + ranef` (lme4's `hatvalues`); `fixef`, the diagonal of
            `H1 = X (X'V^-1 X)^-1 X'V^-1`, which sums to the number of coefficients; `ranef`, that of
            `H2 = Z G Z'V^-1 (I - H1)` (Demidenko and Stukel 2005); `ranef_uc`, that of `Z G Z' / sigma^2`
            (Nobre and Singer 2011). Names and definitions are HLMdiag's; prior weights are part of `V`.

        Raises
        ------
        DataError
            The model has no such grouping factor.

        Examples
        --------
        >>> import interlace
        >>> sleepstudy = interlace.datasets.load("sleepstudy")
        >>> model = interlace.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
        >>> print(model.leverage().head(2).round(4).to_string())
           overall   fixef   ranef  ranef_uc
        0   0.2293  0.0192  0.2101    0.9346
        1   0.1697  0.0138  0.1559    1.0175
        """
        if level is not None:
            return leverage.level_means(self._fit, level)
        return self._handed.table(leverage.leverage(self._fit))

    def predict(
        self,
        newdata: Any = None,
        *,
        random: str | Sequence[str] = "all",
        new_levels: str = "error",
        offset: Any = None,
        interval: str | None = None,
        level: float = 0.95,
        se: bool = False,
        weights: Any = None,
    ) -> CallersSeries | CallersTable:
        """Predicted responses, the offset included; in the library and the row order of the data given.

        Parameters
        ----------
        newdata : table, optional
            Data with the columns of the formula; the response is not needed. Without it, the rows of the fit.
        random : str or sequence of str
            "all" random effects, "none", or some of them: names of grouping factors or terms like "(1 | g)".
        new_levels : {"error", "population"}
            What to do with levels that the fit has not seen: refuse, or take their random effects as zero,
            with the variance of their distribution.
        offset : str or array-like, optional
            In place of `lmer`'s `offset=`; needed where that was an array. `offset(...)` terms are added.
        interval : {"confidence", "prediction"}, optional
            "confidence": of ``x'beta + z'b`` with the random effects chosen. "prediction": of a new response
            of the row, which also varies by the random effects that are not chosen, as those of a new level,
            and by its residual.
        level : float
            Of the intervals, between 0 and 1.
        se : bool
            True: the standard error of ``x'beta + z'b``, by the joint uncertainty of both.
        weights : str or array-like, optional
            Prior weights of new responses, where the fit had an array of them.

        Returns
        -------
        Series of the library of `newdata`, or ndarray
            Missing (null, and NaN in pandas and arrays) where a column that is needed is. With `interval` or
            `se` a table of that library: `predicted`, and `se`, `lower`, `upper` as asked for.

        Raises
        ------
        DataError
            A column is missing, a level is new, weights are needed.

        Notes
        -----
        ``Var(x'(beta^ - beta) + z'(b^ - b)) = sigma^2 w'H^-1 w`` with w = [z x] and H the matrix of the mixed
        model equations (Henderson 1975), read off the factor of the fit; a level without data adds
        ``z'Sigma z``. The variances are taken as known, and the quantiles are normal.

        References
        ----------
        Henderson, C. R. (1975). Best linear unbiased estimation and prediction under a selection model.
        Biometrics, 31, 423-447.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
        >>> new = {"Days": [10, 10], "Subject": ["308", "new"]}
        >>> print(m.predict(new, new_levels="population", interval="prediction", se=True).round(1))
           predicted    se  lower  upper
        0      450.3  15.9  391.3  509.3
        1      356.1  67.6  214.4  497.7
        """
        return predict.predict(
            self._fit,
            newdata,
            random=random,
            new_levels=new_levels,
            offset=offset,
            weights=weights,
            interval=interval,
            level=level,
            se=se,
            handed=self._handed,
        )

    @overload
    def stream(
        self, *what: str, to: None = None, **options: Unpack[StreamOptions]
    ) -> Iterator[ArrowTable]: ...

    @overload
    def stream(self, *what: str, to: str | os.PathLike[str], **options: Unpack[StreamOptions]) -> int: ...

    def stream(
        self,
        *what: str,
        data: Any = None,
        to: str | os.PathLike[str] | None = None,
        random: str | Sequence[str] = "all",
        new_levels: str = "error",
        interval: str | None = None,
        level: float = 0.95,
        se: bool = False,
    ) -> Iterator[ArrowTable] | int:
        """Values of rows chunk by chunk, so that they need not fit in memory.

        Parameters
        ----------
        *what : str
            Of the rows of the fit: "fitted", "marginal-fitted", "leverage", and kinds of `residuals` but for
            "marginal-cholesky"; "fitted" and "response" where nothing is named.
        data : source of rows, optional
            New rows, as for `interlace.chunks`, of which predictions are made: then nothing is named in
            `what`.
        to : path, optional
            A Parquet file that is written. It is there when all rows are.
        random, new_levels, interval, level, se
            Of predictions, as for `predict`.

        Returns
        -------
        iterator of pyarrow.Table
            A table for each chunk, with the number of the row in the data as "row". With `to` the number of
            rows that were written.

        Raises
        ------
        DataError
            A name is not known, the rows cannot be read, the file cannot be written.

        Examples
        --------
        >>> import interlace
        >>> sleepstudy = interlace.datasets.load("sleepstudy")
        >>> model = interlace.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
        >>> [table.num_rows for table in model.stream("fitted", "leverage")]
        [180]
        """
        asked = predict.Asked.of(interval, level, se, None)
        if data is None:
            if asked.anything or random != "all" or new_levels != "error":
                raise DataError(
                    "random, new_levels, interval and se are of predictions: give data= with them"
                )
            chunks = streamed.of_rows(self._fit, what)
        elif what:
            raise DataError("of new rows there are predictions alone: name nothing beside data=")
        else:
            chunks = streamed.of_new_rows(self._fit, data, random=random, new_levels=new_levels, asked=asked)
        return tables_of(chunks) if to is None else write(chunks, to)

    def simulate(
        self, n: int = 1, seed: simulate.Seed = None, *, random: str | Sequence[str] = "new"
    ) -> CallersTable:
        """Draw `n` new responses for the rows used: a table with columns "sim_1", "sim_2", ...

        Parameters
        ----------
        n : int
        seed : int or Generator, optional
        random : {"new", "conditional"} or sequence of str
            "new": all random effects are drawn anew, as residuals are. "conditional": they are those of the
            fit. Names of grouping factors: those are drawn anew, and the others are those of the fit.

        Examples
        --------
        >>> import interlace
        >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
        >>> m.simulate(2, seed=1, random="conditional").shape
        (180, 2)
        """
        draws = simulate.simulate(self._fit, n, seed=seed, random=random)
        return self._handed.table({f"sim_{j + 1}": draws[:, j] for j in range(draws.shape[1])})
