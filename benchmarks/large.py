"""Models of a hundred million rows, and of crossed factors with very many levels, on this machine.

    python benchmarks/large.py [--scale 0.1] [--only slopes ml-32m] [--folder DIR [--resume]] [--output DIR]

Data are simulated and written as Parquet files into a folder first (five gigabytes at scale 1; a temporary
folder without it). Every measurement runs in a process of its own. Beside each fit stand the time that
reading its columns alone takes, and polars' mean of the response by group. Writes `scaling-large.md`, into
`docs/` unless told otherwise.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from large_problems import PROBLEMS, Problem, write

from report import WORDS

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = """# A hundred million rows, and very many levels

Made by `make scaling-large`{scale}.
Data are simulated, and lie in Parquet files; the ratings have heavy tails like those of MovieLens. Seconds
are of the whole call of `lmer`, from the files for the first two and from a table in memory for the others;
memory is the peak of the whole process, in GB. "Reading" is the time for the columns of the formula alone by
pyarrow's scanner, one chunk after the other; "in pieces" the same as `lmer` reads them, with less memory at a
time; "group means" polars' mean of the response by the first grouping factor, from the same files. In
brackets stand the bars that were set: for the first, four times the time that reading takes.

{table}

{notes}
"""
SMALLER = " at {scale:g} of its size (rows and levels; bars of seconds and GB are those of the whole)"
HEAD = (
    "data", "model", "engine", "rows", "levels", "seconds (bar)", "GB (bar)", "rows per second", "reading, s",
    "in pieces, s", "group means, s",
)  # fmt: skip


def reading(problem: Problem, paths: list[str]) -> dict[str, Any]:
    """The columns alone, as pyarrow reads them where it is not told how."""
    from pyarrow import dataset

    rows = 0
    scanned = dataset.dataset(paths).to_batches(
        columns=list(problem.columns), batch_size=1 << 18, use_threads=False
    )
    for batch in scanned:
        rows += batch.num_rows
    return {"rows": rows}


def in_pieces(problem: Problem, paths: list[str]) -> dict[str, Any]:
    """The columns alone, as `lmer` reads them."""
    import interlace

    return {"rows": sum(one.num_rows for one in interlace.parquet(paths).batches(problem.columns))}


def group_means(problem: Problem, paths: list[str]) -> dict[str, Any]:
    """polars' mean of the response by group."""
    import polars

    group, response = problem.columns[0], problem.columns[-1]
    found = polars.scan_parquet(paths).group_by(group).agg(polars.col(response).mean()).collect()
    return {"groups": found.height}


def fitting(problem: Problem, paths: list[str]) -> dict[str, Any]:
    """The model; the clock starts when a table that is not read in chunks is in memory."""
    import interlace

    data: Any = interlace.parquet(paths)
    if not problem.in_chunks:
        data = in_memory(paths)
    start = perf_counter()
    model = interlace.lmer(problem.formula, data, solver=problem.solver)
    out = {"seconds": perf_counter() - start, "rows": model.nobs, "levels": list(model.ngroups.values())}
    out["evaluations"] = model.convergence.evaluations
    out["sd"] = model.varcorr()["sd"].tolist()
    if problem.solver == "iterative":
        table = model.monte_carlo()
        out["criterion_error"] = float(table["error"].iloc[0])
        out["largest_error"] = float((table["error"] / table["estimate"]).iloc[1:].abs().max())
        out["with_errors"] = perf_counter() - start
    return out


def in_memory(paths: list[str]) -> dict[str, Any]:
    """The columns as arrays; what the files were read with is given back."""
    import pyarrow
    from pyarrow import parquet

    table = parquet.read_table(paths)
    columns = {name: table.column(name).to_numpy() for name in table.column_names}
    del table
    pyarrow.default_memory_pool().release_unused()
    return columns


TASKS = {"reading": reading, "in pieces": in_pieces, "group means": group_means, "fitting": fitting}


