# What covariates of the grid are reduced to, at= and nesting that is named:
#   Rscript covariates.R covariates.json
source("asked.R")
set.seed(47)
d <- data.frame(A = factor(rep(c("a", "b", "c"), 30)), g = factor(rep(paste0("g", 1:9), each = 10)), two = rep(c(1, 5), 45), few = rep(c(0, 2, 7), each = 30)[sample(90)])
d$x <- round(rexp(90) + 0.1, 4); d$flag <- runif(90) < 0.3
d$y <- round(2 + 0.5 * as.integer(d$A) + 0.4 * log(d$x) + 0.2 * d$two * d$flag + rnorm(9, 0, 0.5)[as.integer(d$g)] + rnorm(90, 0, 0.7), 4)
frame("d", d)
m <- fit("d", "y ~ A * log(x) + poly(few, 2) + two * flag + (1 | g)", "d")
for (s in c("A", "A | x", "two", "x", "flag | two")) { f <- as.formula(paste("~", s)); call <- function(...) step("emmeans", specs = s, ...)
  ask("d", quietly(confint(emmeans(m, f))), call(), step("confint"))
  ask("d", quietly(confint(emmeans(m, f, cov.reduce = FALSE, at = list(x = c(0.5, 1, 4))))), call(cov_reduce = FALSE, at = list(x = c(0.5, 1, 4))), step("confint"))
  ask("d", quietly(confint(emmeans(m, f, at = list(x = 2, few = c(0, 7), flag = TRUE)))), call(at = list(x = 2, few = c(0, 7), flag = TRUE)), step("confint"))
  ask("d", quietly(confint(emmeans(m, f, cov.reduce = TRUE, cov.keep = 0))), call(cov_reduce = TRUE), step("confint"))
  for (r in list(list(range, "range"), list(max, "max"), list(median, "median"))) ask("d", quietly(confint(emmeans(m, f, cov.reduce = r[[1]], cov.keep = 0))), call(cov_reduce = r[[2]]), step("confint")) }
write_asked()
