# Adjustments of emmeans (p-values and critical values) for families of tests, p.adjust, and compact letter displays:
#   Rscript adjust.R adjust.json
suppressPackageStartupMessages({library(emmeans); library(mvtnorm); library(multcompView); library(jsonlite)})
options(digits=15)
out <- commandArgs(trailingOnly=TRUE)[1]
set.seed(20)

# 1) families: means of k cells of unequal sizes with their own df, and contrasts of them
cells <- function(k, n) { V <- diag(1/n, k); b <- round(rnorm(k, sd=sqrt(2/mean(n))), 3)
  qdrg(~ A - 1, data=data.frame(A=factor(seq_len(k))), coef=b, vcov=V, df=11) }
methods <- c("none","tukey","bonferroni","holm","hochberg","hommel","sidak","scheffe","BH","BY","dunnettx")
dfs <- list(equal=function(m) rep(11, m), unequal=function(m) round(runif(m, 4, 60), 2), infinite=function(m) rep(Inf, m))
# emmeans takes df from a function of the row: a counter gives every row its own
with_df <- function(object, df) { object@dfargs <- list(rows=object@linfct, df=df)
  object@dffun <- function(k, dfargs) { hit <- which(apply(dfargs$rows, 1, function(r) max(abs(r - k)) < 1e-12)); dfargs$df[hit[1]] }; object }
sides <- list("two-sided"="two-sided", ">"=">", "<"="<")
families <- list()
for (k in c(3, 5, 7)) for (kind in c("pairwise","trt.vs.ctrl1","eff")) for (which in names(dfs)) {
  n <- sample(3:9, k, TRUE); e <- cells(k, n); con <- contrast(e, kind)
  m <- nrow(con@linfct); df <- dfs[[which]](m); con <- with_df(con, df)
  V <- con@linfct %*% con@V %*% t(con@linfct); est <- as.numeric(con@linfct %*% con@bhat); se <- sqrt(diag(V))
  p <- list(); crit <- list()
  for (side in names(sides)) for (a in methods) {
    s <- suppressMessages(summary(con, infer=c(TRUE, TRUE), adjust=a, side=sides[[side]]))
    nm <- intersect(c("t.ratio","z.ratio"), names(s))
    hi <- s[[grep("UCL|upper", names(s))]]; lo <- s[[grep("LCL|lower", names(s))]]
    p[[side]][[a]] <- s$p.value
    crit[[side]][[a]] <- (if (side == ">") est - lo else hi - est) / se }
  families[[paste(k, kind, which)]] <- list(means=k, kind=kind, t=est/se, df=ifelse(is.finite(df), df, 1e300), rank=qr(con@linfct)$rank,
    correlation=cov2cor(V), p=p, critical=crit) }

# 2) the studentised range itself, whole and broken numbers of means
q <- expand.grid(q=c(0.5, 2, 3.5, 6, 9), k=c(2, 2.56, 3, 7, 30), df=c(2, 4.5, 10, 120, 30000, Inf))
q$p <- ptukey(q$q, q$k, q$df, lower.tail=FALSE)
q$df <- ifelse(is.finite(q$df), q$df, 1e300)

# 3) multivariate t, whole df; `error` is mvtnorm's own estimate
mv <- list(); tight <- GenzBretz(maxpts=3e5, abseps=2e-5, releps=0)
pairs <- function(k) { C <- t(combn(k, 2, function(i) { v <- numeric(k); v[i] <- c(1, -1); v })); C }
for (x in list(list("pairs of 3", pairs(3), c(2, 5, 9)), list("pairs of 5", pairs(5), c(2, 3, 4, 5, 8)), list("pairs of 7", pairs(7), c(1, 2, 3, 4, 5, 6, 9)),
    list("to control", cbind(-1, diag(6)), c(2, 5, 5, 5, 7, 9, 3)), list("effects", diag(5) - 1/5, c(3, 4, 5, 9, 20)), list("equal", diag(4) + 0.5, rep(5, 4)))) {
  R <- cov2cor(x[[2]] %*% diag(1/x[[3]]) %*% t(x[[2]])); m <- nrow(R)
  for (df in c(5, 0)) for (t in c(-0.5, 1.6, 2.8)) { set.seed(1)
    two <- if (t > 0) 1 - pmvt(rep(-t, m), rep(t, m), df=df, corr=R, algorithm=tight) else NA
    one <- 1 - pmvt(rep(-Inf, m), rep(t, m), df=df, corr=R, algorithm=tight)
    mv[[length(mv) + 1]] <- list(name=x[[1]], df=if (df) df else 1e300, t=t, two=as.numeric(two), one=as.numeric(one),
      error=max(attr(one, "error"), attr(two, "error")), correlation=R) } }

