"""What to write for names that mixed models and other packages have, and a linear model has not."""

from __future__ import annotations

_RANDOM = "it is of random effects, and lm has none: fit the model by interlace.lmer"
_ROWS = "m.augment() has leverages, studentized residuals and Cook's distances of rows"
_DRAWN = (
    "draw responses by m.simulate(n, seed) and fit each by m.refit(y); robust covariances hold without it"
)

#: Name of a method, in small letters without dots and underscores -> what to write.
INSTEAD: dict[str, str] = {
    **dict.fromkeys(
        (
            "ranef", "condvar", "varcorr", "icc", "theta", "issingular", "singular", "remlcriterion",
            "remlcrit", "criterion", "ranova", "rand", "rotateranef", "compareebls", "hlmresid", "ngroups",
            "ngrps", "kre", "nlevels", "randomeffects", "re", "u", "b", "blup", "blups", "covre", "vcomp",
            "varcomp", "ranefvar", "randomeffectscov", "postvar", "bsere",
        ),
        _RANDOM,
    ),
    **dict.fromkeys(("influence", "dfbetas", "casedelete", "cooksd", "cooksdistance", "mdffits"), _ROWS),
    **dict.fromkeys(("check", "plot", "plotting", "qqnorm"), "no pictures are drawn; " + _ROWS),
    **dict.fromkeys(("bootstrap", "bootmer", "permutationtest", "permute", "permtest"), _DRAWN),
    **dict.fromkeys(
        ("crossvalidate", "crossval", "cv", "loo", "kfold"),
        "fit interlace.lm to some of the rows and compare .predict(others) with their responses",
    ),
    **dict.fromkeys(("profile",), "the likelihood has the intervals of m.confint()"),
    **dict.fromkeys(
        ("multistart", "allfit", "convergence", "converged", "optinfo"),
        "least squares are solved and not searched for: there is one solution",
    ),
    "stream": "m.fitted and m.residuals() have the values of the rows",
    "collinearity": "m.vcov() has the correlations of the coefficients",
    "quantileresiduals": "write m.residuals('studentized')",
    **dict.fromkeys(("coef", "coefs"), "write m.fixef"),
    **dict.fromkeys(("fixefs", "fixedeffectsestimates", "estimatedeffects", "sumfe"), "write m.absorbed()"),
    **dict.fromkeys(("deviance", "ssr", "rss"), "the residual sum of squares is m.sigma**2 * m.df_resid"),
    **dict.fromkeys(("vcovhc", "vcovcl", "covtype"), "write m.vcov('HC3')"),
    **{f"covhc{i}": f"write m.vcov('HC{i}')" for i in range(4)},
    **{f"hc{i}se": f"write m.coef_table(vcov='HC{i}')" for i in range(4)},
    **dict.fromkeys(("vcovcr",), "write m.vcov('CR3', cluster='firm')"),
    **dict.fromkeys(("getrobustcovresults",), "write m.coef_table(vcov='HC1')"),
    **dict.fromkeys(("evalue", "wildboottest", "ritest", "ccv"), "it is left to pyfixest"),
    **dict.fromkeys(("getinfluence", "outliertest"), _ROWS),
    **dict.fromkeys(("anovalm",), "write m.anova(type=1)"),
    **dict.fromkeys(("dfmodel", "rank"), "write m.nobs - m.df_resid"),
}  # fmt: skip
