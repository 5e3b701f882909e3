# Models fitted again without each level, or each row, by lme4 searched to the end (HLMdiag takes lmer's default
# tolerance, and REML without weights whatever the model):
#   Rscript deletions.R ../reference deletions.json
suppressPackageStartupMessages({library(lme4); library(jsonlite)})
args <- commandArgs(trailingOnly=TRUE); root <- args[1]
rd <- function(name) { meta <- fromJSON(file.path(root,"data",paste0(name,".meta.json")), simplifyVector=FALSE)
  d <- read.csv(file.path(root,"data",meta$file), check.names=FALSE)
  for (n in names(meta$columns)) { a <- meta$columns[[n]]; if (a$type %in% c("factor","ordered")) d[[n]] <- factor(as.character(d[[n]]), levels=unlist(a$levels), ordered=a$type == "ordered") }
  d }
ctl <- lmerControl(optimizer="bobyqa", optCtrl=list(rhobeg=0.02, rhoend=1e-11, maxfun=1e5), calc.derivs=FALSE, check.conv.singular="ignore", check.nobs.vs.nlev="ignore", check.rankX="silent.drop.cols")
fitted_again <- function(f, d, reml, w, start) {
  d$.w <- if (w) d$w else rep(1, nrow(d)); d$w. <- d$.w
  m <- NULL
  for (from in list(start, NULL)) {  # from the whole model's theta and from lme4's own start: the lower one
    found <- suppressWarnings(do.call(lmer, list(as.formula(f), data=d, REML=reml, weights=quote(w.), start=from, control=ctl)))
    if (is.null(m) || deviance(found, REML=reml) < deviance(m, REML=reml)) m <- found }
  suppressWarnings(do.call(lmer, list(as.formula(f), data=d, REML=reml, weights=quote(w.), start=getME(m, "theta"), control=ctl))) }
cases <- list(
 list("sleepstudy_slope","sleepstudy","Reaction ~ Days + (Days | Subject)", TRUE, FALSE, "Subject"),
 list("sleepstudy_rows","sleepstudy","Reaction ~ Days + (Days | Subject)", TRUE, FALSE, NA),
 list("sleepstudy_ml","sleepstudy","Reaction ~ Days + (Days | Subject)", FALSE, FALSE, "Subject"),
 list("sleepstudy_weights","sleepstudy","Reaction ~ Days + (Days | Subject)", TRUE, TRUE, "Subject"),
 list("sleepstudy_shuffled","sleepstudy_shuffled","Reaction ~ Days + (Days | Subject)", TRUE, FALSE, "Subject"),
 list("exam_slope","Exam","normexam ~ standLRT + sex + (standLRT | school)", TRUE, FALSE, "school"),
 list("penicillin","Penicillin","diameter ~ 1 + (1 | plate) + (1 | sample)", TRUE, FALSE, "sample"))
out <- list()
for (x in cases) { d <- rd(x[[2]]); whole <- fitted_again(x[[3]], d, x[[4]], x[[5]], NULL)
  level <- x[[6]]; by <- if (is.na(level)) seq_len(nrow(d)) else as.character(d[[level]])
  labels <- if (is.na(level)) seq(1, nrow(d), by=4) else unique(by)
  rows <- lapply(labels, function(l) { m <- fitted_again(x[[3]], d[by != l, ], x[[4]], x[[5]], getME(whole, "theta"))
    vc <- unlist(lapply(VarCorr(m), function(S) S[lower.tri(S, diag=TRUE)]))
    list(fixef=unname(fixef(m)), varcomp=c(sigma(m)^2, unname(vc)), vcov=as.numeric(as.matrix(vcov(m))), criterion=deviance(m, REML=x[[4]])) })
  take <- function(what) lapply(rows, function(r) r[[what]])
  out[[x[[1]]]] <- list(data=x[[2]], formula=x[[3]], reml=x[[4]], weights=x[[5]], level=level, labels=labels,
    fixef=take("fixef"), varcomp=take("varcomp"), vcov=take("vcov"), criterion=unlist(take("criterion"))) }
writeLines(toJSON(list(cases=out, versions=list(R=R.version.string, lme4=as.character(packageVersion("lme4")))), digits=15, auto_unbox=TRUE, null="null", na="null"), args[2])
