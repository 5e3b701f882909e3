"""How far the numbers of interlace are from R's, model by model.

    python benchmarks/parity.py [CASE ...]

Fits the models of `tests/reference/lmer` and compares with what R computed for them. A run over all of them
writes `docs/parity.md`; a run over some prints its table.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import interlace  # noqa: E402
from reference_cases import Case, lmer_cases  # noqa: E402
from reference_data import array, matrix  # noqa: E402

PAGE = """# Agreement with R

Written by `make parity`; not edited by hand. Every model of [the reference
values](../tests/reference/README.md) was fitted by R and by interlace, and this is how far apart the two are.
R: {versions}.

- **criterion**: ours less lme4's, of REML or ML. lme4's optimum was polished to a gradient of 1e-8 and less.
- **coefficients**: the largest difference of a coefficient, in standard errors.
- **sigma**: the relative difference of the residual standard deviation.
- **Satterthwaite**, **Kenward-Roger**: the largest relative difference of the degrees of freedom of a
  coefficient. R takes derivatives for the first by differences, which are good to about 1e-6.

A dash stands where R gives no number.

{table}
"""
SHOWN = ("lme4", "lmerTest", "pbkrtest")


def apart(case: Case) -> list[Any]:
    """A row of the table: the model, and the differences."""
    reference = case.reference()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", interlace.InterlaceWarning)
        m = interlace.lmer(case.formula, case.frame(), **case.options)
    criterion = (m.reml_criterion if m.reml else m.deviance) - float(reference["objective"])
    se = array(reference["se"])
    coefficients = np.abs(m.fixef.to_numpy() - array(reference["fixef"]["values"])) / se
    sigma = abs(m.sigma / float(reference["sigma"]) - 1)
    tests = [
        df_apart(m, case, ddf, key)
        for ddf, key in (("satterthwaite", "summary_satterthwaite"), ("kenward-roger", "summary_kr"))
    ]
    return [case.data, case.formula.replace("|", "\\|"), criterion, float(coefficients.max()), sigma, *tests]


def df_apart(m: interlace.LinearMixedModel, case: Case, ddf: str, key: str) -> float | None:
    """The largest relative difference of the degrees of freedom of a coefficient; None where R has none."""
    theirs = case.reference().get("lmerTest", {}).get(key)
    if not theirs or "data" not in theirs or (ddf[0] == "k" and not m.reml):
        return None
    df = matrix(theirs)["df"].to_numpy()
    return float(np.abs(m.coef_table(ddf=ddf)["df"].to_numpy() / df - 1).max())


def table(rows: list[list[Any]]) -> str:
    """The rows as Markdown."""
    names = ["data", "model", "criterion", "coefficients", "sigma", "Satterthwaite", "Kenward-Roger"]
    lines = ["| " + " | ".join(names) + " |", "|---|---|--:|--:|--:|--:|--:|"]
    for data, formula, *numbers in rows:
        cells = ["–" if number is None else f"{number:.0e}" for number in numbers]
        lines.append(f"| {data} | `{formula}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Compare the cases that are named, or all."""
    cases = [case for case in lmer_cases() if not sys.argv[1:] or case.name in sys.argv[1:]]
    rows = [apart(case) for case in cases]
    if sys.argv[1:]:
        print(table(rows))
        return
    versions = cases[0].reference()["versions"]
    shown = f"{versions['R']}, " + ", ".join(f"{name} {versions[name]}" for name in SHOWN)
    page = PAGE.format(versions=shown, table=table(rows))
    (ROOT / "docs" / "parity.md").write_text(page)


if __name__ == "__main__":
    main()
