"""What the library says of a model beside what R says of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from beside_r.asking import fingerprint
from beside_r.judging import Judge
from drawn.model import Model
from interlace.errors import InterlaceError

# How far two programs may differ, in the unit that the comparison gives (mostly relative).
TOLERANCE = {
    "criterion above lme4's": 1e-6,
    "criterion above the lowest of R": 1e-3,
    "criterion at the same theta": 1e-7,
    "fixef": 1e-5,
    "vcov": 1e-5,
    "sigma": 1e-7,
    "fitted": 1e-6,
    "population": 1e-6,
    "sd": 1e-6,
    "ranef": 1e-5,
    "rows": 0.0,
    "columns": 0.0,
    "singular": 0.0,
    "satterthwaite df": 1e-3,
    "kenward-roger se": 1e-5,
    "kenward-roger df": 1e-4,
    "F": 1e-4,
    "num df": 1e-6,
    "den df": 1e-3,
    "lrt": 1e-3,
    "robust": 1e-5,
    "robust df": 1e-3,
}


@dataclass(frozen=True, slots=True)
class Difference:
    """A quantity that differs, by how much, and where."""

    what: str
    size: float
    where: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} {self.size:.3g}"


def numbers(values: Any) -> np.ndarray:
    """R's numbers, of which the missing ones are text."""
    known = {"NA": np.nan, "NaN": np.nan, "Inf": np.inf, "-Inf": -np.inf, None: np.nan}
    plain = values if isinstance(values, list) else [values]
    return np.array([known[v] if v is None or isinstance(v, str) else v for v in plain], dtype=float)


def matrix(rows: Any) -> np.ndarray:
    """Rows of R's numbers."""
    return np.array([numbers(row) for row in rows])


