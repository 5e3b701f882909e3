# Models with a dummy variable for each level of the absorbed factors: lme4, lmerTest, pbkrtest and emmeans.
# Rscript absorbed.R writes absorbed.json beside it. Parameters are polished to a gradient of 1e-9.
suppressMessages({library(lme4); library(lmerTest); library(pbkrtest); library(emmeans); library(jsonlite)})
set.seed(20260101)
n <- 240
d <- data.frame(
  x = round(rnorm(n), 3), z = round(rnorm(n, 2), 3), f = sample(c("a", "b", "c"), n, TRUE),
  worker = sample(1:30, n, TRUE), task = sample(1:8, n, TRUE), firm = sample(1:12, n, TRUE), year = sample(1:5, n, TRUE),
  w = round(runif(n, 0.5, 2), 3)
)
# two components: the first firms work in the first years, the others in the last
d$plant <- ifelse(d$worker %% 2 == 0, 1, 100) + d$firm %% 5
d$season <- ifelse(d$worker %% 2 == 0, 1, 50) + d$year %% 3
d$y <- round(
  d$x + 0.5 * (d$f == "b") + rnorm(30)[d$worker] + 0.5 * rnorm(30)[d$worker] * d$x + 0.7 * rnorm(8)[d$task] +
    2 * rnorm(12)[d$firm] + 0.3 * (1:12)[d$firm] * d$z / 6 + d$year + rnorm(n), 4)

cases <- list(
  one = list(fixed = "x + f", dummies = "factor(firm)", random = "(1 | worker)"),
  crossed = list(fixed = "x + f", dummies = "factor(firm) + factor(year)", random = "(1 | worker)"),
  weights = list(fixed = "x + f", dummies = "factor(firm) + factor(year)", random = "(1 | worker)", w = TRUE),
  components = list(fixed = "x + f", dummies = "factor(plant) + factor(season)", random = "(1 | worker)"),
  interaction = list(fixed = "x + f", dummies = "factor(firm):factor(year)", random = "(1 | worker)"),
  slopes = list(fixed = "x + f", dummies = "factor(firm) + factor(firm):z + factor(year)", random = "(1 | worker)"),
  only_slopes = list(fixed = "x + f", dummies = "factor(firm):z + factor(year)", random = "(1 | worker)"),
  random_slopes = list(fixed = "x + f", dummies = "factor(firm)", random = "(1 + x | worker)"),
  random_crossed = list(fixed = "x * f", dummies = "factor(firm) + factor(year)", random = "(1 | worker) + (1 | task)")
)

polished <- function(m) {
  # Newton steps on the deviance function, by differences of fourth order
  dev <- update(m, devFunOnly = TRUE)
  theta <- getME(m, "theta")
  g <- function(t) sapply(seq_along(t), function(i) {
    h <- 1e-3; e <- replace(numeric(length(t)), i, h)
    (8 * (dev(t + e) - dev(t - e)) - (dev(t + 2 * e) - dev(t - 2 * e))) / (12 * h)
  })
  for (k in 1:12) {
    H <- sapply(seq_along(theta), function(i) {
      e <- replace(numeric(length(theta)), i, 1e-3)
      (g(theta + e) - g(theta - e)) / 2e-3
    })
    step <- solve(matrix(H, length(theta)), g(theta))
    theta <- theta - step
    if (max(abs(step)) < 1e-10) break
  }
  list(theta = theta, value = dev(theta))
}

fit <- function(case, reml) {
  formula <- as.formula(paste("y ~", case$dummies, "+", case$fixed, "+", case$random))
  d$weights. <- if (isTRUE(case$w)) d$w else rep(1, nrow(d))
  control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e5), check.rankX = "silent.drop.cols",
                         check.conv.singular = "ignore", check.conv.grad = "ignore", check.conv.hess = "ignore", calc.derivs = FALSE)
  m <- lme4::lmer(formula, d, REML = reml, weights = weights., control = control)
  best <- polished(m)
  # the model at the polished theta
  at <- lme4::lmer(formula, d, REML = reml, weights = weights., start = best$theta,
                   control = lmerControl(optimizer = NULL, check.rankX = "silent.drop.cols", check.conv.singular = "ignore",
                                         check.conv.grad = "ignore", check.conv.hess = "ignore", calc.derivs = FALSE))
  names <- setdiff(grep("^x|^f[abc]", names(fixef(at)), value = TRUE), NULL)
  V <- as.matrix(vcov(at))[names, names]
  mt <- lmerTest::lmer(formula, d, REML = reml, weights = weights., control = control)
  out <- list(
    criterion = best$value, theta = best$theta, sigma = sigma(at), names = names, beta = unname(fixef(at)[names]),
    se = unname(sqrt(diag(V))), loglik = as.numeric(logLik(at)), aic = AIC(at), bic = BIC(at), df_resid = df.residual(at),
    deviance = if (reml) deviance(at, REML = FALSE) else deviance(at),
    ranef = unname(as.matrix(ranef(at)$worker)), fitted = unname(fitted(at)),
    satterthwaite = unname(coef(summary(mt))[names, "df"])
  )
  table <- function(type, ddf = "Satterthwaite") {
    t <- anova(mt, type = type, ddf = ddf)
    list(rows = rownames(t), F = t[["F value"]], df = t[["DenDF"]])
  }
  out$anova <- table(3); out$anova_1 <- table(1); out$anova_2 <- table(2)
  if (reml && !isTRUE(case$w)) out$anova_kr <- table(2, "Kenward-Roger")
  if (reml && !isTRUE(case$w)) {  # pbkrtest leaves weights out
    kr <- lapply(names, function(one) {
      L <- matrix(as.numeric(names(fixef(at)) == one), 1)
      t <- KRmodcomp(at, L)
      list(F = t$stats$Fstat, ddf = t$stats$ddf)
    })
    out$kenward_roger <- list(F = sapply(kr, `[[`, "F"), ddf = sapply(kr, `[[`, "ddf"))
  }
  if (!grepl("\\*", case$fixed)) {
    g <- as.data.frame(summary(emmeans(mt, "f", lmer.df = "satterthwaite")))
    out$means <- list(estimate = g$emmean, se = g$SE, df = g$df)
    e <- as.data.frame(summary(pairs(emmeans(mt, "f", lmer.df = "satterthwaite"), adjust = "none")))
    out$pairs <- list(contrast = as.character(e$contrast), estimate = e$estimate, se = e$SE, df = e$df)
  }
  out
}

result <- list(data = d, versions = list(R = R.version.string, lme4 = as.character(packageVersion("lme4")),
  lmerTest = as.character(packageVersion("lmerTest")), pbkrtest = as.character(packageVersion("pbkrtest")),
  emmeans = as.character(packageVersion("emmeans"))), cases = list())
for (name in names(cases)) for (reml in c(TRUE, FALSE)) {
  cat(name, reml, "\n")
  result$cases[[paste0(name, if (reml) "_reml" else "_ml")]] <- fit(cases[[name]], reml)
}
here <- sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))
write_json(result, file.path(dirname(here), "absorbed.json"), digits = NA, auto_unbox = TRUE, dataframe = "columns")
