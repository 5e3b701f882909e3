# Comparisons of models of a split plot with missing values, weights and an offset: lme4's anova, AIC, BIC and drop1,
# lmerTest's drop1 and ranova, and the 50:50 mixture by its definition.
# Run: Rscript comparison.R     (R with lmerTest, pbkrtest, jsonlite); writes comparison.json beside it (data, theta, tables)
suppressPackageStartupMessages({ library(lmerTest); library(jsonlite) })
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
ctl <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 0.2, rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE, check.conv.singular = "ignore")
set.seed(77)
d <- expand.grid(sub = c("s1", "s2", "s3"), plot = c("p1", "p2", "p3", "p4"), block = sprintf("b%02d", 1:9))
d <- rbind(d, d); n <- nrow(d)
d$variety <- factor(c("u", "v")[(as.integer(d$plot) + as.integer(d$block)) %% 2 + 1])
d$x <- round(rnorm(n), 3); d$o <- round(runif(n), 3); d$w <- round(runif(n, 0.5, 2), 2)
d$y <- round(5 + d$o + 0.7 * (d$variety == "v") + 0.4 * d$x + 0.3 * as.integer(d$sub) * (d$variety == "v") + rnorm(9, 0, 0.9)[d$block] +
  rnorm(9, 0, 0.3)[d$block] * d$x + rnorm(36, 0, 0.5)[interaction(d$block, d$plot)] + rnorm(n) / sqrt(d$w), 4)
d$y[c(5, 77)] <- NA; d$x[c(8, 100, 150)] <- NA
used <- d[complete.cases(d), ]
formulas <- c(
  "y ~ x + offset(o) + (1 | block)",
  "y ~ variety + x + offset(o) + (1 | block) + (1 | block:plot)",
  "y ~ variety * sub + x + offset(o) + (1 | block) + (1 | block:plot)",
  "y ~ variety * sub + x + offset(o) + (x | block) + (1 | block:plot)",
  "y ~ variety * sub * x + offset(o) + (x | block) + (1 | block:plot)")
fit <- function(f, REML) eval(bquote(lmer(.(as.formula(f)), used, weights = w, REML = .(REML), control = ctl)))
frame_of <- function(t) c(list(.rownames = I(rownames(t))), lapply(as.list(as.data.frame(t)), function(v) I(unname(v))))
ml <- lapply(formulas, fit, FALSE); reml <- lapply(formulas, fit, TRUE)
tested <- reml[[4]]
mixture <- function(lrt, df) (pchisq(lrt, df, lower.tail = FALSE) + ifelse(df > 1, pchisq(lrt, df - 1, lower.tail = FALSE), 0)) / 2
ran <- as.data.frame(ranova(tested)); ran$mixture <- c(NA, mixture(ran$LRT[-1], ran$Df[-1]))
reduced_ml <- as.data.frame(ranova(ml[[4]]))
writeLines(toJSON(list(
  data = as.list(transform(d, sub = as.character(sub), plot = as.character(plot), block = as.character(block), variety = as.character(variety))),
  formulas = formulas,
  compare = frame_of(do.call(anova, unname(lapply(ml, as, "lmerMod")))),
  compare_reml = frame_of(anova(as(reml[[3]], "lmerMod"), as(reml[[4]], "lmerMod"), refit = FALSE)),
  aic = I(sapply(ml, AIC)), bic = I(sapply(ml, BIC)), aic_reml = I(sapply(reml, AIC)), bic_reml = I(sapply(reml, BIC)),
  drop1 = list(theta = I(unname(getME(tested, "theta"))), satterthwaite = frame_of(drop1(tested)),
    lrt = frame_of(drop1(as(ml[[4]], "lmerMod"), test = "Chisq")), theta_5 = I(unname(getME(reml[[5]], "theta"))), satterthwaite_5 = frame_of(drop1(reml[[5]]))),
  ranova = frame_of(ran), ranova_ml = frame_of(reduced_ml)), digits = 15, auto_unbox = TRUE, na = "string", null = "null"), file.path(here, "comparison.json"))