def relative(a: Any, b: Any, scale: Any = None) -> float:
    """The largest |a - b| over the larger of both (or over `scale`); infinite where only one is NaN."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape:
        return np.inf
    size = np.maximum(np.abs(a), np.abs(b)) if scale is None else np.asarray(scale, dtype=float)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.where(same, 0.0, np.abs(a - b) / np.where(size > 0, size, 1.0))
    return float(np.where(np.isnan(off), np.inf, off).max(initial=0.0))


class Comparison:
    """All differences between a fit `m` and R's answer to the same question."""

    def __init__(self, model: Model, m: Any, theirs: dict[str, Any]) -> None:
        self.model, self.m, self.theirs = model, m, theirs
        self.judge = Judge(m)
        self.order = _columns(model, m, theirs)

    def differences(self) -> list[Difference]:
        """Those beyond the tolerances for which R is right, or nobody knows."""
        steps: list[Callable[[], Iterator[Difference]]] = [
            self._optimum,
            self._rows,
            self._estimates,
            self._tables,
        ]
        if self.order is not None:
            steps += [self._coefficients, self._degrees_of_freedom, self._robust]
        if self.m.varcorr()["variance"].isna().any():  # R prints numbers where the data tell none
            steps = [self._optimum, self._rows]
        found = []
        for step in steps:
            try:
                found += [d for d in step() if not d.size <= TOLERANCE[d.what]]
            except InterlaceError as error:
                found.append(Difference("columns", np.inf, f"refused: {error}"))
        return found

    def _optimum(self) -> Iterator[Difference]:
        value = self.m.fit.optimum.value
        shift = self._other_coding()
        lowest, default, at = (float(self.theirs[key]) + shift for key in ("lowest", "default", "criterion"))
        texts = f"{value:.9g} against {default:.9g} and {lowest:.9g}"
        yield Difference("criterion above lme4's", value - default, texts)
        yield Difference("criterion above the lowest of R", value - lowest, texts)
        yield Difference("criterion at the same theta", abs(value - at) / max(10.0, abs(value)), f"{at:.12g}")

    def _other_coding(self) -> float:
        """REML criteria of two bases of one space differ by the ratio of their determinants."""
        if not self.m.reml or not len(self.m.fixef):
            return 0.0
        X = self.m.fit.design.X[:, list(self.m.fit.kept)]
        size = np.linalg.norm(X, axis=0)
        own = 2 * np.linalg.slogdet(np.linalg.qr(X / size)[1])[1] + 2 * np.log(size).sum()
        return float(own - self.theirs["logdet"])

    def _rows(self) -> Iterator[Difference]:
        kept = self.m.fit.design.kept
        rows = np.arange(self.m.nobs) if kept is None else kept
        yield Difference("rows", relative(rows + 1, numbers(self.theirs["used"])), "rows of the fit")
        # else any theta along what the data cannot tell is an optimum, or R's answer is one about units
        if self.m.fit.identification.complete and self._is_small(False) == self._is_small(True):
            differ = float(self.m.is_singular != self.theirs["singular"])
            yield Difference("singular", differ, f"theta {self.m.theta}")
        ranks = abs(len(self.m.fixef) - len(numbers(self.theirs["fixef"])))
        yield Difference("columns", float(ranks), f"{list(self.m.fixef.index)}, in R {self.theirs['names']}")

    def _is_small(self, unit_free: bool) -> bool:
        """R's rule of singular fits, by theta as it is or in the unit of each column."""
        sizes = [np.abs(np.diag(factor)) for factor in self.m.fit.solution.factors]
        if unit_free:
            blocks = zip(sizes, self.m.fit.design.random, strict=True)
            sizes = [size * np.sqrt(np.mean(rows.z**2, axis=0)) for size, rows in blocks]
        return bool(min(map(np.min, sizes)) < 1e-4)

    def _estimates(self) -> Iterator[Difference]:
        spread = float(np.std(self.m.fit.design.y)) or 1.0
        yield Difference("sigma", relative(self.m.sigma, numbers(self.theirs["sigma"])[0]), "sigma")
        yield Difference(
            "fitted", relative(self.m.fitted, numbers(self.theirs["fitted"]), spread), "fitted values"
        )
        population = self.m.predict(random="none")
        yield Difference(
            "population", relative(population, numbers(self.theirs["population"]), spread), "predictions"
        )
        table = self.m.varcorr()
        ours = table.loc[table["term2"].isna(), "sd"].to_numpy(dtype=float)
        theirs = self.theirs["sd"]
        of_one = [row for row in theirs if row.get("var2") in (None, "NA")]
        yield Difference(
            "sd", relative(np.sort(ours), np.sort(numbers([row["sdcor"] for row in of_one]))), "varcorr"
        )
        yield from self._random_effects()

    def _random_effects(self) -> Iterator[Difference]:
        ours = self.m.ranef()
        for theirs in self.theirs["ranef"]:
            wanted = sorted(re.sub("[()]", "", theirs["group"]).split(":"))
            table = next(t for group, t in ours.items() if sorted(group.split(":")) == wanted)
            modes = matrix(theirs["modes"])
            scale = np.sqrt(np.mean(modes**2)) or 1.0
            off = relative(np.sort(table.to_numpy(), axis=0), np.sort(modes, axis=0), scale)
            yield Difference("ranef", off, f"ranef of {theirs['group']}")

    def _coefficients(self) -> Iterator[Difference]:
        V = matrix(self.theirs["vcov"])[np.ix_(self.order, self.order)]
        se = np.sqrt(np.diagonal(V))
        yield Difference(
            "fixef", relative(self.m.fixef, numbers(self.theirs["fixef"])[self.order], se), "coefficients"
        )
        yield Difference("vcov", relative(self.m.vcov(), V, np.outer(se, se)), "their covariance")

    def _degrees_of_freedom(self) -> Iterator[Difference]:
        theirs = self.theirs.get("satterthwaite")
        if theirs is not None:
            df = self.m.coef_table()["df"].to_numpy()
            off = relative(df, numbers(theirs)[self.order])
            if off > TOLERANCE["satterthwaite df"] and not self.judge.satterthwaite(df):
                yield Difference("satterthwaite df", off, f"{df} against {numbers(theirs)[self.order]}")
        theirs = self.theirs.get("kenward_roger")
        if theirs:
            table = self.m.coef_table(ddf="kenward-roger")
            se, df = (numbers(theirs[key])[self.order] for key in ("se", "df"))
            off = max(relative(table["se"], se) * 10, relative(table["df"], df))
            if off > TOLERANCE["kenward-roger df"] and not self.judge.kenward_roger(table):
                yield Difference("kenward-roger df", off, f"{table['df'].tolist()} against {df}")

    def _tables(self) -> Iterator[Difference]:
        terms = [set(members) for members in self.m.fit.encoding.fixed.members]
        whole = all({part} in terms for term in terms for part in term) and not self.model.fixed.startswith(
            "0"
        )
        for kind, theirs in enumerate(self.theirs.get("anova") or [], start=1):
            if theirs and (kind == 1 or (whole and not self.m.fit.dropped)):
                yield from self._table(f"anova type {kind}", self.m.anova(type=kind), theirs)
        if self.theirs.get("drop1") and whole:
            yield from self._table("drop1", self.m.drop1(), self.theirs["drop1"])
        yield from self._ranova()

    def _ranova(self) -> Iterator[Difference]:
        """Every likelihood ratio of R is one of ours, or R's smaller model was not fitted to the end.

        lmerTest compares `(0 + x | g)` with `(1 | g)`, which is not a part of it: no test here.
        """
        if any(term.startswith("(0 +") for term in self.model.random):
            return
        ours = self.m.ranova()["lrt"].dropna().to_numpy()
        theirs = self.theirs.get("ranova")
        for value in numbers(theirs["LRT"]) if theirs and len(ours) else []:
            if not np.isnan(value) and value > 0:
                near = np.min(np.append(np.maximum(0.0, ours - value), np.inf)[: len(ours)])
                text = f"ranova: {value:.7g} is not among {ours.tolist()}"
                yield Difference("lrt", float(near) / max(1.0, value), text)

    def _table(self, name: str, ours: pd.DataFrame, theirs: dict[str, Any]) -> Iterator[Difference]:
        labels = {_bare(label): label for label in ours.index}
        for i, term in enumerate(theirs["term"] if isinstance(theirs["term"], list) else [theirs["term"]]):
            label = labels.get(_bare(term))
            F, num, den = (numbers(theirs[key])[i] for key in ("F value", "NumDF", "DenDF"))
            if label is None or np.isnan(F) or num < ours.loc[label, "num_df"]:
                continue  # lmerTest drops directions by the units of X
            row, where = ours.loc[label], f"{name} {term}"
            yield Difference("num df", abs(row["num_df"] - num), where)
            off = relative(row["F"], F)
            if off > TOLERANCE["F"] and not self._is_exact(name, label, row["F"]):
                yield Difference("F", off, f"{where}: {row['F']:.7g} against {F:.7g}")
            off = relative(row["den_df"], den)
            if off > TOLERANCE["den df"] and num == 1 and not self._df_are_exact():
                yield Difference("den df", off, f"{where}: {row['den_df']:.7g} against {den:.7g}")

    def _is_exact(self, name: str, label: str, F: float) -> bool:
        """Whether dense matrices give this F, in tables of type 1 or 2."""
        return (
            name[-1] in "12" and self.judge.small and relative(F, self.judge.f(label, int(name[-1]))) < 1e-5
        )

    def _df_are_exact(self) -> bool:
        return self.judge.satterthwaite(self.m.coef_table()["df"].to_numpy())

    def _robust(self) -> Iterator[Difference]:
        for kind in ("CR0", "CR1", "CR1S", "CR2", "CR3"):
            theirs = self.theirs.get(kind)
            if not theirs:
                continue
            try:
                ours = self.m.vcov(kind).to_numpy()
            except InterlaceError:
                continue  # crossed factors, which clubSandwich takes for nested ones
            V = matrix(theirs)[np.ix_(self.order, self.order)]
            unit = np.maximum(np.sqrt(np.abs(np.diagonal(V))), 1e-6 * self.m.se.to_numpy())
            yield Difference("robust", relative(np.nan_to_num(ours), V, np.outer(unit, unit)), kind)


def _columns(model: Model, m: Any, theirs: dict[str, Any]) -> np.ndarray | None:
    """For each of our coefficients the number of R's; None where X is coded in another way."""
    X = m.fit.design.X[:, list(m.fit.kept)]
    used = numbers(theirs["used"]).astype(int) - 1
    if len(used) != len(X):
        return None
    own = X.T @ fingerprint(len(next(iter(model.columns.values())).values))[used]
    scale = np.linalg.norm(X, axis=0)
    off = np.abs(own[:, None] - numbers(theirs["print"])[None, :]) / np.where(scale > 0, scale, 1.0)[:, None]
    order = off.argmin(axis=1)
    exact = off[np.arange(len(own)), order] < 1e-7
    return order if exact.all() and len(set(order)) == len(numbers(theirs["print"])) else None


def _bare(label: str) -> frozenset[str]:
    """A term as the set of its parts, without what the two languages spell differently."""
    plain = (
        re.sub(r"[\s`'\"]", "", label).replace("**", "^").replace("True", "TRUE").replace("False", "FALSE")
    )
    return frozenset(re.split(r":(?![^(]*\))", plain))
