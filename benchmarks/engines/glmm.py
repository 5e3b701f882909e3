"""glmm: Rust, formula of R."""

import glmm

DISTRIBUTION = "glmm"


def cannot_express(problem):
    return None


def prepare(problem, data):
    # Degrees of freedom and tests are left out: only the fit is timed.
    return lambda: glmm.fit(data, problem.plain_formula, reml=True, satterthwaite=False, anova_test="Wald")


def answer(fit):
    if not fit.converged:
        raise RuntimeError("did not converge")
    return {
        "criterion": -2 * fit.loglik,
        "sigma": fit.dispersion**0.5,
        "beta": list(fit.beta),
        "se": list(fit.se),
    }
