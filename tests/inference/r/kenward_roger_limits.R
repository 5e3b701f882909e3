# Kenward-Roger where its formulas divide by little or nothing: pbkrtest's moments for made up P and W, and small models.
# Run: Rscript kenward_roger_limits.R     (R with lmerTest, pbkrtest, jsonlite); writes kenward_roger_limits.json beside it
suppressPackageStartupMessages({ library(lmerTest); library(pbkrtest); library(jsonlite) })
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
# 1) one variance parameter of variance 1, beta with covariance I: A1 = sum(e)^2, A2 = sum(e^2) for P = diag(e)
moments <- function(e) {
  q <- length(e); PhiA <- diag(q); attr(PhiA, "P") <- list(diag(e, q)); attr(PhiA, "W") <- matrix(1)
  r <- suppressWarnings(pbkrtest:::.KR_adjust(PhiA, diag(q), diag(q), rep(1, q), rep(0, q)))
  list(q = q, A1 = sum(e)^2, A2 = sum(e^2), ddf = r$ddf, scale = r$F.scaling)
}
shapes <- list(1, c(1, 1), c(1, .9), c(1, .5), c(1, 0), c(1, 1, 1), c(1, .8, .5), c(1, .2, 0), c(1, 1, .7, .6, .5, .1))
sizes <- c(1e-3, .02, .1, .25, .4, .5, .6, .7, .75, .8, .9, 1.1, 1.5, 2.1, 4, 16)    # A2 / q
grid <- list()
for (s in shapes) for (a in sizes) grid <- c(grid, list(moments(s * sqrt(a * length(s) / sum(s^2)))))
# 2) the df just within, and just without, a hundredth of 2
e <- c(1, -.2)
for (a in c(0.9640336, 0.9633947, 0.9632512, 0.9604209, 0.9602665, 0.959565)) grid <- c(grid, list(moments(e * sqrt(2 * a / sum(e^2)))))
# 3) small models: four df exactly, few groups
frame_of <- function(t) c(list(.rownames = I(rownames(t))), lapply(as.list(as.data.frame(t)), function(v) I(unname(v))))
four <- data.frame(y = c(1, 1.1, 2, 2.1, 1.5, 1.6, 2.5, 2.6), f1 = rep(c("a", "b"), each = 4), f2 = rep(c("x", "x", "y", "y"), 2), g = strsplit("pqrsspqr", "")[[1]])
set.seed(5)
few <- data.frame(g = rep(c("p", "q", "r"), c(4, 5, 6)), f = rep(c("u", "v", "w"), 5), x = round(rnorm(15), 2))
few$y <- round(1 + few$x + rnorm(3)[as.integer(factor(few$g))] * 2 + rnorm(15), 2)
ctl <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 0.2, rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE)
models <- list()
for (x in list(list("four", four, "y ~ f1 * f2 + (1 | g)"), list("few", few, "y ~ f + x + (1 | g)"), list("few slopes", few, "y ~ x + (1 | g) + (0 + x | g)"))) {
  d <- x[[2]]; m <- suppressWarnings(suppressMessages(lmer(as.formula(x[[3]]), d, control = ctl)))
  models[[x[[1]]]] <- list(formula = x[[3]], data = lapply(as.list(d), I), theta = I(unname(getME(m, "theta"))),
    coef = frame_of(suppressMessages(as.data.frame(summary(m, ddf = "Kenward-Roger")$coefficients))), anova = frame_of(suppressMessages(as.data.frame(anova(m, ddf = "Kenward-Roger")))))
}
writeLines(toJSON(list(moments = grid, models = models), digits = I(17), auto_unbox = TRUE, na = "string"), file.path(here, "kenward_roger_limits.json"))
