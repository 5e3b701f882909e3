# Clusters in several ways, from the definition (Cameron, Gelbach and Miller 2011), and by sandwich::vcovCL where the model is one that
# lm can weigh: Rscript robust_ways.R robust_ways.json
suppressPackageStartupMessages({library(lme4); library(sandwich); library(jsonlite)})
set.seed(5); n <- 180; i <- seq_len(n) - 1
d <- data.frame(firm = paste0("f", i %% 20), year = paste0("y", i %/% 20), region = paste0("r", (i %% 20) %/% 4), x = round(rnorm(n), 3),
  f = c("a", "b", "c")[i %% 3 + 1], w = round(runif(n, .5, 3), 3))
d <- d[-c(3, 17, 30, 31, 77, 120, 121, 150), ]
d$o <- round(cos(seq_len(nrow(d))), 3)
d$y <- round(2 + d$x + rnorm(20)[match(d$firm, unique(d$firm))] + rnorm(9)[match(d$year, unique(d$year))] + rnorm(nrow(d)), 3)
ctl <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE)
factor_of <- function(kind, J, n, p) switch(kind, CR0 = 1, CR1 = J / (J - 1), CR1p = J / (J - p), CR1S = J * (n - 1) / ((J - 1) * (n - p)))
several <- function(m, ways, kind) {
  X <- getME(m, "X"); Z <- as.matrix(getME(m, "Z")); L <- as.matrix(getME(m, "Lambda")); n <- nrow(X); p <- ncol(X)
  Vi <- solve(diag(1 / weights(m)) + Z %*% L %*% t(L) %*% t(Z)); ViX <- Vi %*% X
  r <- getME(m, "y") - model.offset0(m) - as.vector(X %*% fixef(m)); bread <- solve(t(X) %*% ViX); u <- ViX * r; V <- matrix(0, p, p)
  for (k in seq_along(ways)) for (s in combn(names(ways), k, simplify = FALSE)) {
    cell <- interaction(ways[s], drop = TRUE); sums <- rowsum(u, cell)
    V <- V + (-1)^(k + 1) * factor_of(kind, nrow(sums), n, p) * crossprod(sums)
  }
  bread %*% V %*% bread
}
model.offset0 <- function(m) { o <- model.offset(model.frame(m)); if (is.null(o)) 0 else o }
cases <- list(
  list("y ~ x + f + (1 | firm)", c("firm", "year"), NULL, NULL),
  list("y ~ x + f + (1 | firm) + (1 | year)", c("firm", "year"), NULL, NULL),
  list("y ~ x + (x | firm)", c("firm", "year"), "w", "o"),
  list("y ~ x + (1 | region/firm)", c("region", "year"), NULL, NULL),
  list("y ~ x + f + (1 | firm)", c("firm", "year", "region"), NULL, NULL),
  list("y ~ x + (1 | firm)", c("region", "firm"), NULL, NULL))
out <- lapply(cases, function(x) {
  w <- if (is.null(x[[3]])) rep(1, nrow(d)) else d[[x[[3]]]]; o <- if (is.null(x[[4]])) rep(0, nrow(d)) else d[[x[[4]]]]
  dd <- cbind(d, .w = w, .o = o); m <- lmer(as.formula(x[[1]]), dd, weights = .w, offset = .o, control = ctl)
  r <- list(formula = x[[1]], ways = x[[2]], weights = x[[3]], offset = x[[4]], theta = as.list(unname(getME(m, "theta"))))
  for (kind in c("CR0", "CR1", "CR1S")) r[[kind]] <- several(m, dd[x[[2]]], kind)
  r
})
# at theta = 0 the model is least squares, where sandwich has the same by its own code
m0 <- lm(y ~ x + f, d, weights = w)
least <- list(formula = "y ~ x + f + (1 | firm)", ways = c("firm", "year"),
  CR0 = unname(vcovCL(m0, d[c("firm", "year")], type = "HC0", cadjust = FALSE, multi0 = FALSE)),
  CR1 = unname(vcovCL(m0, d[c("firm", "year")], type = "HC0", cadjust = TRUE, multi0 = FALSE)),
  CR1S = unname(vcovCL(m0, d[c("firm", "year")], type = "HC1", cadjust = TRUE, multi0 = FALSE)))
writeLines(toJSON(list(data = as.list(d), cases = out, least_squares = least), digits = 15, auto_unbox = TRUE, null = "null"), commandArgs(trailingOnly = TRUE)[1])
