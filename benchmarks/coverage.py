"""How often intervals cover the truth, in small designs.

    python benchmarks/coverage.py [--designs a,b] [--sets 2000] [--draws 500] [--predicted 2000]
                                  [--jobs 2] [--output FILE]

Each data set is drawn from a model whose parameters are known, the model is fitted, and every interval is
looked at: does it hold the truth, and how wide is it? What is counted is kept after every few data sets in
`build/coverage`, so that a run that was ended goes on. A run over everything writes `docs/coverage.md`.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from coverage_designs import DESIGNS, Design, Draw

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SCRATCH = ROOT / "build" / "coverage"
TARGET = ROOT / "docs" / "coverage.md"
LEVEL = 0.95
BLOCK = 20  # data sets between two times that counts are kept
METHODS = {
    "wald": "Wald (z)",
    "satterthwaite": "Satterthwaite",
    "kenward-roger": "Kenward-Roger",
    "profile": "profile",
    "percentile": "bootstrap percentile",
    "bca": "bootstrap BCa",
}
PREDICTIONS = ("known group", "new group")


def intervals(model: Any, draws: int, seed: int) -> dict[str, pd.DataFrame]:
    """By method a table with `lower` and `upper`; a method that has none is left out."""
    found = {"wald": model.confint(ddf="asymptotic")}
    for ddf in ("satterthwaite", "kenward-roger"):
        found[ddf] = model.confint("fixed", ddf=ddf)
    found["profile"] = model.confint(method="profile")
    bootstrap = model.bootstrap(draws, seed=seed)
    for kind in ("percentile", "bca"):
        found[kind] = bootstrap.confint(kind)
    return found


def predictions(model: Any, draw: Draw) -> dict[str, tuple[float, float, float]]:
    """What was predicted, and the ends of the interval."""
    out = {}
    for name, row, y in zip(PREDICTIONS, (draw.known, draw.new), (draw.y_known, draw.y_new), strict=True):
        table = pd.DataFrame([row])
        found = model.predict(table, interval="prediction", level=LEVEL, new_levels="population")
        out[name] = (y, float(found["lower"].iloc[0]), float(found["upper"].iloc[0]))
    return out


def one(model: Any, design: Design, i: int, draws: int) -> dict[str, list[float]]:
    """Of data set i: for "method/parameter" whether the truth is covered, and the width; NaN for none.

    Without draws, of the predictions.
    """
    import interlace

    draw = design.draw(np.random.default_rng([i, sum(map(ord, design.name))]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", interlace.InterlaceWarning)
        fitted = model.refit(draw.y)
        if not draws:
            return {
                f"prediction/{name}": _counted(*found) for name, found in predictions(fitted, draw).items()
            }
        return {
            f"{method}/{name}": _counted(design.truth[name], lower, upper)
            for method, table in intervals(fitted, draws, seed=i).items()
            for name, lower, upper in zip(table.index, table["lower"], table["upper"], strict=True)
        }


def _counted(truth: float, lower: float, upper: float) -> list[float]:
    if np.isnan(lower) or np.isnan(upper):
        return [np.nan, np.nan]
    return [float(lower <= truth <= upper), float(upper - lower)]


def run(design: Design, sets: int, draws: int, jobs: int) -> dict[str, list[list[float]]]:
    """All data sets of a design, those that are kept already included."""
    from joblib import Parallel, delayed

    import interlace

    SCRATCH.mkdir(parents=True, exist_ok=True)
    kept = SCRATCH / f"{design.name}.{draws or 'predictions'}.json"
    found: list[dict[str, list[float]]] = json.loads(kept.read_text()) if kept.exists() else []
    rng = np.random.default_rng(1)
    model = interlace.lmer(design.formula, design.data.assign(y=design.draw(rng).y))
    sets = sets or len(found)
    while len(found) < sets:
        block = range(len(found), min(sets, len(found) + BLOCK * jobs))
        found += Parallel(n_jobs=jobs)(delayed(one)(model, design, i, draws) for i in block)
        kept.with_suffix(".new").write_text(json.dumps(found))
        kept.with_suffix(".new").replace(kept)
        print(f"{design.name}: {len(found)} of {sets}", flush=True)
    names = list(dict.fromkeys(name for each in found[:sets] for name in each))
    return {name: [each.get(name, [np.nan, np.nan]) for each in found[:sets]] for name in names}


def page(found: dict[str, dict[str, list[list[float]]]], draws: int) -> str:
    """The tables, as markdown."""
    from report import machine

    parts = [_INTRODUCTION.format(draws=draws), machine()]
    for name, counts in found.items():
        parts.append(_section(DESIGNS[name], counts))
    return "\n\n".join(parts) + "\n"


_INTRODUCTION = """# How often intervals cover

