# Standard errors of predictions by lme4's bootMer, for tests/model/test_prediction_intervals.py:
#   Rscript prediction.R > prediction.json
suppressMessages({library(lme4); library(jsonlite)})
m <- lmer(Reaction ~ Days + (Days | Subject), sleepstudy)
new <- data.frame(Days = c(0, 4, 9, 12), Subject = c("308", "309", "335", "372"))
draws <- 400
X <- model.matrix(~ Days, new)

# responses are drawn with new random effects b*, and the error of a prediction is x'beta^* + z'b^* - (x'beta + z'b*)
set.seed(1)
S <- as.matrix(VarCorr(m)$Subject)
root <- t(chol(S))
levels <- levels(sleepstudy$Subject)
design <- getME(m, "X") %*% fixef(m)
one <- function() {
  b <- t(root %*% matrix(rnorm(2 * length(levels)), 2))
  rownames(b) <- levels
  y <- design + rowSums(cbind(1, sleepstudy$Days) * b[as.character(sleepstudy$Subject), ]) + rnorm(180, sd = sigma(m))
  r <- suppressMessages(suppressWarnings(refit(m, as.vector(y))))
  truth <- X %*% fixef(m) + rowSums(X * b[new$Subject, ])
  fresh <- replicate(25, {  # responses of new subjects, several for each refit
    b <- t(root %*% matrix(rnorm(2 * nrow(new)), 2))
    as.vector(X %*% (fixef(r) - fixef(m)) - rowSums(X * b) - rnorm(nrow(new), sd = sigma(m)))
  })
  c(predict(r, new) - truth, fresh)
}
errors <- t(replicate(draws, one()))
boot <- bootMer(m, function(r) as.vector(X %*% fixef(r)), nsim = draws, seed = 2)
n <- nrow(new)
cat(toJSON(list(
  version = as.character(packageVersion("lme4")), draws = draws, newdata = new,
  known = list(fit = predict(m, new), sd = apply(errors[, 1:n], 2, sd)),
  population = list(fit = predict(m, new, re.form = NA), sd = apply(boot$t, 2, sd),
                    se_vcov = sqrt(diag(X %*% as.matrix(vcov(m)) %*% t(X)))),
  new_group = list(width90 = sapply(1:n, function(i) diff(quantile(errors[, n + i + n * 0:24], c(0.05, 0.95), names = FALSE))))
), digits = 10, dataframe = "columns"))
