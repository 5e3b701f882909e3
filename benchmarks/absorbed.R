# One fit with absorbed factors by fixest, as JSON:
#   Rscript absorbed.R FORMULA CSV FACTORS METHOD OUT SECONDS
# METHOD is "lm". fixest may use as many threads as it takes by itself.
suppressPackageStartupMessages(library(fixest))
args <- commandArgs(TRUE)
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "measure.R"))
formula <- as.formula(args[1]); data <- read.csv(args[2]); out <- args[5]
known <- c(version = sprintf('"%s (R %s)"', packageVersion("fixest"), getRversion()), fit = "null")
report(known, out)
measured(function() feols(formula, data), function(model) c(numbers = numbers(coef(model))), known, out, as.numeric(args[6]))
