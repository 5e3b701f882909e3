# clubSandwich 0.5.8 where the fixed effects explain nearly all of y'y: Rscript robust_origin.R robust_origin.json
suppressPackageStartupMessages({library(lme4); library(clubSandwich); library(jsonlite)})
set.seed(17); n <- 120; i <- seq_len(n) - 1
d <- data.frame(g = paste0("g", i %% 15), f = c("a", "b", "c")[i %/% 40 + 1], x = round(i / 12, 3))
b <- rnorm(15)[i %% 15 + 1]
d$near <- round(100 + 2 * (d$f == "b") + b + rnorm(n), 3)
d$cal <- round(3 + 500 * d$x + .5 * b + .5 * rnorm(n), 3)
d$far <- round(1e6 + d$x + b + rnorm(n), 3)
ctl <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE)
out <- list()
for (formula in c("near ~ 0 + f + (1 | g)", "cal ~ x + (1 | g)", "cal ~ 0 + x + f + (1 | g)", "near ~ 0 + f + f:x + (1 | g)", "far ~ x + (1 | g)")) {
  m <- lmer(as.formula(formula), d, control = ctl)
  p <- length(fixef(m)); r <- list(theta = getME(m, "theta"))
  for (t in c("CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3")) {
    V <- vcovCR(m, type = t); w <- Wald_test(m, constraints = diag(p), vcov = V, test = "HTZ")
    r[[t]] <- list(se = sqrt(diag(as.matrix(V))), df = coef_test(m, vcov = V, test = "Satterthwaite")$df_Satt, F = w$Fstat, den_df = w$df_denom)
  }
  out[[formula]] <- r
}
writeLines(toJSON(list(data = as.list(d), cases = out), digits = 15, auto_unbox = TRUE), commandArgs(trailingOnly = TRUE)[1])
