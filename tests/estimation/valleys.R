# Models whose criterion has more than one minimum: the lowest value that lme4's deviance function takes over several
# optimizers and many starts. Data are made here and kept beside the values; those of the last kinds were found by
# drawing models at random:
#   Rscript valleys.R ../reference valleys.json
suppressPackageStartupMessages({library(lme4); library(jsonlite); library(minqa)})
args <- commandArgs(trailingOnly=TRUE)
RNGversion("4.2.0"); quiet <- function(x) suppressWarnings(suppressMessages(x))
lowest <- function(formula, d, reml, w, few) {
  call <- list(as.formula(formula), data=quote(d), REML=reml, devFunOnly=TRUE, control=quote(lmerControl(check.conv.singular="ignore", check.nobs.vs.nRE="ignore", check.nobs.vs.nlev="ignore", check.nobs.vs.rankZ="ignore")))
  if (!is.null(w)) call$weights <- quote(w)
  assign("d", d, globalenv()); if (!is.null(w)) assign("w", w, globalenv())
  f <- quiet(do.call(lmer, call)); low <- environment(f)$lower; m <- length(low); one <- ifelse(low == 0, 1, 0)
  starts <- list(one, 0.01*one, 10*one, 100*one, 1000*one)
  if (few) starts <- list(one, 100*one) else for (i in which(low == 0)) for (s in c(0.01, 10, 100, 1000)) { a <- one; a[i] <- s; b <- 0.01*one; b[i] <- s; starts <- c(starts, list(a), list(b)) }
  best <- list(value=Inf)
  for (s in starts) { # bobyqa's trust region has one radius: theta in units of its start
    u <- pmax(abs(s), 1); at <- s
    for (again in 1:4) {
      r <- try(bobyqa(at/u, function(t) f(t*u), lower=low, control=list(rhobeg=0.2, rhoend=1e-9, maxfun=5000)), silent=TRUE)
      if (inherits(r, "try-error")) break
      at <- r$par*u; u <- pmax(abs(at), 1e-2); if (is.finite(r$fval) && r$fval < best$value) best <- list(value=r$fval, theta=at)
    }
    r <- try(optim(best$theta, f, method="Nelder-Mead", control=list(reltol=1e-13, maxit=2000)), silent=TRUE)
    if (!inherits(r, "try-error") && all(r$par >= low) && r$value < best$value) best <- list(value=r$value, theta=r$par) }
  best }
out <- list(); add <- function(name, formula, d, reml=TRUE, w=NULL, few=FALSE) {
  b <- lowest(formula, d, reml, w, few); if (!is.null(w)) d$w <- w
  out[[name]] <<- list(formula=formula, REML=reml, weights=!is.null(w), data=lapply(d, function(v) if (is.numeric(v)) signif(v, 12) else as.character(v)), value=b$value, theta=b$theta)
  cat(sprintf("%-24s %.5f  %s\n", name, b$value, paste(signif(b$theta, 5), collapse=" "))) }
# 1) the fixed part lacks a column of a random term
o <- read.csv(file.path(args[1], "data", "Orthodont.csv")); add("orthodont", "distance ~ 0 + age + (1 | Subject)", o[c("distance", "age", "Subject")])
sets <- function(name, formula, seed, low, high) for (i in 1:20) { set.seed(seed + i); L <- 6; n <- 5*L; g <- rep(seq_len(L), each=5); x <- round(runif(n, low, high), 2)
  b <- rnorm(L, sd=runif(1, 0.5, 2)); s <- rnorm(L, sd=runif(1, 0, 1)); if (grepl("1 | g", formula, fixed=TRUE)) s <- 0*s else b <- 0*b
  y <- round(runif(1, 5, 20) + b[g] + (runif(1, 1, 5) + s[g])*x + rnorm(n), 3)
  add(paste0(name, "_", i), formula, data.frame(y, x, g=paste0("g", g))) }
sets("no_intercept", "y ~ 0 + x + (1 | g)", 100, 8, 14); sets("no_slope", "y ~ 1 + (0 + x | g)", 200, 2, 4); sets("no_slope_two", "y ~ 1 + (x || g)", 300, 2, 4)
# 2) zero is a local minimum: few groups of unequal size, weights that span decades
for (i in 1:10) { set.seed(400 + i); g <- rep(1:3, c(4, 94, 202)); add(paste0("unequal_", i), "y ~ 1 + (1 | g)", data.frame(y=round(c(1.3, 0.02, 0)[g] + rnorm(300), 3), g=paste0("g", g))) }
for (i in 1:10) { set.seed(500 + i); g <- rep(1:20, sample(1:4, 20, TRUE)); n <- length(g); w <- signif(10^runif(n, -3, 3), 4)
  add(paste0("weights_", i), if (i > 5) "y ~ 1 + (x || g)" else "y ~ x + (x | g)", data.frame(y=signif(rnorm(20)[g] + rnorm(n)/sqrt(w), 6), x=round(rnorm(n), 2), g=sprintf("g%02d", g)), w=w) }
# 3) random intercepts that are far larger than the residuals
large <- function(name, formula, ratio, seed) { set.seed(seed); g <- rep(1:12, each=25); n <- 300; x <- round(rnorm(n), 3); z <- round(rnorm(n), 3)
  add(name, formula, data.frame(y=round(ratio*rnorm(12)[g] + rnorm(n), 4), x, z, g=sprintf("g%02d", g)), few=TRUE) }
for (i in 1:3) { large(paste0("large_xz_", i), "y ~ 1 + (x * z | g)", 100, 600 + i); large(paste0("large_x_z_", i), "y ~ 1 + (x + z | g)", 1000, 620 + i); large(paste0("large_x_", i), "y ~ 1 + (x | g)", 1000, 640 + i) }
# 4) weights over eleven decades; as many levels as the rows that are left
found <- fromJSON("valleys_found.json"); for (name in names(found)) { c <- found[[name]]; d <- as.data.frame(c$data[names(c$data) != "w"], stringsAsFactors=TRUE); add(name, c$formula, d, c$REML, c$data$w) }
writeLines(toJSON(out, digits=NA, auto_unbox=TRUE, null="null"), args[2])
