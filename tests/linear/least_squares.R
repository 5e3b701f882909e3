# Least squares with a dummy variable for each level of the absorbed factors: R's lm, car, emmeans, sandwich, clubSandwich.
# Rscript least_squares.R writes least_squares.json beside it. What leaves out a cluster is fitted again by lm.
suppressMessages({library(car); library(emmeans); library(sandwich); library(clubSandwich); library(jsonlite)})
options(contrasts = c("contr.treatment", "contr.poly"))
set.seed(20260303)
n <- 160
d <- data.frame(
  x = round(rnorm(n), 3), z = round(rnorm(n, 2), 3), a = sample(c("p", "q", "r"), n, TRUE), b = sample(c("u", "v"), n, TRUE),
  firm = sample(1:9, n, TRUE), year = sample(1:5, n, TRUE), crossing = sample(1:11, n, TRUE), w = round(runif(n, 0.5, 2), 3)
)
d$region <- (d$firm - 1) %/% 2 + 1  # firms lie in regions
d$y <- round(d$x + 0.5 * (d$a == "q") * d$x + rnorm(9)[d$firm] + rnorm(5)[d$year] + rnorm(11)[d$crossing] / 2 + rnorm(n) * (1 + abs(d$x)) / 2, 4)
for (name in c("a", "b")) d[[name]] <- factor(d[[name]])

cases <- list(
  none = list(fixed = "x + a"),
  one = list(fixed = "x + a", dummies = "factor(firm)"),
  two = list(fixed = "x + a", dummies = "factor(firm) + factor(year)"),
  interaction = list(fixed = "x + a + b + x:a", dummies = "factor(firm) + factor(year)"),
  factors = list(fixed = "a + b + x + a:b", dummies = "factor(firm)"),
  slopes = list(fixed = "x + a", dummies = "factor(firm) + factor(firm):z + factor(year)")
)

matrix_of <- function(V, names) unname(as.matrix(V)[names, names, drop = FALSE])
means_of <- function(m, V = NULL) {
  g <- if (is.null(V)) emmeans(m, "a") else emmeans(m, "a", vcov. = V)
  s <- as.data.frame(summary(g)); p <- as.data.frame(summary(pairs(g, adjust = "none")))
  list(estimate = s$emmean, se = s$SE, df = s$df, pairs = list(estimate = p$estimate, se = p$SE))
}
jackknife <- function(formula, data, by, names) {
  full <- coef(lm(formula, data, weights = weights.))[names]
  moved <- sapply(unique(data[[by]]), function(g) coef(lm(formula, data[data[[by]] != g, ], weights = weights.))[names] - full)
  moved <- matrix(moved, length(names))
  moved %*% t(moved)
}

