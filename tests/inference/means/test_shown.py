"""Tables of means elsewhere: notebooks, Markdown and LaTeX; contrasts that a function makes."""

from __future__ import annotations

import numpy as np
import pytest

import interlace
from interlace.datasets import load
from interlace.errors import InterlaceError


@pytest.fixture(scope="module")
def means() -> interlace.EMMeans:
    return interlace.lmer("score ~ Machine + (1 | Worker)", load("machines")).emmeans("Machine")


def test_markdown(means: interlace.EMMeans) -> None:
    lines = means.frame.to_markdown(index=False, floatfmt=".3f").splitlines()
    assert [cell.strip() for cell in lines[0].strip("|").split("|")] == list(means.frame.columns)
    assert [cell.strip() for cell in lines[2].strip("|").split("|")][:2] == ["A", "52.356"]
    assert len(lines) == 5


def test_latex(means: interlace.EMMeans) -> None:
    text = means.pairs().test().to_latex(index=False, float_format="%.3f")
    assert text.startswith(r"\begin{tabular}") and r"A - B & -7.967 & 1.054 & 46.000" in text


def test_notebook(means: interlace.EMMeans) -> None:
    html = means._repr_html_()
    assert html.count("<tr>") == 4 and "Satterthwaite" in html


def test_a_function_makes_contrasts_of_the_levels(means: interlace.EMMeans) -> None:
    def against_first(levels: list[str]) -> dict[str, list[float]]:
        return {
            f"{level} over {levels[0]}": [-1.0 if i == 0 else float(i == j) for i in range(len(levels))]
            for j, level in enumerate(levels)
            if j
        }

    found = means.contrast(against_first)
    assert list(found.frame["contrast"]) == ["B over A", "C over A"]
    same = means.contrast("trt.vs.ctrl1")
    np.testing.assert_array_equal(found.frame["estimate"], same.frame["estimate"])
    np.testing.assert_array_equal(found.frame["se"], same.frame["se"])


@pytest.mark.parametrize("made", [lambda levels: {"a": [1, -1]}, lambda levels: 7, lambda levels: {}])
def test_a_function_that_makes_no_contrasts(made: object, means: interlace.EMMeans) -> None:
    with pytest.raises(InterlaceError):
        means.contrast(made)  # type: ignore[arg-type]
