# lme4's bootMer on sleepstudy: means, standard deviations and quantiles of 2,000 parametric draws.
# Rscript bootstrap.R > bootstrap.json
suppressMessages(library(lme4))
m <- lmer(Reaction ~ Days + (Days | Subject), sleepstudy)
read <- function(m) {
  v <- as.data.frame(VarCorr(m), order = "lower.tri")
  c(v$sdcor, fixef(m))
}
b <- suppressWarnings(suppressMessages(bootMer(m, read, nsim = 2000, seed = 1)))
names <- c("sd_Intercept|Subject", "cor_Days.Intercept|Subject", "sd_Days|Subject", "sigma", "Intercept", "Days")
draws <- b$t
out <- list(n = 2000, lme4 = as.character(packageVersion("lme4")), names = names,
  mean = unname(colMeans(draws, na.rm = TRUE)), sd = unname(apply(draws, 2, sd, na.rm = TRUE)),
  lower = unname(apply(draws, 2, quantile, 0.025, na.rm = TRUE)), upper = unname(apply(draws, 2, quantile, 0.975, na.rm = TRUE)))
cat(jsonlite::toJSON(out, auto_unbox = TRUE, digits = 8, pretty = TRUE), "\n")
