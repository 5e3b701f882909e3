"""A batch of drawn models, fitted by both."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable

import numpy as np

from beside_r.asking import ask, question
from beside_r.comparing import Comparison
from drawn.model import draw
from interlace.errors import InterlaceError


def disagreements(seed: int, numbers: Iterable[int], counts: Counter[str]) -> list[str]:
    """One text for each model that differs; `counts` counts the others.

    A model that is refused here and fitted by R is a disagreement only if lme4's sigma is not zero.
    """
    models = [draw(seed, number) for number in numbers]
    fits, refusals = {}, {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for model in models:
            try:
                fits[model.number] = model.fit()
            except InterlaceError as error:
                refusals[model.number] = str(error)
        answers = ask(
            [question(m, fits[m.number].theta if m.number in fits else np.zeros(0)) for m in models]
        )
        found = []
        for model, theirs in zip(models, answers, strict=True):
            if "broken" in theirs or theirs.get("refused"):
                counts["R gives no answer" if model.number in fits else "refused by both"] += 1
            elif model.number in refusals:
                counts["refused here"] += 1
                found.append(f"{model}\n    refused: {refusals[model.number]}")
            else:
                differences = Comparison(model, fits[model.number], theirs).differences()
                counts["differ" if differences else "agree"] += 1
                if differences:
                    found.append("\n    ".join([str(model), *map(str, differences)]))
    return found
