"""What lme4, nlme, statsmodels and others call attributes, functions and options, and what to write here."""

from __future__ import annotations

#: Attribute of a fitted model elsewhere, in small letters without dots and underscores -> what to write.
#: What is written for attributes of statsmodels' summaries.
OF_SUMMARIES = {
    "as_text": "write str(m.summary())",
    "as_html": "a notebook shows it as HTML, and m.report(path) writes a page",
    "as_latex": "write interlace.modeltable(m).to_latex()",
    "as_csv": "write m.coef_table().to_csv()",
    "tables": "the tables are m.coef_table(), m.varcorr() and m.glance()",
}
#: And of tables of polars, for those that are pandas.
OF_TABLES = {
    "to_polars": "write polars.from_pandas(table.reset_index(names='name'))",
    "to_arrow": "write pyarrow.Table.from_pandas(table)",
}
ATTRIBUTES = {
    **dict.fromkeys(("feparams", "fixedeffects", "beta", "coefs", "coefficients"), "write m.fixef"),
    **dict.fromkeys(("bsefe", "stderr", "stderrors", "standarderrors"), "write m.se"),
    **dict.fromkeys(("pvalue", "pval"), "write m.coef_table()['p']"),
    **dict.fromkeys(("tvalue", "tstat", "tstats", "zvalues"), "write m.coef_table()['t']"),
    **dict.fromkeys(("ddf", "dfdenom", "dfinference"), "write m.coef_table()['df']"),
    **dict.fromkeys(("coeftable", "coefftable"), "write m.coef_table()"),
    **dict.fromkeys(("covre", "vcomp", "varcomp", "ranefvar"), "write m.varcorr()"),
    **dict.fromkeys(("re", "u", "b", "blup", "blups"), "write m.ranef()"),
    **dict.fromkeys(("randomeffectscov", "postvar"), "write m.condvar()"),
    **dict.fromkeys(("vcovfe", "covfe"), "write m.vcov()"),
    **dict.fromkeys(("bsere",), "write m.varcorr(se=True)"),
    **dict.fromkeys(("normalizedcovparams",), "write m.vcov() / m.sigma**2"),
    **dict.fromkeys(("vcovcr", "vcovhc", "covhc0", "covhc3", "covtype"), "write m.vcov('CR2')"),
    **dict.fromkeys(("loglike", "loglikelihood", "restrictedloglikelihood"), "write m.loglik"),
    **dict.fromkeys(("remlcrit", "criterion"), "write m.reml_criterion, or m.deviance"),
    **dict.fromkeys(("fittedvalue", "yhat"), "write m.fitted"),
    **dict.fromkeys(("residual", "residpearson", "wresid"), "write m.residuals()"),
    **dict.fromkeys(("scale", "sigma2", "mseresid"), "write m.sigma**2"),
    **dict.fromkeys(("dfresidual", "dfresiduals"), "write m.df_resid"),
    **dict.fromkeys(("converged", "optinfo", "hist"), "write m.convergence"),
    **dict.fromkeys(("issingular", "singular"), "write m.is_singular"),
    **dict.fromkeys(("summary2", "summ", "print"), "write m.summary()"),
    **dict.fromkeys(("ttest", "ftest", "waldtest", "contest"), "write m.contrast_test(...)"),
    **dict.fromkeys(("waldtestterms", "anovatable"), "write m.anova()"),
    **dict.fromkeys(("fvalue", "fpvalue", "fstat", "fstatistic"), "write m.anova(), or m.contrast_test(...)"),
    "ttestpairwise": "write m.emmeans('a').pairs()",
    **dict.fromkeys(("contrast", "contrasts", "lstests", "linfct"), "write m.contrast_test(...)"),
    **dict.fromkeys(("confintervals", "conflimits", "profilere"), "write m.confint(...)"),
    **dict.fromkeys(("lsmeans", "margins", "marginaleffects"), "write m.emmeans(...)"),
    "fitagain": "write m.update('~ . + z') for another formula, or m.refit(y) for another response",
    **dict.fromkeys(("refitml",), "write m.refit(reml=False)"),
    **dict.fromkeys(("rand",), "write m.ranova()"),
    "removedata": "write m.without_rows()",
    "load": "write interlace.load(path)",
    "conditionnumber": "write m.collinearity()",
    **dict.fromkeys(("rsquared", "rsq", "rsquaredadj", "rsquaredgllm"), "write m.r2()"),
    **dict.fromkeys(
        ("lrtest", "comparelrtest", "compareftest", "compare"), "write interlace.compare(m1, m2)"
    ),
    "bootmer": "write m.bootstrap(...)",
    **dict.fromkeys(("allfit", "optimizers"), "write m.multistart(n, seed)"),
    **dict.fromkeys(("powersim", "powercurve", "power"), "write interlace.power(m, ...)"),
    **dict.fromkeys(("permute", "permlmer", "permtest"), "write m.permutation_test(term)"),
    "pbmodcomp": "write interlace.bootstrap_compare(small, large)",
    **dict.fromkeys(("getprediction", "predictions", "predictrandom"), "write m.predict(...)"),
    **dict.fromkeys(("ngrps", "kre", "nlevels"), "write m.ngroups"),
    **dict.fromkeys(("n", "nrow"), "write m.nobs"),
    **dict.fromkeys(("endog", "y"), "write m.fit.design.y"),
    **dict.fromkeys(("exog", "x", "getme"), "write m.model_matrix()"),
    **dict.fromkeys(("frame", "modelframe", "data"), "write m.fit.design.frame.to_pandas()"),
    **dict.fromkeys(("isreml", "method"), "write m.reml"),
    **dict.fromkeys(("call", "model"), "write m.formula"),
    "qqnorm": "write m.plot.qq()",
    "plotting": "write m.plot.check()",
    **dict.fromkeys(("cooksd", "cooksdistance", "mdffits", "casedelete"), "write m.influence(...)"),
    "hatvalues": "write m.leverage()",
    **dict.fromkeys(
        ("crossval", "crossvalscore", "cv", "loo", "kfold", "logo"), "write m.cross_validate(by=..., k=...)"
    ),
}  # fmt: skip

