# R2 and ICC from their definition (Nakagawa and Schielzeth 2013, Johnson 2014): the variance of the random effects is the
# mean over the rows of the diagonal of Z Sigma Z', with all of Z and Sigma as lme4 has them; and R2 by r.squaredGLMM of
# MuMIn. Where MuMIn is not installed, r.squaredGLMM.merMod comes from files named on the command line: the numbers in
# effect_size.json are by the functions that a gaussian fit calls of R/r.squaredGLMM2.R and R/r.squaredGLMM-helper-fn.R.
# Run: Rscript effect_size.R [file.R ...]    (R with lme4, jsonlite, performance); writes effect_size.json beside it
suppressPackageStartupMessages({ library(lme4); library(jsonlite) })
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
root <- file.path(here, "..", "..", "reference", "data")
d <- read.csv(file.path(root, "sleepstudy.csv")); d$Subject <- factor(d$Subject); d$grp <- factor(d$grp)
ctl <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE)
for (file in commandArgs(trailingOnly = TRUE)) source(file)
mumin <- if (requireNamespace("MuMIn", quietly = TRUE)) MuMIn::r.squaredGLMM else r.squaredGLMM.merMod
cases <- list(
  list("sleepstudy_uncor_ml", "Reaction ~ Days + (Days || Subject)", FALSE),
  list("sleepstudy_uncor_reml", "Reaction ~ Days + (Days || Subject)", TRUE),
  list("sleepstudy_poly_reml", "Reaction ~ poly(Days, 2) + (Days | Subject)", TRUE),
  list("sleepstudy_slope_reml", "Reaction ~ Days + (Days | Subject)", TRUE))  # one where performance has the same
out <- list()
for (x in cases) {
  m <- lmer(as.formula(x[[2]]), d, REML = x[[3]], control = ctl)
  Sigma <- sigma(m)^2 * crossprod(getME(m, "Lambdat"))
  Z <- getME(m, "Z")
  random <- mean(diag(as.matrix(Z %*% Sigma %*% t(Z))))
  fixed <- var(as.vector(getME(m, "X") %*% fixef(m))); residual <- sigma(m)^2; total <- fixed + random + residual
  r2p <- performance::r2_nakagawa(m)
  out[[x[[1]]]] <- list(formula = x[[2]], REML = x[[3]], theta = I(unname(getME(m, "theta"))), fixed = fixed, random = random, residual = residual,
    marginal = fixed / total, conditional = (fixed + random) / total, adjusted = random / (random + residual), unadjusted = random / total,
    mumin = as.list(mumin(m)[1, ]),
    performance = list(marginal = unname(r2p$R2_marginal), conditional = unname(r2p$R2_conditional)))
}
writeLines(toJSON(out, digits = 15, auto_unbox = TRUE, null = "null"), file.path(here, "effect_size.json"))
