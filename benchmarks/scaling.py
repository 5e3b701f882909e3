"""How time and memory of a fit grow with rows (nested) and with levels (crossed).

    python benchmarks/scaling.py [--largest ROWS] [--output FOLDER]

Every fit runs in a process of its own; its time is the whole call (formula and data frame to fitted model),
the best of three where that is short, and its memory what the process gained over the data at its peak.
Writes `scaling.md` and `scaling.svg` into `docs/`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"
NESTED = "y ~ x + (1 | a/b)"
CROSSED = "y ~ x + (1 | a) + (1 | b)"
ROWS = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
LEVELS = ((1_000, 250), (2_000, 500), (4_000, 1_000), (8_000, 2_000), (16_000, 4_000), (32_000, 8_000))
ROWS_PER_LEVEL = 20

PAGE = """# How time and memory grow

Made by `python benchmarks/scaling.py`. Whole calls, formula and data frame to fitted model; memory is what
the process gained over the data at its peak.

![time and memory against rows and levels](scaling.svg)

## Rows: `{nested}`, 50 rows in each of 10 `b` in `a`

{nested_table}

Time grows as rows to the power {rows_power:.2f} over the larger half.

## Levels: `{crossed}`, 20 rows for each `a`

{crossed_table}

The levels of `b` meet each other through those of `a`, so a dense matrix of their number is factorised: time
grows as that number to the power {levels_power:.2f} over the larger half.
"""


def simulate(kind: str, size: int, second: int) -> dict[str, np.ndarray]:
    """Columns of a data set: nested with 50 rows in each of 10 b in a, or crossed with 20 rows for each a."""
    rng = np.random.default_rng(20)
    if kind == "nested":
        outer = max(size // 500, 2)
        a, b = rng.integers(outer, size=size), rng.integers(10, size=size)
        effect = rng.normal(scale=0.8, size=outer)[a] + rng.normal(scale=0.5, size=(outer, 10))[a, b]
    else:
        n = ROWS_PER_LEVEL * size
        a, b = rng.integers(size, size=n), rng.integers(second, size=n)
        effect = rng.normal(scale=0.8, size=size)[a] + rng.normal(scale=0.5, size=second)[b]
    x = rng.normal(size=a.size)
    return {"y": 1.0 + 0.5 * x + effect + rng.normal(size=a.size), "x": x, "a": a, "b": b}


def measure(kind: str, size: int, second: int) -> dict[str, float]:
    """Fit once (more often where it is quick) in this process."""
    import pandas as pd

    import interlace

    data = pd.DataFrame(simulate(kind, size, second))
    formula = NESTED if kind == "nested" else CROSSED
    small = interlace.datasets.load("sleepstudy")
    interlace.lmer("Reaction ~ Days + (Days | Subject)", small)  # imports, first use of BLAS
    before = _peak()
    seconds = []
    while len(seconds) < 3 and sum(seconds) < 5.0:
        start = perf_counter()
        model = interlace.lmer(formula, data)
        seconds.append(perf_counter() - start)
    evaluations = model.convergence.evaluations
    return {
        "rows": len(data),
        "seconds": min(seconds),
        "megabytes": _peak() - before,
        "evaluations": evaluations,
    }


def _peak() -> float:
    """Largest resident size of this process so far, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1]) / 1024.0
    raise OSError("the system does not tell the peak memory of a process")


def _in_own_process(kind: str, size: int, second: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", kind, str(size), str(second)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Exponent of growth over the larger half of the sizes: least squares on logarithms."""
    half = len(x) // 2
    return float(np.polyfit(np.log(x[half:]), np.log(y[half:]), 1)[0])


def table(rows: list[dict[str, float]], head: str, labels: list[str]) -> str:
    lines = [
        f"| {head} | rows | seconds | µs per row | memory, MB | evaluations |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for label, r in zip(labels, rows, strict=True):
        per_row = 1e6 * r["seconds"] / r["rows"]
        lines.append(
            f"| {label} | {r['rows']:,.0f} | {r['seconds']:.4g} | {per_row:.3g} | {r['megabytes']:.0f} "
            f"| {r['evaluations']:.0f} |"
        )
    return "\n".join(lines)


def plot(nested: list[dict[str, float]], crossed: list[dict[str, float]], target: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    q = [second for _, second in LEVELS[: len(crossed)]]
    for axis, x, rows, label in (
        (axes[0], [r["rows"] for r in nested], nested, "rows (nested)"),
        (axes[1], q, crossed, "levels of the smaller factor (crossed)"),
    ):
        axis.loglog(x, [r["seconds"] for r in rows], "o-", label="seconds")
        axis.loglog(x, [max(r["megabytes"], 1e-3) / 1e3 for r in rows], "s--", label="memory, GB")
        axis.set_xlabel(label)
        axis.grid(True, alpha=0.3)
        axis.legend()
    figure.savefig(target)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=ROWS[-1], help="most rows of the nested problem")
    parser.add_argument("--output", type=Path, default=DOCS)
    parser.add_argument("--one", nargs=3, metavar=("KIND", "SIZE", "SECOND"), help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.one:
        kind, size, second = options.one
        print(json.dumps(measure(kind, int(size), int(second))))
        return 0
    sizes = [n for n in ROWS if n <= options.largest]
    nested = [_in_own_process("nested", n, 0) for n in sizes]
    crossed = [_in_own_process("crossed", a, b) for a, b in LEVELS]
    rows_power = slope([r["rows"] for r in nested], [r["seconds"] for r in nested])
    levels_power = slope([b for _, b in LEVELS], [r["seconds"] for r in crossed])
    text = PAGE.format(
        nested=NESTED,
        nested_table=table(nested, "b in a", [f"{n // 50:,}" for n in sizes]),
        rows_power=rows_power,
        crossed=CROSSED,
        crossed_table=table(crossed, "a x b", [f"{a:,} x {b:,}" for a, b in LEVELS]),
        levels_power=levels_power,
    )
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "scaling.md").write_text(text)
    plot(nested, crossed, options.output / "scaling.svg")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
