# cluster-robust covariances of clubSandwich 0.5.8 for lmer fits: Rscript club_sandwich.R ../reference club_sandwich.json
suppressPackageStartupMessages({library(lme4); library(clubSandwich); library(jsonlite)})
args <- commandArgs(trailingOnly=TRUE); root <- args[1]
rd <- function(name) { meta <- fromJSON(file.path(root,"data",paste0(name,".meta.json")), simplifyVector=FALSE)
  f <- file.path(root,"data",meta$file); d <- read.csv(f, check.names=FALSE)
  for (n in names(meta$columns)) { a <- meta$columns[[n]]; if (a$type %in% c("factor","ordered")) d[[n]] <- factor(as.character(d[[n]]), levels=unlist(a$levels), ordered=a$type == "ordered") }
  d }
ctl <- lmerControl(optimizer="bobyqa", optCtrl=list(rhoend=1e-10, maxfun=1e5), calc.derivs=FALSE)
cases <- list(
 list("autism_int","autism","vsae ~ age2 * sicdegp + (1 | childid)", TRUE, NULL),
 list("exam_slope","Exam","normexam ~ standLRT + sex + (standLRT | school)", TRUE, NULL),
 list("oats","Oats","yield ~ nitro * Variety + (1 | Block/Variety)", TRUE, NULL),
 list("pastes","Pastes","strength ~ 1 + (1 | batch/cask)", TRUE, NULL),
 list("machines","Machines","score ~ Machine + (1 | Worker)", FALSE, NULL),
 list("shuffled","sleepstudy_shuffled","Reaction ~ Days + (Days | Subject)", TRUE, NULL),
 list("orthodont_sex_cluster","Orthodont","distance ~ I(age - 11) * Sex + (1 | Subject)", TRUE, NULL),
 list("saturated","Orthodont","distance ~ age + only + (age | Subject)", TRUE, NULL),  # one cluster determines a coefficient
 list("egsingle","egsingle","math ~ year + size + female + (1 | schoolid/childid)", TRUE, NULL),
 list("cake_replicate","cake","angle ~ recipe + temperature + (1 | recipe:replicate)", TRUE, "replicate"))
out <- list()
for (x in cases) { d <- rd(x[[2]]); if (x[[1]] == "saturated") d$only <- d$age * (d$Subject == "M01"); m <- lmer(as.formula(x[[3]]), d, REML=x[[4]], control=ctl)
  cl <- if (is.null(x[[5]])) NULL else d[[x[[5]]]]
  vc <- function(t) if (is.null(cl)) vcovCR(m, type=t) else vcovCR(m, cluster=cl, type=t)
  p <- length(fixef(m)); res <- list(data=x[[2]], formula=x[[3]], REML=x[[4]], cluster=x[[5]], theta=as.numeric(getME(m,"theta")), names=names(fixef(m)))
  for (t in c("CR0","CR1","CR1p","CR1S","CR2","CR3")) { if (x[[1]] == "saturated" && t == "CR3") next; if (t=="CR1p" && nlevels(factor(if(is.null(cl)) getME(m,"flist")[[which.min(getME(m,"l_i"))]] else cl))<=p) next
    V <- vc(t); ct <- coef_test(m, vcov=V, test="Satterthwaite")
    res[[t]] <- list(vcov=matrix(as.numeric(V),p), df=ct$df_Satt, p=ct$p_Satt)
    if (p>1) { w <- Wald_test(m, constraints=diag(p)[-1,,drop=FALSE], vcov=V, test="HTZ"); res[[t]]$wald <- list(F=w$Fstat, num=w$df_num, den=w$df_denom, p=w$p_val)
      w <- Wald_test(m, constraints=rbind(c(1,rep(0,p-1)),seq_len(p)/p)[seq_len(min(2,p)),,drop=FALSE], vcov=V, test="HTZ"); res[[t]]$wald2 <- list(F=w$Fstat, den=w$df_denom) } }
  out[[x[[1]]]] <- res }
writeLines(toJSON(out, digits=15, auto_unbox=TRUE, null="null", na="string"), args[2])
