# What lme4 (with lmerTest, for Satterthwaite's p-values) makes of one question of the benchmark of resampling, as JSON:
#   Rscript resampling.R FORMULA CSV FACTORS TASK OUT SECONDS SIZE WHOLE
# SIZE of WHOLE draws, responses or folds are done: what takes hours is scaled.
suppressPackageStartupMessages({ library(lme4); library(lmerTest) })
args <- commandArgs(TRUE)
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "measure.R"))
formula <- as.formula(args[1]); data <- rows_of(args[2], args[3]); task <- args[4]; out <- args[5]
size <- as.integer(args[7]); whole <- as.integer(args[8]); group <- strsplit(args[3], ",")[[1]][1]

start <- now()
# refit() of a REML fit takes the criterion of a model with one coefficient: responses are fitted by maximum likelihood.
model <- quietly(lme4::lmer(formula, data, REML = task != "refit"))
known <- c(version = sprintf('"%s (lmerTest %s, R %s)"', packageVersion("lme4"), packageVersion("lmerTest"), getRversion()),
           fit = number(now() - start), share = number(if (whole > 0) size / whole else 1))
report(known, out)

profile_ends <- function() confint(model, method = "profile", quiet = TRUE)
parameters <- function(m) c(as.data.frame(VarCorr(m), order = "lower.tri")$sdcor, fixef(m))
draws <- function() bootMer(model, parameters, nsim = size, seed = 1)$t
responses <- function() as.matrix(data[paste0("r", seq_len(size))])
estimates <- function() apply(responses(), 2, function(y) coef(summary(lme4::refit(model, y)))[, 1:2])
# lmerTest takes the response of the call, not that of refit(), so that the model is fitted anew.
tested <- function(rows, y) {
  rows[[all.vars(formula)[1]]] <- y
  coef(summary(lmerTest::lmer(formula, rows), ddf = "Satterthwaite"))
}
tests <- function() apply(responses(), 2, function(y) tested(data, y)[, 1:3])
# Coefficient by column of a table, one after the other, by response.
columns_of <- function(found, names) {
  p <- length(fixef(model))
  setNames(lapply(seq_along(names), function(j) numbers(found[(j - 1) * p + seq_len(p), ])), names)
}
folds <- function() unlist(lapply(unique(data[[group]])[seq_len(size)], function(level) {
  held <- data[[group]] == level
  predict(lme4::lmer(formula, data[!held, ]), data[held, ], allow.new.levels = TRUE)
}))
power <- function() {
  truth <- list(theta = getME(model, "theta"), beta = c(fixef(model)[[1]], 4), sigma = sigma(model))
  vapply(c(8, 12, 16, 20, 24), function(n) {
    design <- expand.grid(Days = 0:9, Subject = factor(seq_len(n)))
    Y <- simulate(formula[-2], newdata = design, newparams = truth, family = gaussian, nsim = size, seed = 1)
    mean(vapply(Y, function(y) tested(design, y)[2, 5] < 0.05, NA))
  }, 0)
}
deletions <- function() influence(model, groups = group)
cooks <- function(found) {  # by the definition of the other engines
  J <- nlevels(factor(data[[group]])); p <- length(fixef(model))
  cooks.distance(found) * J / (J - p)
}
some <- function(x) x[seq(1, length(x), by = max(length(x) %/% 1000, 1))]

does <- switch(sub("-.*", "", task), profile = profile_ends, bootstrap = draws, refit = estimates, tests = tests,
               folds = folds, power = power, influence = deletions, leverage = function() hatvalues(model))
answer <- switch(sub("-.*", "", task),
  profile = function(x) c(lower = numbers(x[, 1]), upper = numbers(x[, 2])),
  bootstrap = function(x) c(se = numbers(apply(x, 2, sd, na.rm = TRUE)), n = numbers(size)),
  refit = function(x) columns_of(x, c("estimate", "se")),
  tests = function(x) columns_of(x, c("estimate", "se", "df")),
  folds = function(x) c(predicted = numbers(x)),
  power = function(x) c(power = numbers(x), n = numbers(size)),
  influence = function(x) c(cooksd = numbers(cooks(x))),
  leverage = function(x) c(overall = numbers(some(x))))
measured(does, answer, known, out, as.numeric(args[6]))
