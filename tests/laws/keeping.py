"""Whether a drawn model keeps the laws."""

from __future__ import annotations

import warnings
from collections import Counter

import numpy as np

from drawn.model import draw
from fuzz.answers import relative_size
from interlace.errors import InterlaceError, InterlaceWarning
from laws.comparing import BrokenError
from laws.laws import LAWS
from laws.libraries import every_library, single_precision

ALL = {**LAWS, "every_library": every_library, "single_precision": single_precision}


def broken(seed: int, number: int, held: Counter[str]) -> list[str]:
    """A sentence for each law that the model of this number breaks; `held` counts the others.

    A model that the library refuses is not one; a refusal after the fit breaks the law. Nor is one whose
    residuals are less than 1e-4 of the random effects, for which docs/limitations.md promises no digits.
    """
    model = draw(seed, number)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            m = model.fit()
    except InterlaceError:
        held["refused"] += 1
        return []
    if relative_size(m.fit) > 1e4:
        held["residuals too small"] += 1
        return []
    found = []
    for name, law in ALL.items():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", InterlaceWarning)
            try:
                law(model, m, np.random.default_rng([seed, number]))
                held[name] += 1
            except BrokenError as error:
                found.append(f"{name}: {error}\n    {model}")
            except Exception as error:
                found.append(f"{name}: {type(error).__name__}: {error}\n    {model}")
    return found