# 4) p.adjust, with more hypotheses than p-values too
padj <- list()
for (n in c(1, 2, 3, 8, 15)) { p <- signif(runif(n)^3, 4); if (n > 3) p[2] <- p[3]
  for (more in c(0, 4)) for (a in p.adjust.methods) padj[[length(padj) + 1]] <- list(method=a, p=I(p), n=n + more, adjusted=I(p.adjust(p, a, n + more))) }

# 5) tests that cannot be made, and adjustment across groups
set.seed(3); d <- expand.grid(A=factor(1:3), B=factor(1:2), r=1:4); d$y <- rnorm(24) + as.numeric(d$A); whole <- d
d <- subset(d, !(A == 3 & B == 2)); pp <- emmeans::contrast(emmeans(lm(y ~ A*B, d), ~ A | B), "pairwise")
missing <- list(); for (a in methods) { s <- suppressMessages(summary(pp, infer=c(TRUE, TRUE), adjust=a)); g <- s$B == 2
  missing[[a]] <- list(t=s$t.ratio[g], df=s$df[g], p=s$p.value[g], critical=((s$upper.CL - s$estimate)/s$SE)[g]) }
pp <- emmeans::contrast(emmeans(lm(y ~ A*B, whole), ~ A | B), "pairwise"); crossed <- list()
for (a in c("sidak","bonferroni","holm","hochberg","hommel","BH","BY")) crossed[[a]] <- summary(pp, adjust="tukey", cross.adjust=a)$p.value
raw <- summary(pp, adjust="tukey")$p.value

# 6) letters
disp <- list(); add <- function(M, letters) { n <- nrow(M); dimnames(M) <- list(seq_len(n), seq_len(n))
  i <- unlist(lapply(2:n, function(j) seq_len(j - 1))); j <- unlist(lapply(2:n, function(j) rep(j, j - 1)))
  x <- M[cbind(i, j)]; names(x) <- paste(i, j, sep="-"); r <- multcompLetters(x, Letters=letters)
  text <- if (is.null(r$monospacedLetters)) r$Letters else r$monospacedLetters
  disp[[length(disp) + 1]] <<- list(different=unname(M), symbols=letters, text=I(as.character(text[as.character(seq_len(n))]))) }
set.seed(5); abc <- c(letters, LETTERS, ".")
for (n in c(2, 3, 4, 5, 7, 9, 12)) for (share in c(0, 0.2, 0.5, 0.8, 1)) for (again in 1:2) {
  M <- matrix(FALSE, n, n); M[upper.tri(M)] <- runif(n*(n-1)/2) < share; add(M | t(M), abc) }
for (n in c(4, 8, 15)) { m <- sort(rnorm(n)); se <- runif(n, 0.05, 0.6); add(abs(outer(m, m, "-")) > 1.5*sqrt(outer(se^2, se^2, "+")), abc) }
M <- outer(1:9, 1:9, "-"); add(abs(M) > 1, c("x", "y", "z")); add(abs(M) > 2, c("x", "y", "z"))
M <- matrix(FALSE, 8, 8); for (i in c(1, 3, 5, 7)) M[i, i + 1] <- TRUE; add(M | t(M), c("p", "q", "r", "s", "t"))

write_json(list(families=families, range=q, mvt=mv, p_adjust=padj, missing=missing, cross=list(raw=raw, adjusted=crossed), letters=disp), out, digits=NA, auto_unbox=TRUE, na="null")