fit <- function(case, weighted) {
  d$weights. <- if (weighted) d$w else rep(1, n)
  right <- paste(c(case$dummies, case$fixed), collapse = " + ")
  formula <- terms(as.formula(paste("y ~", right)), keep.order = TRUE)  # tests of type I take the absorbed factors first
  m <- eval(bquote(lm(.(formula), data = d, weights = weights.)))
  found <- names(coef(m))[!is.na(coef(m))]
  names <- grep("^x|^a[qr]|^b[v]", found, value = TRUE)
  if (is.null(case$dummies)) names <- c("(Intercept)", names)
  out <- list(
    names = names, beta = unname(coef(m)[names]), vcov = matrix_of(vcov(m), names), sigma = sigma(m), df_resid = df.residual(m),
    loglik = as.numeric(logLik(m)), aic = AIC(m), bic = BIC(m), fitted = unname(fitted(m)), residuals = unname(residuals(m)),
    pearson = unname(residuals(m, "pearson")), standardized = unname(rstandard(m)), studentized = unname(rstudent(m)),
    leverage = unname(hatvalues(m)), cooks = unname(cooks.distance(m)), confint = unname(confint(m)[names, , drop = FALSE]), r2 = c(summary(m)$r.squared, summary(m)$adj.r.squared)
  )
  table <- function(t) {
    t <- t[!grepl("Residual|Intercept", rownames(t)), ]
    list(rows = rownames(t), F = t[[grep("F", names(t))[1]]], df = t[["Df"]], p = t[[grep("Pr", names(t))]], sum_sq = t[["Sum Sq"]])
  }
  out$anova <- list(I = table(anova(m)), II = table(Anova(m, type = 2)))
  sums <- eval(bquote(lm(.(formula), data = d, weights = weights., contrasts = .(Filter(length, list(a = "contr.sum", b = if (grepl("b", case$fixed)) "contr.sum"))))))
  # sums to zero for the factors that are not absorbed; a covariate is at 0 in tests of type III, as in SAS
  out$anova$III <- table(Anova(sums, type = 3, singular.ok = TRUE))
  out$drop1 <- local({t <- drop1(m, test = "F"); t <- t[-1, ]; list(rows = rownames(t), F = t[["F value"]], aic = t[["AIC"]])})
  j <- as.data.frame(joint_tests(m)); out$joint <- list(rows = as.character(j[["model term"]]), F = j[["F.ratio"]], df = j[["df1"]])
  out$means <- means_of(m)
  # robust covariances, and means by them
  kinds <- list(HC0 = vcovHC(m, "HC0"), HC1 = vcovHC(m, "HC1"), HC2 = vcovHC(m, "HC2"), HC3 = vcovHC(m, "HC3"))
  for (by in c("firm", "region", "crossing", "year")) kinds[[paste0("CR1_", by)]] <- vcovCL(m, cluster = d[[by]], type = "HC1")
  two <- vcovCL(m, cluster = d[c("firm", "crossing")], type = "HC1")
  kinds$CR1_two <- two
  kinds$CR1_two_smallest <- local({  # fixest's: the smallest G for all
    G <- function(g) length(unique(g)); few <- min(G(d$firm), G(d$crossing))
    one <- function(g) vcovCL(m, cluster = g, type = "HC1") * (G(g) - 1) / G(g) * few / (few - 1)
    one(d$firm) + one(d$crossing) - one(interaction(d$firm, d$crossing, drop = TRUE))
  })
  out$robust <- lapply(kinds, matrix_of, names = names)
  if (!grepl("slopes", case$dummies %||% "")) out$robust_means <- lapply(kinds, function(V) { s <- means_of(m, V); s[c("estimate", "se")] })
  tight <- vcovCL(m, cluster = d[c("region", "b")], type = "HC1")  # not positive semidefinite
  out$not_definite <- list(vcov = matrix_of(tight, names), least = min(eigen(tight, TRUE)$values) / max(eigen(tight, TRUE)$values))
  out$jackknife <- sapply(c("firm", "region", "crossing"), function(by) unname(jackknife(formula, d, by, names)), simplify = FALSE)
  out$club <- list(crossing = matrix_of(clubSandwich::vcovCR(m, cluster = d$crossing, type = "CR3"), names))
  new <- d[seq(1, n, 13), ]; new$x <- new$x + 1
  p <- predict(m, new, se.fit = TRUE)
  ends <- predict(m, new, interval = "confidence", level = 0.9); ahead <- suppressWarnings(predict(m, new, interval = "prediction", level = 0.9, weights = new$weights.))
  out$predict <- list(at = seq(1, n, 13) - 1, fit = unname(p$fit), se = unname(p$se.fit), lower = unname(ends[, 2]), upper = unname(ends[, 3]),
                      new_lower = unname(ahead[, 2]), new_upper = unname(ahead[, 3]))
  out
}
`%||%` <- function(a, b) if (is.null(a)) b else a

result <- list(data = d, versions = list(R = R.version.string, car = as.character(packageVersion("car")), emmeans = as.character(packageVersion("emmeans")),
  sandwich = as.character(packageVersion("sandwich")), clubSandwich = as.character(packageVersion("clubSandwich"))), cases = list())
for (name in names(cases)) for (weighted in c(FALSE, TRUE)) {
  cat(name, weighted, "\n")
  result$cases[[paste0(name, if (weighted) "_weighted" else "")]] <- fit(cases[[name]], weighted)
}
here <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))
write_json(result, file.path(dirname(here), "least_squares.json"), digits = NA, auto_unbox = TRUE, dataframe = "columns")