#: Function or class of other packages -> what to write.
FUNCTIONS = {
    "anova": "write interlace.compare(m1, m2) for models, or m.anova() for the terms of one",
    **dict.fromkeys(("mixedlm", "lme", "mixed", "fit", "lmm"), "write interlace.lmer"),
    **dict.fromkeys(
        (
            "glmer",
            "glmmtmb",
            "nlmer",
        ),
        "only linear mixed models are fitted: lmer",
    ),
    **dict.fromkeys(
        ("ols", "feols", "felm", "reghdfe", "areg", "plm", "panelols", "wls", "lmrobust"),
        "write interlace.lm",
    ),
    **dict.fromkeys(("fepois", "glm", "logit"), "only linear models are fitted: lm and lmer"),
    "pbmodcomp": "write interlace.bootstrap_compare(small, large)",
    "bootmer": "write m.bootstrap(...), or interlace.bootstrap_compare(small, large)",
    **dict.fromkeys(("powersim", "powercurve", "extend", "simr"), "write interlace.power(m, n_groups=...)"),
    "allfit": "write m.multistart(n, seed)",
    **dict.fromkeys(("loocompare", "comparecv"), "write interlace.compare_cv([m1, m2], by=...)"),
    **dict.fromkeys(("aic", "bic"), "write interlace.aic_table(m1, m2), or m.aic and m.bic"),
    **dict.fromkeys(("loaddataset", "data"), "write interlace.datasets.load('sleepstudy')"),
}

_LATER = "it is chosen where it is used: m.coef_table(vcov='CR2')"
_SEARCH = "leave it out: the search needs no settings"
_DDF = "degrees of freedom are chosen where they are used: m.summary(ddf='kenward-roger')"
_ONLY_NORMAL = "leave it out: responses are normal, there are no generalized models"

_GRID = "leave it out: a profile has as many points as it needs"
_NAMES = "leave it out: parameters have one name each"