Written by `make coverage`; not edited by hand. Data sets are drawn from models whose parameters are known
(`benchmarks/coverage_designs.py`), and every 95 % interval is looked at: the share that holds the truth, in
percent, and in brackets the median width. The standard error of a share is about 22 over the root of the
number of data sets (0.5 for the 2,000 that `make coverage` takes, 1.7 for 160; how many there were is said
at each design). A dash is a method that is not for the parameter. An
interval that there is not counts as one that does not cover, and its share is said behind ("none 12"):
Wald's intervals of a standard deviation that is estimated as zero are the chief case. Models are fitted by
REML; profiles are of the deviance of maximum likelihood, as in lme4; bootstraps are parametric with {draws}
draws; prediction intervals are of one further observation, of a group of the data and of a new one."""


def _section(design: Design, counts: dict[str, list[list[float]]]) -> str:
    from report import table

    sets = len(next(iter(counts.values())))
    rows = [["parameter", "truth", *METHODS.values()]]
    for name, truth in design.truth.items():
        cells = [_cell(counts.get(f"{method}/{name}")) for method in METHODS]
        rows.append([f"`{name}`", f"{truth:g}", *cells])
    text = f"## {design.title}\n\n`{design.formula}`; {sets:,} data sets.\n\n{table(rows)}"
    said = [
        f"{name} {_cell(counts[f'prediction/{name}'])}"
        for name in PREDICTIONS
        if f"prediction/{name}" in counts
    ]
    return f"{text}\n\nPrediction intervals: {'; '.join(said)}." if said else text


def _cell(found: list[list[float]] | None) -> str:
    if found is None:
        return "–"
    covered, width = np.array(found, dtype=float).T
    none = np.isnan(covered).mean()
    share = np.nansum(covered) / len(covered)
    words = f"{100 * share:.1f} ({np.nanmedian(width):.3g})" if none < 1 else "none"
    return words + (f", none {100 * none:.0f}" if 0 < none < 1 else "")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--designs", default=",".join(DESIGNS), metavar="A,B")
    parser.add_argument(
        "--sets", type=int, default=2000, help="of each design (2000); 0 for those that are kept"
    )
    parser.add_argument("--draws", type=int, default=500, help="of each bootstrap (500)")
    parser.add_argument("--predicted", type=int, help="data sets for predictions (as many)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument("--output", type=Path, metavar="FILE")
    options = parser.parse_args(argv)
    names = options.designs.split(",")
    unknown = [name for name in names if name not in DESIGNS]
    if unknown:
        parser.error(f"there is no design {unknown[0]}: choose from {', '.join(DESIGNS)}")
    predicted = options.sets if options.predicted is None else options.predicted
    found = {}
    for name in names:
        found[name] = run(DESIGNS[name], options.sets, options.draws, options.jobs)
        found[name] |= run(DESIGNS[name], predicted, 0, options.jobs)
    target = options.output or (TARGET if names == list(DESIGNS) else None)
    text = page(found, options.draws)
    if target is None:
        print("\n" + text)
    else:
        target.write_text(text)
        print(f"written: {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
