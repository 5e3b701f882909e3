# lmerTest's ranova and pbkrtest's PBmodcomp for models the reference cases do not have:
#   Rscript refitting.R ../reference refitting.json
suppressPackageStartupMessages({library(lmerTest); library(pbkrtest); library(jsonlite)})
args <- commandArgs(trailingOnly=TRUE); root <- args[1]
rd <- function(name) { meta <- fromJSON(file.path(root,"data",paste0(name,".meta.json")), simplifyVector=FALSE)
  d <- read.csv(file.path(root,"data",meta$file), check.names=FALSE)
  for (n in names(meta$columns)) { a <- meta$columns[[n]]; if (a$type %in% c("factor","ordered")) d[[n]] <- factor(as.character(d[[n]]), levels=unlist(a$levels), ordered=a$type == "ordered") }
  d }
ctl <- lmerControl(optimizer="bobyqa", optCtrl=list(rhoend=1e-10, maxfun=1e5), calc.derivs=FALSE, check.conv.singular="ignore")
cases <- list(
 list("factor_slope","Machines","score ~ Machine + (Machine | Worker)", TRUE, FALSE, FALSE),
 list("factor_slope_no_intercept","Machines","score ~ Machine + (0 + Machine | Worker)", TRUE, FALSE, FALSE),
 list("slope_only","sleepstudy","Reaction ~ Days + (0 + Days | Subject)", TRUE, FALSE, FALSE),
 list("two_slopes","sleepstudy","Reaction ~ Days + (Days + off | Subject)", TRUE, FALSE, FALSE),
 list("two_slopes_no_intercept","sleepstudy","Reaction ~ Days + (0 + Days + off | Subject)", TRUE, FALSE, FALSE),
 list("factors_no_intercept","sleepstudy","Reaction ~ Days + (0 + grp + half | Day)", TRUE, FALSE, FALSE),
 list("interaction","sleepstudy","Reaction ~ Days + (Days * off | Subject)", TRUE, FALSE, FALSE),
 list("weights_offset_ml","sleepstudy","Reaction ~ Days + offset(off) + (1 | Subject)", FALSE, TRUE, FALSE),
 list("weights_offset","sleepstudy","Reaction ~ Days + offset(off) + (Days | Subject)", TRUE, TRUE, FALSE),
 list("weights_intercept","sleepstudy","Reaction ~ Days + offset(off) + (1 | Subject)", TRUE, TRUE, FALSE),
 list("whole_terms","sleepstudy","Reaction ~ Days + (Days | Subject)", TRUE, FALSE, TRUE),
 list("polynomial_whole","sleepstudy","Reaction ~ poly(Days, 2) + (0 + poly(Days, 2) | Subject)", TRUE, FALSE, TRUE),
 list("covariate_by_factor_whole","sleepstudy","Reaction ~ Days + (0 + off:half | Subject)", TRUE, FALSE, TRUE),
 list("missing","sleepstudy_na","Reaction ~ Days + (Days | Subject)", TRUE, FALSE, TRUE),
 list("egsingle","egsingle","math ~ year + (year | schoolid) + (1 | childid)", TRUE, FALSE, FALSE))
ran <- list()
for (x in cases) { d <- rd(x[[2]])
  if (x[[2]] == "sleepstudy") { d$half <- factor(d$Days %% 2); d$Day <- factor(d$Days) }
  if (anyNA(d)) d <- na.omit(d)
  d <<- d; call <- list(as.formula(x[[3]]), data=quote(d), REML=x[[4]], control=quote(ctl))
  if (x[[5]]) call$weights <- quote(w)
  m <- suppressWarnings(do.call(lmer, call)); r <- suppressWarnings(as.data.frame(ranova(m, reduce.terms=!x[[6]])))
  ran[[x[[1]]]] <- list(data=x[[2]], formula=x[[3]], REML=x[[4]], weights=x[[5]], whole=x[[6]], rows=rownames(r), npar=r$npar, loglik=r$logLik, aic=r$AIC, lrt=r$LRT, df=r$Df, p=r[["Pr(>Chisq)"]]) }
d <- rd("sleepstudy"); ss <- function(f) lmer(as.formula(f), d, REML=FALSE, control=ctl)
pb <- list()
for (x in list(c("fixed","Reaction ~ Days + (Days | Subject)","Reaction ~ 1 + (Days | Subject)"), c("variance","Reaction ~ Days + (Days || Subject)","Reaction ~ Days + (1 | Subject)"),
               c("three","Reaction ~ Days * grp + I(Days^2) + (1 | Subject)","Reaction ~ Days + (1 | Subject)"))) {
  set.seed(1); ref <- suppressWarnings(suppressMessages(PBrefdist(ss(x[2]), ss(x[3]), nsim=600)))
  ref[abs(ref) < 1e-8] <- 0  # noise of the optimizer on the boundary
  y <- round(as.matrix(simulate(ss(x[3]), 6)), 2); lrt <- apply(y, 2, function(v) 2*(logLik(refit(ss(x[2]), v)) - logLik(refit(ss(x[3]), v))))
  s <- summary(PBmodcomp(ss(x[2]), ss(x[3]), ref=ref))
  pb[[x[1]]] <- list(data="sleepstudy", large=x[2], small=x[3], y=t(unname(y)), lrt=as.numeric(lrt), ref=signif(as.numeric(s$ref), 12), rows=rownames(s$test), stat=s$test$stat, df=s$test$df, ddf=s$test$ddf, p=s$test$p.value) }
writeLines(toJSON(list(ranova=ran, pb=pb), digits=15, auto_unbox=TRUE, null="null", na="string"), args[2])