#: Options of a function elsewhere -> what to write; "" is for all functions. Methods of answers have the name
#: of their class before their own.
OPTIONS: dict[str, dict[str, str]] = {
    "lmer": {
        **dict.fromkeys(("groups", "group", "random"), "write it in the formula: 'y ~ x + (1 | g)'"),
        **dict.fromkeys(
            ("re_formula", "re", "exog_re"), "write random slopes in the formula: 'y ~ x + (x | g)'"
        ),
        "vc_formula": "write further random terms in the formula: 'y ~ x + (1 | g) + (1 | h)'",
        **dict.fromkeys(("family", "link"), _ONLY_NORMAL),
        "subset": "select the rows in the data: lmer(formula, data[data['x'] > 0])",
        **dict.fromkeys(("control", "optimizer", "start", "verbose", "maxiter", "tol", "niter"), _SEARCH),
        **dict.fromkeys(("use_sqrt", "free", "cov_pen", "fe_pen", "full_output", "disp"), _SEARCH),
        **dict.fromkeys(("ddf", "test"), _DDF),
        **dict.fromkeys(("cluster", "vcov", "robust", "cov_type"), _LATER),
        "method": "write reml=True or reml=False",
        **dict.fromkeys(("missing", "na_rm", "dropna"), "write na_action='drop' or na_action='error'"),
        **dict.fromkeys(("w", "weight", "var_weights", "freq_weights", "sample_weight"), "write weights="),
        **dict.fromkeys(("exposure",), "write offset="),
        **dict.fromkeys(("fixed", "model", "f"), "write formula="),
        **dict.fromkeys(("df", "table", "frame", "dataset"), "write data="),
        **dict.fromkeys(("correlation",), "leave it out: there are no correlated residuals"),
        **dict.fromkeys(("nthreads", "threads", "workers", "cores"), "write n_jobs="),
    },
    "predict": {
        **dict.fromkeys(
            ("re_form", "reform", "re_formula", "include_random", "use_re"),
            "write random='all', random='none', or the names of grouping factors (re.form=NA is 'none')",
        ),
        **dict.fromkeys(("allow_new_levels", "allownewlevels"), "write new_levels='population'"),
        "type": "leave it out: predictions are responses",
        **dict.fromkeys(("data", "df", "exog", "new_data", "x", "frame", "params"), "write newdata="),
        **dict.fromkeys(("se_fit", "return_se", "std_error"), "write se=True"),
        **dict.fromkeys(("alpha", "conf_level"), "write level=0.95"),
    },
    "simulate": {
        **dict.fromkeys(("nsim", "n_sim", "nsims", "size", "n_samples", "times"), "write n="),
        **dict.fromkeys(("random_state", "rng"), "write seed="),
        **dict.fromkeys(("re_form", "use_u", "use_re"), "write random='new' or random='conditional'"),
        **dict.fromkeys(("newdata",), "leave it out: responses are drawn for the rows of the fit"),
    },
    "cross_validate": {
        **dict.fromkeys(("cv", "folds", "n_splits", "splitter", "fold"), "write k="),
        **dict.fromkeys(("groups", "group", "level", "cluster"), "write by="),
        **dict.fromkeys(("scoring", "metric", "metrics", "score"), "write scores="),
        **dict.fromkeys(("random_state", "rng"), "write seed="),
        **dict.fromkeys(("n_repeats", "times"), "write repeats="),
    },
    "bootstrap": {
        **dict.fromkeys(("nsim", "n_sim", "nsims", "reps", "n_boot", "B", "R"), "write n="),
        **dict.fromkeys(("FUN", "f", "func", "function"), "write statistic="),
        **dict.fromkeys(("random_state", "rng"), "write seed="),
        **dict.fromkeys(("cl", "ncores", "workers", "cores", "ncpus"), "write n_jobs="),
        "type": "write kind=",
    },
    "power": {
        **dict.fromkeys(("nsim", "n_sim", "nsims", "reps"), "write n="),
        **dict.fromkeys(("breaks",), "write n_groups={...}, or along= with values="),
        **dict.fromkeys(("within",), "write n_per_group={...}"),
        **dict.fromkeys(("effects", "fixef", "beta"), "write effect={...}"),
    },
    "bootstrap_compare": {
        **dict.fromkeys(("nsim", "n_sim", "nsims", "reps", "n_boot"), "write n="),
        **dict.fromkeys(("random_state", "rng"), "write seed="),
        **dict.fromkeys(("cl", "ncores", "workers", "cores"), "write n_jobs="),
    },
    "residuals": {
        "type": "write kind='response', kind='pearson' or kind='standardized'",
        **dict.fromkeys(("scaled", "scale"), "write kind='standardized'"),
    },
    "anova": {
        **dict.fromkeys(("typ", "types"), "write type=1, type=2 or type=3"),
        "refit": "models are compared by interlace.compare(m1, m2)",
    },
    "vcov": {
        **dict.fromkeys(("type", "cov_type", "vcov"), "write kind='CR2'"),
        **dict.fromkeys(("groups", "clusters"), "write cluster="),
    },
    "contrast_test": {
        **dict.fromkeys(("r_matrix", "hypothesis", "hypotheses", "contrast", "linfct", "K"), "write L="),
        **dict.fromkeys(("null", "q_matrix", "value", "q"), "write rhs="),
        **dict.fromkeys(("alpha", "conf_level"), "write level=0.95, the confidence level of the intervals"),
    },
    "ranef": {
        **dict.fromkeys(("postVar", "se"), "write condvar=True"),
        "whichel": "write m.ranef('g')",
    },
    "refit": {
        **dict.fromkeys(("newresp", "response", "newdata", "data"), "write y="),
        "method": "write reml=True or reml=False",
    },
    "ranova": {"reduce_terms": "write drop='slopes' or drop='terms'"},
    "profile": {
        **dict.fromkeys(("parm", "parameters"), "write which="),
        **dict.fromkeys(("alphamax", "maxpts", "delta", "cutoff", "maxmult", "devtol"), _GRID),
        **dict.fromkeys(("verbose", "maxit"), _SEARCH),
        **dict.fromkeys(("signames", "oldNames", "prof.scale", "prof_scale"), _NAMES),
        **dict.fromkeys(("parallel", "ncpus", "cl", "cores"), "write n_jobs="),
        **dict.fromkeys(("level", "alpha"), "the intervals have it: m.confint(method='profile', level=0.95)"),
        "REML": "write criterion='ml' or criterion='reml'",
    },
    "confint": {
        **dict.fromkeys(("which", "parameters", "variables"), "write parm="),
        **dict.fromkeys(("alpha", "conf_level", "conf"), "write level=0.95"),
        **dict.fromkeys(("nsim", "n_sim", "reps", "R", "B"), "write n="),
        **dict.fromkeys(("boot_type", "boottype", "type"), "write kind='percentile', 'basic' or 'normal'"),
        **dict.fromkeys(("oldNames", "signames"), _NAMES),
    },
    "emmeans": {
        **dict.fromkeys(("infer", "conf_level", "alpha"), "write level="),
        **dict.fromkeys(("mode", "lmer_df", "lmer.df"), "write ddf='satterthwaite', 'kenward-roger'"),
        **dict.fromkeys(("adjust", "side", "null"), "ask the answer: m.emmeans('a').test(adjust='holm')"),
        **dict.fromkeys(("contr", "method"), "ask the answer: m.emmeans('a').contrast('pairwise')"),
        **dict.fromkeys(("pbkrtest_limit", "lmerTest_limit"), "leave it out: there is no limit on rows"),
        **dict.fromkeys(("trans", "transform", "tran"), "write type='response'"),
        "vcov.": "write vcov=",
    },
    "permutation_test": {
        **dict.fromkeys(("nperm", "n_perm", "nsim", "permutations", "R"), "write n="),
        **dict.fromkeys(("random_state", "rng"), "write seed="),
        **dict.fromkeys(("blocks", "strata", "by"), "write within="),
        **dict.fromkeys(("effect", "which", "parm"), "write term="),
    },
    "multistart": {
        **dict.fromkeys(("nsim", "n_starts", "starts"), "write n="),
        **dict.fromkeys(("random_state", "rng"), "write seed="),
        **dict.fromkeys(("ncpus", "cores", "cl"), "write n_jobs="),
    },
    "EMMeans.pairs": {
        "type": "ask the answer: .pairs().test(type='response') or .pairs().confint(type='response')",
        **dict.fromkeys(("side", "null", "delta", "alternative"), "ask the answer: .pairs().test(side='>')"),
        **dict.fromkeys(("level", "infer", "conf_level"), "ask the answer: .pairs().confint(level=0.95)"),
        **dict.fromkeys(("ref", "method"), "write .contrast('trt.vs.ctrl', ref=...)"),
        **dict.fromkeys(("p_adjust", "adjustment", "correction"), "write adjust="),
    },
    "EMMeans.contrast": {
        "type": "ask the answer: .contrast().test(type='response') or .confint(type='response')",
        **dict.fromkeys(("side", "null", "delta", "alternative"), "ask the answer: .contrast().test(side=)"),
        **dict.fromkeys(("level", "infer", "conf_level"), "ask the answer: .contrast().confint(level=0.95)"),
        **dict.fromkeys(("p_adjust", "adjustment", "correction"), "write adjust="),
        **dict.fromkeys(("name", "options"), "leave it out: rows are named after the means"),
    },
    "EMMeans.confint": {
        **dict.fromkeys(("alpha", "conf_level", "infer"), "write level=0.95"),
        "alternative": "write side=",
        "parm": "take rows of the table",
    },
    "EMMeans.test": {
        "alternative": "write side=",
        **dict.fromkeys(("level", "infer"), "intervals are those of .confint(level=0.95)"),
        **dict.fromkeys(("threshold",), "write delta="),
    },
    "EMMeans.cld": {**dict.fromkeys(("level", "threshold"), "write alpha=0.05")},
    "EMMeans.plot": {
        "CIs": "leave it out: intervals are drawn",
        "PIs": "write m.predict(new, interval='prediction')",
    },
    "EMMeans.emmip": {**dict.fromkeys(("CIs", "CI", "ci"), "write intervals=")},
    "EMMeans.regrid": {**dict.fromkeys(("type", "trans", "tran"), "write transform=")},
    "EMMeans.eff_size": {"df": "write edf="},
    "Profile.confint": {
        **dict.fromkeys(("alpha", "conf_level"), "write level=0.95"),
        **dict.fromkeys(("parm", "which"), "take rows of the table, or profile these: m.profile(which=...)"),
    },
    "Profile.plot": {**dict.fromkeys(("parm", "parameters"), "write which="), "type": "write kind="},
    "Bootstrap.confint": {
        "type": "write kind=",
        "method": "write kind=",
        **dict.fromkeys(("alpha", "conf_level", "conf"), "write level=0.95"),
        **dict.fromkeys(("parm", "which", "index"), "take rows of the table"),
    },
    "Bootstrap.plot": {**dict.fromkeys(("parm", "index"), "write which=")},
    "Bootstrap.append": {**dict.fromkeys(("nsim", "R", "B", "times"), "write n=")},
    "Bootstrap.pvalues": {**dict.fromkeys(("mu", "value", "h0"), "write null=")},
    "Power.plot": {**dict.fromkeys(("x", "y", "xlab", "ylab"), "change the answer, an axis of matplotlib")},
    "": {
        **dict.fromkeys(("robust", "cov_type", "vcov_type", "cluster"), "write vcov='CR2'"),
        **dict.fromkeys(("df", "df_method", "dof", "method"), "write ddf='satterthwaite' or 'kenward-roger'"),
        "corr": "write correlation=",
    },
}  # fmt: skip

