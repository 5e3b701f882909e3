"""mixedlm: Python over Rust, interface of lme4."""

import mixedlm

DISTRIBUTION = "mixedlm"


def cannot_express(problem):
    return None


def prepare(problem, data):
    return lambda: mixedlm.lmer(problem.formula, data)


def answer(fit):
    return {
        "criterion": fit.deviance,
        "sigma": fit.sigma,
        "beta": list(fit.beta),
        "se": None,
    }
