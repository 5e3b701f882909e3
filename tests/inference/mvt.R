# Tails of the largest of several t statistics: studentised ranges, Dunnett's double integral, and mvtnorm where neither is one:
#   Rscript mvt.R mvt.json
suppressPackageStartupMessages({library(mvtnorm); library(jsonlite)})
pairs <- function(v) {  # correlation of all differences of means with variances v
  k <- length(v); ij <- combn(k, 2)
  L <- matrix(0, ncol(ij), k); L[cbind(seq_len(ncol(ij)), ij[1, ])] <- 1; L[cbind(seq_len(ncol(ij)), ij[2, ])] <- -1
  cov2cor(L %*% diag(v) %*% t(L))
}
control <- function(n) { l <- sqrt(n[-1] / (n[-1] + n[1])); R <- outer(l, l); diag(R) <- 1; R }  # of groups of size n
dunnett <- function(c, df, n, sides) {
  l <- sqrt(n[-1] / (n[-1] + n[1]))
  inside <- function(c) integrate(function(z) { p <- 1
      for (one in l) p <- p * (pnorm((c - one * z) / sqrt(1 - one^2)) - if (sides == 2) pnorm((-c - one * z) / sqrt(1 - one^2)) else 0)
      p * dnorm(z) }, -9, 9, rel.tol = 1e-11, subdivisions = 1000L)$value
  if (is.infinite(df)) return(1 - inside(c))
  s <- sqrt(qchisq(c(1e-13, 1 - 1e-13), df) / df)
  1 - integrate(function(s) vapply(s, function(one) inside(c * one) * 2 * one * df * dchisq(df * one^2, df), 0), s[1], s[2],
                rel.tol = 1e-10, subdivisions = 1000L)$value
}
at <- c(0.8, 1.2, 1.6, 2, 2.5, 3, 4); cases <- list()
add <- function(name, R, df, p, sides, c = at, error = 1e-9)
  cases[[length(cases) + 1]] <<- list(name = name, R = R, df = if (is.infinite(df)) 1e300 else df, c = c, p = p, sides = sides, error = error)
for (k in c(3, 5, 7, 9, 11, 13)) for (df in c(7, 40))
  add(paste("tukey", k), pairs(rep(1, k)), df, ptukey(sqrt(2) * at, k, df, lower.tail = FALSE), 2)
sizes <- c(20, 5, 9, 14, 3, 22, 8, 11, 6, 17, 4, 12, 30)
for (k in c(3, 5, 7, 9, 11, 13)) for (sides in 2:1) for (df in c(12, Inf)) {
  n <- sizes[seq_len(k)]; add(paste("dunnett", k), control(n), df, vapply(at, dunnett, 0, df = df, n = n, sides = sides), sides) }
set.seed(1)
for (k in c(5, 7, 9, 11)) {  # unbalanced: by integration to an error that mvtnorm reports
  R <- pairs(1 / sizes[seq_len(k)]); some <- c(1.2, 2, 2.5, 3)
  found <- lapply(some, function(c) pmvt(-rep(c, nrow(R)), rep(c, nrow(R)), df = 15, corr = R,
                                        algorithm = GenzBretz(maxpts = 4e6, abseps = 2e-6, releps = 0)))
  add(paste("unbalanced", k), R, 15, 1 - vapply(found, as.numeric, 0), 2, some, max(vapply(found, attr, 0, "error")))
}
quantile <- function(R, df) { q <- qmvt(0.95, tail = "both.tails", df = df, corr = R, algorithm = GenzBretz(maxpts = 1e6, abseps = 1e-5, releps = 0)); q$quantile }
q <- list(list(name = "tukey 7", R = pairs(rep(1, 7)), df = 9, q = qtukey(0.95, 7, 9) / sqrt(2)),
          list(name = "tukey 9", R = pairs(rep(1, 9)), df = 30, q = qtukey(0.95, 9, 30) / sqrt(2)),
          list(name = "dunnett 9", R = control(sizes[1:9]), df = 21,
               q = uniroot(function(c) dunnett(c, 21, sizes[1:9], 2) - 0.05, c(1, 6), tol = 1e-9)$root))
writeLines(toJSON(list(versions = list(R = as.character(getRversion()), mvtnorm = as.character(packageVersion("mvtnorm"))),
                       cases = cases, quantiles = q), digits = 15, auto_unbox = TRUE), commandArgs(TRUE)[1])
