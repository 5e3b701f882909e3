"""Linear mixed-effects models, as R's lme4, lmerTest and emmeans have them.

    import interlace

    data = interlace.datasets.load("sleepstudy")
    m = interlace.lmer("Reaction ~ Days + (Days | Subject)", data)
    m.summary()                      # everything in words; help(m) lists what a model can be asked

Models
    lmer        linear mixed model: fixed and random effects, by REML or maximum likelihood
    lm          linear model by least squares, with factors of many levels absorbed
    qdrg        marginal means of coefficients that were fitted elsewhere
    load        a model that was saved by m.save(path)
    LMERegressor    a regressor for scikit-learn

Questions about several models
    compare, bootstrap_compare       likelihood-ratio tests of a smaller model within a larger one
    aic_table, compare_cv            models by information criteria, and by predictions of rows held out
    step                             backward elimination of terms
    modeltable                       models side by side, for a paper

Before the data, and about them
    power       by simulation
    demean      columns without the means of the levels of several factors
    chunks, parquet    rows that are read in chunks
    datasets    data sets of the literature: datasets.load("oats")

Options that are objects: KenwardRoger, Satterthwaite, Asymptotic, ClusterRobust, Precision, ssc;
register_scale.
Every error is an InterlaceError, every warning an InterlaceWarning; their messages say what to do next.
Models: LinearMixedModel and LinearModel. From a shell: `interlace --help`.
"""

# Only the errors are imported with the package; everything else comes when it is first asked for.

from importlib import import_module
from typing import TYPE_CHECKING, Any

from interlace.errors import (
    ConvergenceError,
    ConvergenceWarning,
    DataError,
    FormulaError,
    IdentificationWarning,
    InterlaceError,
    InterlaceWarning,
    MissingPackageError,
    ModelError,
    RankDeficiencyWarning,
    SavingError,
)

if TYPE_CHECKING:
    from interlace import datasets
    from interlace.accumulating import Accumulator
    from interlace.api import lm, lmer, qdrg
    from interlace.comparison import aic_table, bootstrap_compare, compare, compare_cv
    from interlace.demeaning import demean
    from interlace.design.files import parquet
    from interlace.design.known import Precision
    from interlace.design.queries import chunks
    from interlace.inference.undoing import register_scale
    from interlace.model import LinearMixedModel
    from interlace.model.least import LinearModel
    from interlace.model.saving import load
    from interlace.planning import power
    from interlace.precision.df import Asymptotic, KenwardRoger, Satterthwaite
    from interlace.precision.robust import ClusterRobust
    from interlace.precision.small_sample import SmallSample, ssc
    from interlace.regressor import LMERegressor
    from interlace.stepping import step
    from interlace.tabulating import modeltable

__all__ = [
    "Accumulator",
    "Asymptotic",
    "ClusterRobust",
    "ConvergenceError",
    "ConvergenceWarning",
    "DataError",
    "FormulaError",
    "IdentificationWarning",
    "InterlaceError",
    "InterlaceWarning",
    "KenwardRoger",
    "LMERegressor",
    "LinearMixedModel",
    "LinearModel",
    "MissingPackageError",
    "ModelError",
    "Precision",
    "RankDeficiencyWarning",
    "Satterthwaite",
    "SavingError",
    "SmallSample",
    "__version__",
    "aic_table",
    "bootstrap_compare",
    "chunks",
    "compare",
    "compare_cv",
    "datasets",
    "demean",
    "lm",
    "lmer",
    "load",
    "modeltable",
    "parquet",
    "power",
    "qdrg",
    "register_scale",
    "ssc",
    "step",
]

# Public name -> module that defines it.
_HOMES = {
    "Accumulator": "interlace.accumulating",
    "Asymptotic": "interlace.precision.df",
    "ClusterRobust": "interlace.precision.robust",
    "KenwardRoger": "interlace.precision.df",
    "LMERegressor": "interlace.regressor",
    "LinearMixedModel": "interlace.model",
    "LinearModel": "interlace.model.least",
    "Precision": "interlace.design.known",
    "Satterthwaite": "interlace.precision.df",
    "SmallSample": "interlace.precision.small_sample",
    "aic_table": "interlace.comparison",
    "bootstrap_compare": "interlace.comparison",
    "chunks": "interlace.design.queries",
    "compare": "interlace.comparison",
    "compare_cv": "interlace.comparison",
    "demean": "interlace.demeaning",
    "lm": "interlace.api",
    "lmer": "interlace.api",
    "load": "interlace.model.saving",
    "modeltable": "interlace.tabulating",
    "parquet": "interlace.design.files",
    "power": "interlace.planning",
    "qdrg": "interlace.api",
    "register_scale": "interlace.inference.undoing",
    "ssc": "interlace.precision.small_sample",
    "step": "interlace.stepping",
}


def __getattr__(name: str) -> Any:
    if name == "datasets":
        return import_module("interlace.datasets")
    if name == "__version__":
        return import_module("interlace.version").installed_version()
    if name not in _HOMES:
        raise import_module("interlace.hints").unknown_function(name, __all__)
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def _warn_of_other_package() -> None:
    said = import_module("interlace.version").other_package()
    if said:
        import_module("interlace.errors").warn(said, InterlaceWarning)


_warn_of_other_package()