def peak() -> float:
    """Largest resident size of this process so far, in GB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1]) * 1024 / 1e9
    raise OSError("the system does not tell the peak memory of a process")


def measure(task: str, name: str, paths: list[str]) -> dict[str, Any]:
    """One task in this process."""
    warm_up(task)
    start = perf_counter()
    found = TASKS[task](PROBLEMS[name], paths)
    return {"seconds": perf_counter() - start, **found, "gigabytes": peak()}


def warm_up(task: str) -> None:
    """Imports, and the first use of BLAS."""
    if task in ("reading", "in pieces"):
        import pyarrow.dataset  # noqa: F401

        import interlace.design.files
    elif task == "group means":
        import polars  # noqa: F401
    else:
        import interlace

        interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))


def in_own_process(task: str, name: str, paths: list[str]) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", task, name, *paths]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def row(problem: Problem, found: dict[str, dict[str, Any]]) -> str:
    """A line of the table."""
    fit, read = found["fitting"], found["reading"]["seconds"]
    bars = (problem.seconds, problem.times and problem.times * read)
    bar = next((f" ({one:,.0f})" for one in bars if one is not None), "")
    memory = "" if problem.gigabytes is None else f" ({problem.gigabytes:g})"
    cells = (
        problem.title,
        f"`{problem.formula}`".replace("|", "\\|"),
        problem.solver,
        f"{fit['rows']:,}",
        " x ".join(f"{n:,}" for n in fit["levels"]),
        f"{fit['seconds']:.1f}{bar}",
        f"{fit['gigabytes']:.2f}{memory}",
        f"{fit['rows'] / fit['seconds']:,.0f}",
        f"{read:.1f}",
        f"{found['in pieces']['seconds']:.1f}",
        f"{found['group means']['seconds']:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def note(problem: Problem, fit: dict[str, Any]) -> str:
    """What is said of one problem below the table."""
    sd = ", ".join(f"{value:.4f}" for value in fit["sd"] if value == value)
    text = f"- {problem.title}: {fit['evaluations']} evaluations; standard deviations and sigma {sd}."
    if "criterion_error" in fit:
        more = fit["with_errors"] - fit["seconds"]
        text += (
            f" Monte Carlo error of the criterion {fit['criterion_error']:.2g}, of the other estimates at "
            f"most {fit['largest_error']:.1g} of their size ({more:.0f} s more to know)."
        )
    return text


def table(lines: list[str]) -> str:
    rule = "".join("---|" if name in WORDS else "--:|" for name in HEAD)
    return "\n".join([f"| {' | '.join(HEAD)} |", f"|{rule}", *lines])


def measured(name: str, options: argparse.Namespace, folder: Path) -> dict[str, dict[str, Any]]:
    """All tasks of one problem; with --resume, as they were measured before."""
    kept = folder / f"{name}-{options.scale:g}.json"
    if options.resume and kept.exists():
        return dict(json.loads(kept.read_text()))
    paths = write(PROBLEMS[name], options.scale, folder / f"{name}-{options.scale:g}")
    found = {task: in_own_process(task, name, paths) for task in TASKS}
    kept.write_text(json.dumps(found))
    return found


def run(options: argparse.Namespace, folder: Path) -> str:
    """Make, measure and describe."""
    lines, notes = [], []
    for name in options.only or PROBLEMS:
        found = measured(name, options, folder)
        lines.append(row(PROBLEMS[name], found))
        notes.append(note(PROBLEMS[name], found["fitting"]))
        print(lines[-1], notes[-1], sep="\n", flush=True)
    scale = "" if options.scale == 1 else SMALLER.format(scale=options.scale)
    return PAGE.format(scale=scale, table=table(lines), notes="\n".join(notes))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0, help="share of the rows and of the levels")
    parser.add_argument("--only", nargs="+", choices=PROBLEMS, help="these problems")
    parser.add_argument("--folder", type=Path, help="where the data are kept")
    parser.add_argument(
        "--resume", action="store_true", help="measure what was not measured before in the folder"
    )
    parser.add_argument("--output", type=Path, default=DOCS)
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.one:
        task, name, *paths = options.one
        print(json.dumps(measure(task, name, paths)))
        return 0
    if options.folder is not None:
        text = run(options, options.folder)
    else:
        with tempfile.TemporaryDirectory() as folder:
            text = run(options, Path(folder))
    (options.output / "scaling-large.md").write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
