# Models whose variances the data tell in part, and models that lme4 refuses by counting: fits of lme4 with its
# checks switched off, polished, and of nlme. Writes identification.json.
suppressMessages({library(lme4); library(lmerTest); library(nlme); library(jsonlite)})
set.seed(8)
none <- lmerControl(check.nobs.vs.nlev = "ignore", check.nobs.vs.nRE = "ignore", check.nlev.gtr.1 = "ignore",
                    calc.derivs = FALSE, check.conv.singular = "ignore",
                    optCtrl = list(xtol_rel = 1e-12, xtol_abs = 1e-12, ftol_abs = 1e-14, maxeval = 1e5))
polished <- function(formula, data, REML = TRUE) {
  m <- suppressWarnings(lme4::lmer(formula, data, REML = REML, control = none))
  m
}
facts <- function(m) list(fixef = unname(fixef(m)), names = names(fixef(m)), sigma = sigma(m), theta = unname(getME(m, "theta")),
                          loglik = as.numeric(logLik(m)))
round4 <- function(x) round(x, 4)

cages <- data.frame(treat = rep(c("a", "b", "c"), each = 10), cage = rep(c("c1", "c2", "c3"), each = 10), x = round4(rnorm(30)))
cages$y <- round4(rnorm(30) + rep(rnorm(3), each = 10) + 0.5 * cages$x)
two <- data.frame(treat = rep(c("a", "b"), each = 12), cage = rep(c("c1", "c2"), each = 12), y = round4(rnorm(24, rep(c(0, 1), each = 12))))

sleep <- transform(sleepstudy, late = as.numeric(Days > 4), row = factor(seq_len(nrow(sleepstudy))))
singles <- data.frame(g = c(rep(1:100, each = 5), 101:700))
singles$x <- round4(rnorm(1100))
singles$y <- round4(rnorm(700)[singles$g] + (rnorm(700) * 0.7)[singles$g] * singles$x + rnorm(1100))
studies <- data.frame(study = factor(1:25), w = round4(exp(rnorm(25))))
studies$y <- round4(0.4 + rnorm(25, 0, 0.8) + rnorm(25, 0, 1 / sqrt(studies$w)))

lme_cage <- summary(lme(y ~ treat, two, ~1 | cage))$tTable
hetero <- lme(Reaction ~ Days, sleep, ~1 | Subject, weights = varIdent(form = ~1 | late), method = "REML")
ratio <- unname(coef(hetero$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE))

out <- list(
  data = list(cages = as.list(cages), two = as.list(two), singles = as.list(singles),
              studies = list(study = as.integer(studies$study), w = studies$w, y = studies$y)),
  cages = facts(polished(y ~ treat + x + (1 | cage), cages)),
  cages_lm = unname(coef(summary(lm(y ~ cage + x, cages)))["x", ]),
  two = facts(polished(y ~ treat + (1 | cage), two)),
  two_lme = list(df = unname(lme_cage[, "DF"]), p = ifelse(is.nan(lme_cage[, "p-value"]), "NaN", "number")),
  both = facts(polished(Reaction ~ Days * Subject + (Days | Subject), sleepstudy)),
  intercept = facts(polished(Reaction ~ Days + Subject + (Days | Subject), sleepstudy)),
  slope = facts(polished(Reaction ~ Days:Subject + (Days | Subject), sleepstudy)),
  intercept_days = unname(coef(summary(lmerTest::lmer(Reaction ~ Days + (Days | Subject), sleepstudy)))["Days", ]),
  one_to_one = facts(polished(Reaction ~ Days + (1 | Subject), sleepstudy)),
  hetero = facts(polished(Reaction ~ Days + (1 | Subject) + (0 + late | row), sleep)),
  hetero_lme = list(loglik = as.numeric(logLik(hetero)), sigma = hetero$sigma, ratio = ratio, fixef = unname(fixef(hetero))),
  singles = facts(polished(y ~ x + (x | g), singles)),
  singles_ml = facts(polished(y ~ x + (x | g), singles, REML = FALSE)),
  studies = facts(lme4::lmer(y ~ 1 + (1 | study), studies, weights = w, control = none)),
  versions = list(R = paste(R.version$major, R.version$minor, sep = "."), lme4 = as.character(packageVersion("lme4")),
                  lmerTest = as.character(packageVersion("lmerTest")), nlme = as.character(packageVersion("nlme"))))
write(toJSON(out, digits = 12, auto_unbox = TRUE), "identification.json")
