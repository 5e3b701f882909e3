# ANOVA tables of designs that are hard to get right. Writes anova_hard.json beside it (data, theta, tables).
# Run: Rscript anova_hard.R     (R with lme4, lmerTest, pbkrtest, car, emmeans, jsonlite)
suppressPackageStartupMessages({ library(lmerTest); library(car); library(jsonlite) })
options(warn = 1)
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 0.2, rhoend = 1e-9, maxfun = 1e5))

set.seed(20)
n <- 240
d <- data.frame(
  a = factor(sample(c("a1", "a2", "a3"), n, TRUE, c(.5, .3, .2)), levels = c("a1", "a2", "a3")),
  b = factor(sample(c("b1", "b2"), n, TRUE, c(.6, .4))),
  c = factor(sample(c("c1", "c2", "c3"), n, TRUE, c(.2, .5, .3))),
  o = factor(sample(c("lo", "mid", "hi", "top"), n, TRUE), levels = c("lo", "mid", "hi", "top"), ordered = TRUE),
  x = round(rnorm(n, 3, 2), 3), w = round(rexp(n), 3),
  g = factor(sprintf("g%02d", sample(1:16, n, TRUE))))
d$x2 <- 2 * d$x - 1
d$nested <- factor(paste0(d$a, sample(c("p", "q"), n, TRUE)))
u <- rnorm(16, 0, 1.2); v <- rnorm(16, 0, 0.4)
d$y <- round(1 + 0.6 * (d$a == "a2") - 0.5 * (d$b == "b2") + 0.8 * (d$a == "a3") * (d$b == "b2") + 0.3 * d$x +
  0.25 * d$x * (d$b == "b2") + 0.2 * as.integer(d$o) + u[d$g] + v[d$g] * d$x + rnorm(n), 4)
d$miss <- with(d, !(a == "a2" & b == "b2") & !(a == "a3" & b == "b1" & c == "c3") & !(a == "a1" & c == "c2" & b == "b2"))

frame_of <- function(t) c(list(.rownames = I(rownames(t))), lapply(as.list(as.data.frame(t)), unname))
num <- function(x) if (is.numeric(x)) lapply(x, function(v) if (is.na(v)) "NA" else v) else x  # numbers as they are, NA as "NA"
tab <- function(expr) {
  r <- tryCatch(suppressMessages(suppressWarnings(expr)), error = function(e) list(error = conditionMessage(e)))
  if (is.list(r) && !is.null(r$error)) r else lapply(frame_of(r), num)
}
case <- function(name, formula, data = "all", contrasts = NULL, drop = TRUE, kr = TRUE) {
  dd <- if (data == "all") d else d[d$miss, ]
  fit <- suppressMessages(lmer(as.formula(formula), dd, control = tight, contrasts = contrasts))
  out <- list(name = name, formula = formula, data = data, contrasts = contrasts, theta = I(unname(getME(fit, "theta"))))
  for (m in if (kr) c("Satterthwaite", "Kenward-Roger") else "Satterthwaite") for (type in c("I", "II", "III"))
    out[[paste("anova", type, if (m == "Satterthwaite") "satt" else "kr", sep = "_")]] <- tab(anova(fit, type = type, ddf = m))
  for (type in 2:3) out[[paste0("car_", type)]] <- tab(Anova(fit, type = type, test.statistic = "Chisq", singular.ok = TRUE))
  if (drop) {
    environment(fit@call$formula) <- environment()
    out$drop1_satt <- tab(drop1(fit, ddf = "Satterthwaite"))
    ml <- suppressMessages(eval(bquote(lme4::lmer(.(as.formula(formula)), dd, REML = FALSE, control = tight, contrasts = .(contrasts)))))
    out$drop1_chisq_ml <- tab(drop1(ml, test = "Chisq"))
  }
  out
}
sums <- list(a = "contr.sum", b = "contr.sum", c = "contr.sum")
helm <- list(a = "contr.helmert", b = "contr.sum")
cases <- list(
  case("three_way", "y ~ a * b * c + (1 | g)"),
  case("three_way_sum", "y ~ a * b * c + (1 | g)", contrasts = sums),
  case("missing_cells", "y ~ a * b * c + (1 | g)", data = "miss"),
  case("missing_cells_sum", "y ~ a * b * c + (1 | g)", data = "miss", contrasts = sums),
  case("missing_two_way", "y ~ a * b + c + (1 | g)", data = "miss"),
  case("covariate", "y ~ a * x + b + (1 | g)"),
  case("covariate_helmert", "y ~ a * b * x + (x | g)", contrasts = helm),
  case("covariate_slope", "y ~ a * b * x + (x | g)"),
  case("two_covariates", "y ~ a * x * w + b:w + (1 | g)"),
  case("slopes_within", "y ~ a / x + (1 | g)"),
  case("only_slopes", "y ~ b + a:x + (1 | g)"),
  case("nested", "y ~ a / nested + (1 | g)"),
  case("nested_slopes", "y ~ a / b / x + (x || g)"),
  case("ordered", "y ~ o * b + x + (1 | g)"),
  case("ordered_covariate", "y ~ o * x + (1 | g)"),
  case("no_intercept", "y ~ 0 + a + x + (1 | g)"),
  case("no_intercept_two", "y ~ 0 + a + b + (1 | g)"),
  case("no_intercept_cells", "y ~ 0 + a:b + x + (1 | g)"),
  case("no_intercept_crossed", "y ~ 0 + a * b + (1 | g)"),
  case("no_main_effects", "y ~ a:b + (1 | g)"),
  case("one_main_effect", "y ~ b + a:b + (1 | g)"),
  case("one_factor", "y ~ a + (1 | g)"),
  case("deficient", "y ~ a + x + x2 + b:x2 + (1 | g)"),
  case("poly", "y ~ a * poly(x, 2) + (1 | g)"),
  case("scaled", "y ~ a * scale(x) + b + (1 | g)"),
  case("transformed", "y ~ a * log(w) + I(x^2) + (1 | g)"))
# Where a factor is in an interaction but its own main effect is not in the model, lmerTest 3.1-3 overlooks that the
# interaction contains other terms: its term_contain() keeps only the entries of attr(terms, "factors") that are 1,
# and those of such factors are 2. Then its types II and III depend on which level comes first:
evidence <- function(formula, ...) {
  dd <- transform(d, ...)
  list(formula = formula, anova_III_satt = tab(anova(lmer(as.formula(formula), dd, control = tight))))
}
lmertest_bug <- list(
  one_main_effect = evidence("y ~ b + a:b + (1 | g)", a = relevel(a, "a3")),
  nested = evidence("y ~ a / nested + (1 | g)", nested = factor(nested, rev(levels(nested)))))
nested <- lmer(y ~ a / nested + (1 | g), d, control = tight)
joint <- as.data.frame(suppressMessages(emmeans::joint_tests(nested, lmer.df = "asymptotic")))
data <- d; data$o <- as.character(data$o)
writeLines(toJSON(list(data = as.list(data), cases = cases, lmertest_bug = lmertest_bug,
  joint_tests_nested = list(.rownames = as.character(joint[[1]]), df1 = joint$df1, F.ratio = joint$F.ratio), versions = list(R = as.character(getRversion()),
  lme4 = as.character(packageVersion("lme4")), lmerTest = as.character(packageVersion("lmerTest")), pbkrtest = as.character(packageVersion("pbkrtest")),
  car = as.character(packageVersion("car")))), digits = 15, auto_unbox = TRUE, null = "null"), file.path(here, "anova_hard.json"))
