# Singular fits: a variance of zero, a correlation of one, a slope without variance, one of two crossed factors without effect.
# Run: Rscript singular.R     (R with lmerTest, pbkrtest, jsonlite); writes singular.json beside it (data, theta, tables)
suppressPackageStartupMessages({ library(lmerTest); library(jsonlite) })
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
ctl <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 0.2, rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE, check.conv.singular = "ignore")
set.seed(31)
d <- data.frame(g = sprintf("g%02d", rep(1:12, each = 6)), h = sprintf("h%d", rep(1:6, 12)), f = rep(c("u", "v", "w"), 24), stringsAsFactors = TRUE)
d$x <- round(rnorm(72), 3)
e <- rnorm(72); centred <- e - ave(e, d$g) + rnorm(12, 0, 0.02)[d$g]
b <- rnorm(12)
d$none <- round(2 + 0.3 * d$x + centred, 4)                       # less between groups than within
d$one <- round(2 + 0.3 * d$x + b[d$g] * (1 + 0.8 * d$x) + 0.8 * rnorm(72), 4)    # slope = 0.8 intercept
d$flat <- round(2 + 0.3 * d$x + b[d$g] + e - d$x * (12 / 72) * ave(e * d$x, d$g), 4)
d$cross <- round(2 + 0.3 * d$x + b[d$g] + e - ave(e, d$h) + rnorm(6, 0, 0.02)[d$h], 4)
frame_of <- function(t) c(list(.rownames = I(rownames(t))), lapply(as.list(as.data.frame(t)), function(v) I(unname(v))))
cases <- list(
  list("no variance", "none ~ x * f + (1 | g)", TRUE), list("no variance, ML", "none ~ x * f + (1 | g)", FALSE),
  list("correlation of one", "one ~ x * f + (x | g)", TRUE), list("correlation of one, ML", "one ~ x * f + (x | g)", FALSE),
  list("slope without variance", "flat ~ x + f + (x || g)", TRUE),
  list("one of two", "cross ~ x + f + (1 | g) + (1 | h)", TRUE),
  list("zero of two terms", "none ~ x + f + (x | g)", TRUE))
out <- list()
for (x in cases) {
  m <- suppressWarnings(lmer(as.formula(x[[2]]), d, REML = x[[3]], control = ctl))
  p <- length(fixef(m)); r <- list(formula = x[[2]], REML = x[[3]], theta = I(unname(getME(m, "theta"))), singular = isSingular(m))
  w <- character()
  said <- function(expr) suppressMessages(withCallingHandlers(expr, warning = function(c) { w <<- c(w, conditionMessage(c)); invokeRestart("muffleWarning") }))
  for (ddf in if (x[[3]]) c("Satterthwaite", "Kenward-Roger") else "Satterthwaite")
    r[[ddf]] <- list(coef = frame_of(said(as.data.frame(summary(m, ddf = ddf)$coefficients))), anova = frame_of(said(as.data.frame(anova(m, ddf = ddf)))))
  r$warnings <- I(unique(w))
  out[[x[[1]]]] <- r
}
writeLines(toJSON(list(data = lapply(as.list(d), function(v) if (is.factor(v)) as.character(v) else v), cases = out), digits = 15, auto_unbox = TRUE, na = "string"), file.path(here, "singular.json"))
