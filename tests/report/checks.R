# Reference values of checks from R's performance (0.10.2), stats and lme4; writes checks.json beside this file.
suppressMessages({library(lme4); library(performance); library(jsonlite)})
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10))
slope <- lmer(Reaction ~ Days + (Days | Subject), sleepstudy, control = control)
root <- file.path("..", "reference", "data")
exam <- read.csv(file.path(root, "Exam.csv"))
exam$school <- factor(exam$school); exam$sex <- factor(exam$sex); exam$type <- factor(exam$type)
several <- lmer(normexam ~ standLRT + schavg + sex + type + (1 | school), exam, control = control)
vif <- function(m) { found <- as.data.frame(check_collinearity(m)); found[, c("Term", "VIF", "VIF_CI_low", "VIF_CI_high", "SE_factor")] }
null <- lmer(Reaction ~ 1 + (1 | Subject), sleepstudy, control = control)
b <- bartlett.test(Reaction ~ Subject, sleepstudy)
heights <- residuals(slope) / sigma(slope) / sqrt(1 - hatvalues(slope))
w <- shapiro.test(heights)
# check_heteroscedasticity's definition; performance 0.10.2 puts the root of the deviance of the whole model over n - p
# in the place of sigma, which is not the residual standard deviation of a mixed model.
breusch_pagan <- function(m) {
  U <- residuals(m)^2 / (df.residual(m) * sigma(m)^2 / nobs(m))
  S <- anova(lm(U ~ fitted(m)))$"Sum Sq"
  pchisq(S[1] / 2, 1, lower.tail = FALSE)
}
out <- list(
  heteroscedasticity_slope = breusch_pagan(slope),
  heteroscedasticity_several = breusch_pagan(several),
  normality_random = as.numeric(check_normality(slope, effects = "random")),
  vif = vif(several),
  bartlett = list(statistic = unname(b$statistic), p = b$p.value),
  shapiro = list(statistic = unname(w$statistic), p = w$p.value)
)
write_json(out, "checks.json", digits = 14, auto_unbox = TRUE, dataframe = "columns")
