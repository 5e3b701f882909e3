# The order of lme4's theta where grouping factors tie in their number of levels: Rscript theta_order.R theta_order.json
suppressPackageStartupMessages({library(lme4); library(jsonlite)})
n <- 48; i <- seq_len(n) - 1
d <- data.frame(
  a = letters[i %/% 8 + 1],                      # 6 levels
  c = LETTERS[i %/% 8 + 1],                      # the same partition as a
  b = c("u", "v")[i %/% 4 %% 2 + 1],             # 2 within each a: a:b has 12
  e = c("k", "l", "m", "n", "o", "p")[i %% 6 + 1],  # 6 levels, crossed
  w = i %% 12,                                   # 12 levels, as many as a:b
  h = c("s", "t")[i %/% 24 + 1],                 # 2 levels, holds a
  x = round(sin(1.7 * i), 4), z = round(cos(2.3 * i + .4), 4))
d$y <- round(2 + d$x + .8 * sin(5 * (i %/% 8)) + .6 * cos(3 * (i %/% 4)) + .9 * sin(2 * (i %% 6)) + .5 * sin(11.3 * i^1.1), 4)
one <- c("(1|a/c)", "(1|a/b)", "(1|h/a)", "(1|h/a/c)", "(1|h/a/b)", "(1|a/c/b)", "(x|a/c)", "(x|h/a/c)", "(x||a/c)", "(x||a/b)", "(x||h/a)",
  "(x||h/a/c)", "(x + z||a/c)", "(x + z||a/b)", "(0 + x|a/c)", "(x + z|a/c)")
more <- c("(1|a)", "(1|c)", "(1|e)", "(1|a:c)", "(1|a:b)", "(1|h)", "(x|e)", "(x||e)", "(0 + x|a)", "(1|a:e)", "(x||a:c)", "(1|w)", "(x||w)")
formulas <- c(one, apply(expand.grid(one[c(1, 2, 3, 5, 7, 9, 10, 12)], more), 1, paste, collapse = " + "),
  apply(expand.grid(more, one[c(1, 2, 5, 9, 10)]), 1, paste, collapse = " + "),
  "(1|a) + (1|c) + (1|e)", "(1|e) + (1|c) + (1|a)", "(1|h) + (1|e) + (1|c) + (1|a)", "(1|e) + (1|a/c) + (1|h)", "(1|h) + (1|e) + (1|a/c)",
  "(0 + x|a) + (1|a) + (1|e)", "(1|e) + (1|a) + (0 + x|a)", "(1|h) + (0 + x|a) + (1|e) + (1|a)", "(x||a) + (z||e)", "(1|h) + (x||a) + (z||e)",
  "(1|a:c) + (1|a)", "(1|a) + (1|a:c)", "(1|h) + (1|a:c) + (1|a)", "(1|h) + (1|a) + (1|a:c)", "(1|h) + (x||a/c) + (1|e)", "(1|(a/c)) + (1|h)")
ctl <- lmerControl(check.nobs.vs.nlev = "ignore", check.nobs.vs.nRE = "ignore", check.nobs.vs.rankZ = "ignore")
orders <- list()
for (f in formulas) {
  r <- tryCatch(suppressMessages(lFormula(as.formula(paste("y ~ x +", f)), d, control = ctl))$reTrms, error = function(e) NULL)
  if (is.null(r)) next
  names <- names(r$flist)[attr(r$flist, "assign")]
  effects <- unlist(lapply(seq_along(r$cnms), function(j) paste(sapply(strsplit(gsub("[()]", "", names[j]), ":"), function(s) paste(sort(s), collapse = ":")), r$cnms[[j]])))
  if (anyDuplicated(effects)) next  # two variances of one column, which cannot be told apart
  orders[[f]] <- lapply(seq_along(r$cnms), function(j) list(group = names[j], columns = as.list(r$cnms[[j]])))
}
fits <- list()
for (f in c("(1|a/b) + (1|e)", "(x||a/b)", "(1|e) + (1|a)", "(1|a) + (1|e)", "(1|h) + (1|e) + (1|a)", "(x||e) + (1|a/b)", "(1|w) + (1|a/b)", "(1|a/b) + (1|w)", "(1|e) + (1|w) + (1|a/b)")) {
  m <- suppressMessages(lmer(as.formula(paste("y ~ x +", f)), d, control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5),
    check.nobs.vs.nlev = "ignore", check.nobs.vs.nRE = "ignore", calc.derivs = FALSE)))
  fits[[f]] <- list(theta = as.numeric(getME(m, "theta")), names = names(getME(m, "theta")), criterion = as.numeric(REMLcrit(m)))
}
writeLines(toJSON(list(data = as.list(d), orders = orders, fits = fits), digits = 12, auto_unbox = TRUE), commandArgs(trailingOnly = TRUE)[1])
