# One table of intervals by lme4 (profiles, or standard errors of 1,000 draws of bootMer), or of coefficients by lmerTest (Satterthwaite) or pbkrtest (Kenward-Roger), or one of marginal means by emmeans, which
# calls these, as JSON:
#   Rscript inference.R FORMULA CSV FACTORS METHOD OUT SECONDS MEANS
# The model is fitted by lme4::lmer; what lmerTest adds to a fit (its Hessian) is part of the table, as it is in interlace.
suppressPackageStartupMessages({ library(lme4); library(lmerTest); library(pbkrtest) })
args <- commandArgs(TRUE)
specs <- if (length(args) > 6) args[7] else ""
formula <- as.formula(args[1]); method <- args[4]; out <- args[5]; seconds <- as.numeric(args[6])
factors <- strsplit(args[3], ",")[[1]]
data <- read.csv(args[2], colClasses = setNames(rep("factor", length(factors)), factors))

source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "measure.R"))
report <- function(fields) {
  writeLines(paste0("{", paste(sprintf('"%s": %s', names(fields), fields), collapse = ", "), "}"), paste0(out, ".new"))
  file.rename(paste0(out, ".new"), out)
}

package <- switch(method, satterthwaite = "lmerTest", `kenward-roger` = "pbkrtest", "lme4")
start <- now()
model <- suppressMessages(suppressWarnings(lme4::lmer(formula, data)))
found <- list(version = sprintf('"%s (lme4 %s, R %s)"', packageVersion(package), packageVersion("lme4"), getRversion()),
              fit = number(now() - start))
report(found)

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
profile_ends <- function() {
  ends <- confint(model, method = "profile", quiet = TRUE)
  cbind(`Std. Error` = ends[, 2] - ends[, 1], df = ends[, 2])
}
parameters <- function(m) c(as.data.frame(VarCorr(m), order = "lower.tri")$sdcor, fixef(m))
draws <- function() {
  se <- apply(bootMer(model, parameters, nsim = 1000, seed = 1)$t, 2, sd, na.rm = TRUE)
  cbind(`Std. Error` = se, df = se)
}
deletions <- function() {  # Cook's distance by the definition of the other engine
  if (method != "influence-refit") stop("lme4 has refits only")
  J <- nlevels(data[[factors[1]]]); p <- length(fixef(model))
  d <- cooks.distance(influence(model, groups = factors[1])) * J / (J - p)
  cbind(`Std. Error` = d, df = d)
}
table <- if (startsWith(method, "influence")) deletions else if (nzchar(specs)) means else switch(method, satterthwaite = satterthwaite, `kenward-roger` = kenward_roger,
                                              profile = profile_ends, bootstrap = draws)

invisible(gc())
if (file.exists("/proc/self/clear_refs")) cat("5", file = "/proc/self/clear_refs")
before <- memory("VmRSS"); start <- now()
answer <- suppressMessages(suppressWarnings(table()))
cold <- now() - start; peak <- memory("VmHWM"); warm <- numeric(0)
found <- c(found, cold = number(cold), peak = number(peak), growth = number(peak - before),
           df = numbers(answer[, "df"]), se = numbers(answer[, "Std. Error"]))
report(c(found, warm = numbers(warm)))
deadline <- now() + seconds
while (length(warm) < 30 && now() + (if (length(warm)) min(warm) else cold) < deadline) {
  # proc.time() ticks in milliseconds: a short call is repeated until the ticks do not matter.
  times <- max(1, ceiling(0.2 / max(cold, 1e-3))); start <- now()
  for (i in seq_len(times)) suppressMessages(suppressWarnings(table()))
  warm <- c(warm, (now() - start) / times)
}
report(c(found, warm = numbers(warm)))
