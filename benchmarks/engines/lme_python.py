"""lme-python: Rust, interface of lme4, polars inside."""

import lme_python
import polars as pl

DISTRIBUTION = "lme-python"


def cannot_express(problem):
    return None


def prepare(problem, data):
    frame = pl.from_pandas(data)
    # Its grouping factors are text, and so are the factors of the fixed part.
    groups = {name for _, group in problem.random for name in group.replace("/", ":").split(":")}
    frame = frame.with_columns(pl.col(name).cast(pl.String) for name in sorted(groups | set(problem.factors)))
    return lambda: lme_python.lmer(problem.plain_formula, data=frame, reml=True)


def answer(fit):
    return {
        "criterion": fit.reml_criterion,
        "sigma": fit.sigma2**0.5,
        "beta": list(fit.coefficients),
        "se": list(fit.std_errors) if fit.std_errors else None,
    }
