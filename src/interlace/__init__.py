"""Linear mixed-effects models by profiled (RE)ML and sparse Cholesky factorisation."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from interlace.api import lmer
from interlace.errors import (
    ConvergenceError,
    ConvergenceWarning,
    DataError,
    FormulaError,
    InterlaceError,
    InterlaceWarning,
    ModelError,
    RankDeficiencyWarning,
)
from interlace.model import LinearMixedModel

if TYPE_CHECKING:
    from interlace import datasets

__all__ = [
    "ConvergenceError",
    "ConvergenceWarning",
    "DataError",
    "FormulaError",
    "InterlaceError",
    "InterlaceWarning",
    "LinearMixedModel",
    "ModelError",
    "RankDeficiencyWarning",
    "__version__",
    "datasets",
    "lmer",
]


def __getattr__(name: str) -> Any:
    if name == "datasets":
        return import_module("interlace.datasets")
    if name == "__version__":
        return import_module("importlib.metadata").version("interlace")
    raise AttributeError(f"module 'interlace' has no attribute {name!r}")
