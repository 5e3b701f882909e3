"""statsmodels: MixedLM, one grouping factor, or a factor nested in it as a variance component."""

import warnings

import statsmodels.formula.api as smf

DISTRIBUTION = "statsmodels"


def cannot_express(problem):
    return None if problem.single or _nested(problem) else "crossed factors only as one dense group"


def _nested(problem):
    return len(problem.random) == 1 and "/" in problem.random[0][1]


def prepare(problem, data):
    warnings.simplefilter("ignore")
    if _nested(problem):
        outer, inner = problem.random[0][1].split("/")
        options = {"groups": data[outer], "re_formula": "1", "vc_formula": {inner: f"0 + C({inner})"}}
    else:
        columns, group = problem.single
        options = {"groups": data[group], "re_formula": f"~{columns}"}
    return lambda: smf.mixedlm(problem.fixed, data, **options).fit(reml=True)


def answer(fit):
    return {
        "criterion": -2 * fit.llf,
        "sigma": fit.scale**0.5,
        "beta": list(fit.fe_params),
        "se": list(fit.bse_fe),
    }
