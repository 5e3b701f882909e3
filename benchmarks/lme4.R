# Fit one problem by lme4 and write what was measured as JSON:
#   Rscript lme4.R FORMULA CSV FACTORS OUT SECONDS
# FACTORS: columns (comma separated) that are factors; integer grouping columns stay integers, as for the Python engines.
suppressPackageStartupMessages(library(lme4))
args <- commandArgs(TRUE)
formula <- as.formula(args[1]); out <- args[4]; seconds <- as.numeric(args[5])
factors <- strsplit(args[3], ",")[[1]]
data <- read.csv(args[2], colClasses = setNames(rep("factor", length(factors)), factors))

source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "measure.R"))
report <- function() writeLines(sprintf(
  '{"version": "%s (R %s)", "cold": %s, "warm": %s, "peak": %s, "growth": %s, "answer": {"criterion": %s, "sigma": %s, "beta": %s, "se": %s}}',
  packageVersion("lme4"), getRversion(), number(cold), numbers(warm), number(peak), number(growth),
  number(REMLcrit(m)), number(sigma(m)), numbers(fixef(m)), numbers(sqrt(diag(as.matrix(vcov(m)))))), out)

fit <- function() suppressMessages(suppressWarnings(lmer(formula, data)))
invisible(gc())
if (file.exists("/proc/self/clear_refs")) cat("5", file = "/proc/self/clear_refs")
before <- memory("VmRSS"); start <- now()
m <- fit()
cold <- now() - start; warm <- numeric(0); peak <- memory("VmHWM"); growth <- peak - before
report()
deadline <- now() + seconds
while (length(warm) < 30 && now() + (if (length(warm)) min(warm) else cold) < deadline) {
  # proc.time() ticks in milliseconds: a short fit is repeated until the ticks do not matter.
  times <- max(1, ceiling(0.2 / max(cold, 1e-3))); start <- now()
  for (i in seq_len(times)) m <- fit()
  warm <- c(warm, (now() - start) / times)
}
report()
