# R's emmeans::qdrg of coefficients of lm and glm:
#   Rscript qdrg.R qdrg.json
suppressPackageStartupMessages({library(emmeans); library(jsonlite)})
emm_options(msg.nesting = FALSE, msg.interaction = FALSE)
set.seed(8)
d <- expand.grid(A = c("a", "b", "c"), B = c("p", "q"), r = 1:9)
d$x <- round(rnorm(nrow(d), 2), 3); d$w <- round(runif(nrow(d), 0.5, 2), 3)
d$y <- round(1 + (d$A == "b") - 0.5 * (d$B == "q") * (d$A == "c") + 0.3 * d$x + rnorm(nrow(d)), 4)
d$hit <- rbinom(nrow(d), 1, plogis(d$y - 2)); d$count <- rpois(nrow(d), exp(d$y / 3))
d <- d[!(d$A == "c" & d$B == "p" & d$r > 4), c("A", "B", "x", "w", "y", "hit", "count")]
for (f in c("A", "B")) d[[f]] <- as.character(d[[f]])
rownames(d) <- NULL
missing <- d[!(d$A == "c" & d$B == "q"), ]; rownames(missing) <- NULL
rect <- function(x) lapply(as.data.frame(x), function(v) if (is.factor(v)) as.character(v) else v)
add <- function(name, formula, data, m, df) {
  V <- vcov(m, complete = FALSE)
  g <- qdrg(formula = as.formula(formula)[-2], data = get(data), coef = coef(m), vcov = V, df = df)
  list(name = name, formula = formula, data = data, coef = as.list(coef(m)), vcov = unname(V), names = colnames(V),
       df = if (is.finite(df)) df else NULL, A = rect(summary(emmeans(g, "A"), infer = TRUE)),
       pairs = rect(summary(pairs(emmeans(g, ~ A | B)), infer = TRUE)),
       joint = rect(joint_tests(g)), grid = rect(summary(g, infer = TRUE)))
}
lm1 <- lm(y ~ A * B + x, d); lmw <- lm(y ~ A * B + x + I(x^2), d, weights = w); lmm <- lm(y ~ x + A * B, missing)
glm1 <- glm(hit ~ A * B + x, binomial, d); glm2 <- glm(count ~ A * B + log(w), poisson, d)
cases <- list(
  add("lm", "y ~ A * B + x", "d", lm1, df.residual(lm1)), add("weighted", "y ~ A * B + x + I(x^2)", "d", lmw, df.residual(lmw)),
  add("missing", "y ~ x + A * B", "missing", lmm, df.residual(lmm)),
  add("logit", "hit ~ A * B + x", "d", glm1, Inf), add("poisson", "count ~ A * B + log(w)", "d", glm2, Inf))
writeLines(toJSON(list(versions = list(R = as.character(getRversion()), emmeans = as.character(packageVersion("emmeans"))),
                       data = list(d = d, missing = missing), cases = cases),
                  digits = NA, auto_unbox = TRUE, na = "null", dataframe = "columns"), commandArgs(TRUE)[1])
