# Reference of broom.mixed (0.2.9.4) on lme4 fits; writes broom.json beside this file.
suppressMessages({library(lme4); library(lmerTest); library(broom.mixed); library(jsonlite)})
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10))
slope <- lmerTest::lmer(Reaction ~ Days + (Days | Subject), sleepstudy, control = control)
nested <- lmerTest::lmer(strength ~ 1 + (1 | batch/cask), Pastes, REML = FALSE, control = control)
blocks <- function(m) list(
  tidy = as.data.frame(tidy(m, conf.int = TRUE)),
  ran_vals = as.data.frame(tidy(m, effects = "ran_vals", conf.int = TRUE)),
  ran_coefs = as.data.frame(tidy(m, effects = "ran_coefs")),
  glance = as.data.frame(glance(m)),
  augment = as.data.frame(augment(m))[, c(".fitted", ".resid", ".hat", ".cooksd", ".fixed")]
)
out <- list(slope = blocks(slope), nested = blocks(nested))
write_json(out, "broom.json", digits = 12, auto_unbox = TRUE, na = "null", dataframe = "columns")
