# One slope within groups and another between them: the deviance function of lme4 over theta.
#   Rscript within.R
suppressMessages(library(lme4))
g <- rep(1:8, each = 5); i <- rep(1:5, 8)
x <- round(sin(7 * g) + 0.2 * cos(3 * i + g), 4)
y <- round(3 * sin(7 * g) - 4 * 0.2 * cos(3 * i + g) * 2 + 0.3 * sin(11 * i * g), 4)
d <- data.frame(x, y, g = factor(g))
theta <- c(0, exp(seq(log(0.01), log(1000), length.out = 400)))
for (reml in c(TRUE, FALSE)) {
  f <- lmer(y ~ x + (1 | g), d, REML = reml, devFunOnly = TRUE)
  v <- sapply(theta, f); inner <- which(diff(sign(diff(v))) > 0) + 1
  for (k in inner) { o <- optimize(f, theta[c(k - 1, k + 1)], tol = 1e-10); cat(sprintf("REML %s minimum %.6f at %.5f\n", reml, o$objective, o$minimum)) }
  cat(sprintf("REML %s at zero %.6f\n", reml, v[1]))
}
