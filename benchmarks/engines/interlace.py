"""This library."""

import interlace

DISTRIBUTION = "interlace"


def cannot_express(problem):
    return None


def prepare(problem, data):
    return lambda: interlace.lmer(problem.formula, data)


def answer(fit):
    return {
        "criterion": fit.reml_criterion,
        "sigma": fit.sigma,
        "beta": list(fit.fixef),
        "se": list(fit.se),
    }
