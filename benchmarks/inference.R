# One table of coefficients by lmerTest (Satterthwaite) or pbkrtest (Kenward-Roger), or one of marginal means by emmeans, which
# calls these, as JSON:
#   Rscript inference.R FORMULA CSV FACTORS METHOD OUT SECONDS MEANS
# The model is fitted by lme4::lmer; what lmerTest adds to a fit (its Hessian) is part of the table, as it is in interlace.
suppressPackageStartupMessages({ library(lme4); library(lmerTest); library(pbkrtest) })
args <- commandArgs(TRUE)
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "measure.R"))
formula <- as.formula(args[1]); data <- rows_of(args[2], args[3]); method <- args[4]; out <- args[5]
specs <- if (length(args) > 6) args[7] else ""

package <- switch(method, satterthwaite = "lmerTest", `kenward-roger` = "pbkrtest")
start <- now()
model <- quietly(lme4::lmer(formula, data))
known <- c(version = sprintf('"%s (lme4 %s, R %s)"', packageVersion(package), packageVersion("lme4"), getRversion()),
           fit = number(now() - start))
report(known, out)

satterthwaite <- function() coef(summary(as_lmerModLmerTest(model), ddf = "Satterthwaite"))
kenward_roger <- function() {  # as summary(ddf = "Kenward-Roger") of lmerTest has it, without lmerTest's Hessian
  plain <- vcov(model); adjusted <- vcovAdj(model); p <- length(fixef(model))
  cbind(`Std. Error` = sqrt(diag(as.matrix(adjusted))),
        df = vapply(seq_len(p), function(i) Lb_ddf(as.numeric(seq_len(p) == i), plain, adjusted), 0))
}
means <- function() {  # without its bounds on rows, above which it has no degrees of freedom
  found <- as.data.frame(emmeans::emmeans(model, as.formula(paste("~", specs)), lmer.df = method, lmerTest.limit = Inf,
                                          pbkrtest.limit = Inf, rg.limit = Inf))
  cbind(`Std. Error` = found$SE, df = found$df)
}
table <- if (nzchar(specs)) means else switch(method, satterthwaite = satterthwaite, `kenward-roger` = kenward_roger)

answer <- function(found) c(df = numbers(found[, "df"]), se = numbers(found[, "Std. Error"]))
measured(table, answer, known, out, as.numeric(args[6]))
