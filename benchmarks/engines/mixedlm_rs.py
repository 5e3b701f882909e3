"""mixedlm-rs: Rust, interface of statsmodels, one grouping factor."""

import mixedlm_rs

DISTRIBUTION = "mixedlm-rs"


def cannot_express(problem):
    return None if problem.single else "one grouping factor only"


def prepare(problem, data):
    columns, group = problem.single
    return lambda: mixedlm_rs.mixedlm(problem.fixed, data, groups=group, re_formula=f"~{columns}").fit()


def answer(fit):
    return {
        "criterion": -2 * fit.llf,
        "sigma": fit.scale**0.5,
        "beta": list(fit.fe_params),
        "se": list(fit.bse_fe),
    }
