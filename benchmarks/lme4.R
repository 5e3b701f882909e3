# Fit one problem by lme4 and write what was measured as JSON:
#   Rscript lme4.R FORMULA CSV FACTORS OUT SECONDS
# FACTORS: columns (comma separated) that are factors; integer grouping columns stay integers, as for the Python engines.
suppressPackageStartupMessages(library(lme4))
args <- commandArgs(TRUE)
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "measure.R"))
formula <- as.formula(args[1]); data <- rows_of(args[2], args[3])

answer <- function(m) c(criterion = number(REMLcrit(m)), sigma = number(sigma(m)), beta = numbers(fixef(m)),
                        se = numbers(sqrt(diag(as.matrix(vcov(m))))))
version <- c(version = sprintf('"%s (R %s)"', packageVersion("lme4"), getRversion()))
measured(function() lmer(formula, data), answer, version, args[4], as.numeric(args[5]))
