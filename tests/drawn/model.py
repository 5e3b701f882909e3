"""Mixed models drawn at random, with data to match: formulas that lme4 fits as well."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import interlace
from drawn.columns import Column, Columns, frame
from drawn.grouping import Codes, Rng, draw_groups, named, spread

TERMS: dict[str, Any] = json.loads((Path(__file__).parent / "terms.json").read_text())
# Variance of the random effects over that of the residuals.
RATIOS = (0.0, 1e-4, 0.01, 0.1, 0.5, 1.0, 1.0, 2.0, 10.0, 100.0, 1e4)
# Functions whose knots or moments depend on the rows: R learns them before rows with missing values leave.
LEARNT = ("poly(", "ns(", "bs(", "scale(", "mean(")


@dataclass(frozen=True, slots=True)
class Model:
    """A formula, its data and the options of `lmer`."""

    seed: int
    number: int
    columns: Columns
    fixed: str
    random: tuple[str, ...]
    reml: bool = True
    weights: str | None = None
    offset: str | None = None
    contrasts: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        options = (
            f"reml={self.reml}, weights={self.weights}, offset={self.offset}, contrasts={self.contrasts}"
        )
        return f"draw({self.seed}, {self.number}): {self.formula}, {len(self.frame)} rows, {options}"

    @property
    def formula(self) -> str:
        """For Python and R alike."""
        return f"y ~ {self.fixed} + {' + '.join(self.random)}"

    @property
    def frame(self) -> pd.DataFrame:
        """A new frame, each time."""
        return frame(self.columns)

    def fit(self, data: Any = None, *, formula: str | None = None, **options: Any) -> Any:
        """The fit, or that of other data, another formula or other options."""
        given = {"reml": self.reml, "weights": self.weights, "offset": self.offset}
        given["contrasts"] = self.contrasts or None
        return interlace.lmer(
            formula or self.formula, self.frame if data is None else data, **(given | options)
        )


def draw(seed: int, number: int) -> Model:
    """The model of this number."""
    rng = np.random.default_rng([seed, number])
    n = int(
        rng.choice([rng.integers(20, 40), rng.integers(40, 150), rng.integers(150, 500)], p=[0.2, 0.5, 0.3])
    )
    codes, groupings = draw_groups(rng, n)
    columns = {name: named(rng, c) for name, c in codes.items()} | _predictors(rng, codes, n)
    weights = _weights(rng, n)
    y = _response(rng, codes, groupings, columns, n, weights)
    columns["y"] = Column.of("num", y)
    if weights is not None:
        columns["w"] = Column.of("num", weights)
    offset = "off" if rng.random() < 0.12 else None
    if offset:
        columns["off"] = Column.of("num", rng.normal(size=n) * np.std(y))
    fixed = str(rng.choice(TERMS["fixed"]))
    random = _random(rng, groupings, codes, n)
    model = Model(
        seed, number, columns, fixed, random, bool(rng.random() < 0.7), "w" if weights is not None else None,
        offset, _contrasts(rng, fixed),
    )  # fmt: skip
    return _with_gaps(rng, model) if rng.random() < 0.2 else model


def _predictors(rng: Rng, codes: Codes, n: int) -> Columns:
    group = codes[str(rng.choice(list(codes)))]
    levels = int(group.max()) + 1
    out: Columns = {}
    for name in ("x", "z"):
        values = rng.normal(size=n) + (rng.random() < 0.3) * rng.normal(size=levels)[group]
        unit = rng.choice([1.0, 10.0 ** rng.uniform(-6, 6)], p=[0.8, 0.2])
        out[name] = Column.of("num", unit * (values + rng.choice([0.0, rng.normal(0, 20)], p=[0.8, 0.2])))
    f_levels, h_levels = int(rng.integers(2, 5)), int(rng.integers(2, 4))
    f, h = spread(rng, n, f_levels), spread(rng, n, h_levels)
    if rng.random() < 0.3 and f_levels * h_levels > 4:
        h[(f == f_levels - 1) & (h == h_levels - 1)] = 0  # an empty cell
    order = [f"f{j}" for j in rng.permutation(f_levels)]
    out["f"] = Column.of("factor", [f"f{j}" for j in f], [*order, "never"] if rng.random() < 0.2 else order)
    out["h"] = Column.of("factor", [f"h{j}" for j in h], [f"h{j}" for j in range(h_levels)])
    o_levels = int(rng.integers(3, 5))
    o = spread(rng, n, o_levels)
    out["o"] = Column.of("ordered", [f"o{j}" for j in o], [f"o{j}" for j in range(o_levels)])
    out["yes"] = Column.of("bool", rng.random(n) < 0.4)
    out["p"] = Column.of("num", np.exp(rng.normal(0, 0.7, n)))
    out["k"] = Column.of("int", rng.integers(1, 4, n))
    out["xg"] = Column.of("num", rng.normal(size=levels)[group])
    out["fg"] = Column.of("text", [f"t{j}" for j in rng.integers(0, 3, levels)[group]])
    out["dup"] = Column.of("num", [2 * v - 3 for v in out["x"].values])
    return out


def _weights(rng: Rng, n: int) -> np.ndarray | None:
    how = rng.choice(["none", "gamma", "counts", "decades"], p=[0.8, 0.07, 0.07, 0.06])
    if how == "none":
        return None
    if how == "gamma":
        return rng.gamma(3, 1, n) + 0.05
    return rng.integers(1, 6, n).astype(float) if how == "counts" else 10.0 ** rng.uniform(-3, 3, n)


def _response(
    rng: Rng, codes: Codes, groupings: list[str], columns: Columns, n: int, weights: np.ndarray | None
) -> np.ndarray:
    y = np.zeros(n)
    for name in (name for name in columns if name not in codes):
        v = columns[name].numbers()
        y += rng.normal() * rng.choice([0.0, 0.3, 2.0]) * (v - v.mean()) / (v.std() or 1.0)
    x = columns["x"].numbers()
    x = (x - x.mean()) / (x.std() or 1.0)
    for grouping in groupings:
        for cell in _cells_of(grouping, codes):
            levels = int(cell.max()) + 1
            intercepts = rng.normal(size=levels) * np.sqrt(rng.choice(RATIOS))
            slopes = rng.normal(size=levels) * np.sqrt(rng.choice(RATIOS[:-1])) * (rng.random() < 0.4)
            y += intercepts[cell] + slopes[cell] * x
    noise = rng.normal(size=n) if rng.random() < 0.8 else rng.standard_t(3, size=n)
    y += noise if weights is None else noise / np.sqrt(weights)
    how = rng.choice(["plain", "units", "shifted", "rounded"], p=[0.55, 0.2, 0.15, 0.1])
    if how == "units":
        return y * 10.0 ** rng.uniform(-6, 6)
    return np.round(y, 1) if how == "rounded" else y + (how == "shifted") * rng.choice([100.0, -1e4, 1e5])


def _cells_of(grouping: str, codes: Codes) -> list[np.ndarray]:
    """Codes of every grouping factor that a grouping stands for: of a and of a:b for a/b."""
    names = re.split("[/:]", grouping)
    depths = range(1, len(names) + 1) if "/" in grouping else [len(names)]
    stacked = [np.stack([codes[name] for name in names[:depth]]) for depth in depths]
    return [np.unique(cells, axis=1, return_inverse=True)[1].ravel() for cells in stacked]


def _random(rng: Rng, groupings: list[str], codes: Codes, n: int) -> tuple[str, ...]:
    terms: list[str] = []
    for i, grouping in enumerate(groupings):
        most = max(int(cell.max()) + 1 for cell in _cells_of(grouping, codes))
        fitting = [columns for columns, k in TERMS["random"].items() if k * most < n]
        allowed = fitting if fitting and (not i or rng.random() < 0.5) else ["1"]
        p = np.array([{"1": 14, "x": 5}.get(columns, 1) for columns in allowed], dtype=float)
        columns = str(rng.choice(allowed, p=p / p.sum()))
        style = (
            rng.choice(["|", "||", "two"], p=[0.6, 0.2, 0.2])
            if columns in ("x", "x + z", "scale(x)")
            else "|"
        )
        if style == "two":
            parts = columns.split(" + ")
            terms += [f"(1 | {grouping})", *(f"(0 + {part} | {grouping})" for part in parts)]
        else:
            terms.append(f"({columns} {style} {grouping})")
    return tuple(str(term) for term in rng.permutation(terms))


def _contrasts(rng: Rng, fixed: str) -> dict[str, str]:
    if rng.random() < 0.7 or "C(" in fixed or "relevel" in fixed:
        return {}
    bare = [name for name in ("f", "h") if re.search(rf"\b{name}\b", fixed)]
    return {name: str(rng.choice(["sum", "helmert", "treatment"])) for name in bare}


def _with_gaps(rng: Rng, model: Model) -> Model:
    """Some values are missing."""
    if any(word in model.formula for word in LEARNT):
        return model
    columns = dict(model.columns)
    for name in ("y", "x", "f", *(name for name in "abcdg" if name in columns)):
        column = columns[name]
        gone = rng.random(len(column.values)) < rng.choice([0.0, 0.01, 0.04])
        kept = [None if out else v for v, out in zip(column.values, gone, strict=True)]
        columns[name] = Column.of(column.kind, kept, column.levels)
    columns["dup"] = Column.of("num", [None if v is None else 2 * v - 3 for v in columns["x"].values])
    return Model(**{name: getattr(model, name) for name in model.__slots__} | {"columns": columns})
