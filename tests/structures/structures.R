# Covariance structures by glmmTMB and nlme, and their linear members by lmerTest and pbkrtest as sums of scalar terms:
#   Rscript structures.R structures.csv structures.json
suppressPackageStartupMessages({library(glmmTMB); library(nlme); library(lmerTest); library(pbkrtest); library(jsonlite)})
args <- commandArgs(trailingOnly=TRUE)
d <- read.csv(args[1], stringsAsFactors=TRUE); d$t <- factor(d$t); d$a <- as.numeric(d$f == "a"); d$b <- as.numeric(d$f == "b"); d$c <- as.numeric(d$f == "c")
num <- function(x) as.numeric(x)
tmb <- function(f, REML) { m <- glmmTMB(as.formula(f), d, REML=REML, control=glmmTMBControl(optCtrl=list(iter.max=2000, eval.max=2000, rel.tol=1e-14)))
  v <- VarCorr(m)$cond; list(formula=f, REML=REML, loglik=num(logLik(m)), df=attr(logLik(m), "df"), aic=AIC(m), fixef=num(fixef(m)$cond), se=sqrt(diag(vcov(m)$cond)),
    sigma=sigma(m), sd=lapply(v, function(x) num(attr(x, "stddev"))), corr=lapply(v, function(x) attr(x, "correlation")), converged=m$fit$convergence) }
forms <- c("y ~ x + cs(0 + f | g)", "y ~ x + diag(0 + f | g)", "y ~ x + diag(1 + x | g)", "y ~ x + ar1(0 + t | g)", "y ~ x + t + ar1(0 + t | g)", "y ~ x + cs(0 + t | g)",
  "y ~ x + ar1(0 + t | g) + (1 | h)", "y ~ f + cs(1 + x + z | g)", "y ~ f + us(1 + x | g) + diag(0 + f | h)")
out <- list()
out$glmmTMB <- c(lapply(forms, tmb, REML=TRUE), lapply(forms, tmb, REML=FALSE))
# nlme: cs with one variance is a random effect with pdCompSymm; a positive correlation of observations is corCompSymm; AR(1) of the cells of a complete table is
# corAR1 of residuals beside a nugget that nlme has not, so that it stands for y ~ ar1 with one row per cell only
nl <- function(name, m) list(name=name, loglik=num(logLik(m)), fixef=num(fixef(m)), sigma=m$sigma, varcov=lapply(m$modelStruct$reStruct, function(x) as.matrix(x) * m$sigma^2))
ctl <- lmeControl(msMaxIter=500, maxIter=500, tolerance=1e-10, msTol=1e-12, returnObject=TRUE)
out$nlme <- list(
  nl("y ~ x + cs(0 + f | g, hom = TRUE)", lme(y ~ x, d, random=list(g=pdCompSymm(~ 0 + f)), control=ctl)),
  nl("y ~ x + diag(0 + f | g, hom = TRUE)", lme(y ~ x, d, random=list(g=pdIdent(~ 0 + f)), control=ctl)),
  nl("y ~ x + diag(0 + f | g)", lme(y ~ x, d, random=list(g=pdDiag(~ 0 + f)), control=ctl)))
# linear structures as sums of terms that lmer knows
lm4 <- lmerControl(optimizer="bobyqa", optCtrl=list(rhoend=1e-10, maxfun=1e5), calc.derivs=FALSE, check.conv.singular="ignore")
fit <- function(structure, f) { m <- lmer(as.formula(f), d, control=lm4); s <- coef(summary(m)); k <- coef(summary(m, ddf="Kenward-Roger"))
  list(structure=structure, formula=f, reml=num(REMLcrit(m)), sigma=sigma(m), beta=num(s[, 1]), se=num(s[, 2]), df=num(s[, 3]), kr_se=num(k[, 2]), kr_df=num(k[, 3])) }
out$lmer <- list(
  fit("y ~ x + diag(0 + f | g)", "y ~ x + (0 + a | g) + (0 + b | g) + (0 + c | g)"),
  fit("y ~ x + diag(1 + x | g)", "y ~ x + (1 + x || g)"),
  fit("y ~ x + diag(0 + f | g, hom = TRUE)", "y ~ x + (1 | g:f)"),
  fit("y ~ x + cs(0 + f | g, hom = TRUE)", "y ~ x + (1 | g) + (1 | g:f)"),
  fit("y ~ f + cs(0 + f | g, hom = TRUE)", "y ~ f + (1 | g) + (1 | g:f)"))
writeLines(toJSON(out, digits=15, auto_unbox=TRUE, null="null", na="string"), args[2])