OPTIONS["compare_cv"] = OPTIONS["cross_validate"]

_ROBUST = "write vcov='HC1', or cluster='firm'"
_NO_EFFECTS = "leave it out: there are no random effects"
OPTIONS["lm"] = {
    **{
        name: OPTIONS["lmer"][name]
        for name in ("subset", "missing", "na_rm", "dropna", "w", "weight", "fixed", "df", "cores")
    },
    **dict.fromkeys(("robust", "cov_type", "vcov_type", "se_type", "se", "hccme", "cov_kwds"), _ROBUST),
    **dict.fromkeys(("clusters", "groups", "group"), "write cluster="),
    **dict.fromkeys(
        ("fixef", "fe", "absorb", "fixed_effects", "entity_effects", "time_effects"),
        "write the factors after a bar: 'y ~ x | firm + year'",
    ),
    **dict.fromkeys(("fixef_rm", "drop_singletons"), "write singletons='drop' or 'keep'"),
    **dict.fromkeys(("reml", "random", "known"), _NO_EFFECTS),
    **dict.fromkeys(("family", "link"), "leave it out: lm fits by least squares"),
    **dict.fromkeys(("dof", "small_sample", "adj"), "write ssc=interlace.ssc(...)"),
}  # fmt: skip
#: Options of any method of a linear model.
OF_LINEAR_MODELS = {
    **dict.fromkeys(("robust", "cov_type", "vcov_type", "type_of_vcov"), _ROBUST),
    **dict.fromkeys(("clusters", "groups"), "write cluster="),
    **dict.fromkeys(("random", "re_form", "new_levels", "allow_new_levels", "reml", "use_re"), _NO_EFFECTS),
    **dict.fromkeys(
        ("ddf", "df", "df_method", "dof"),
        "t has the degrees of freedom of lm's ssc: interlace.ssc(t_df='min')",
    ),
}  # fmt: skip
