# The kinds of the bootstrap that R's lmeresampler has, written out in base R and lme4 from the papers that its documentation names
# (Carpenter, Goldstein and Rasbash 2003; Chambers and Chandra 2013; Modugno and Giannerini 2015; Van der Leeden, Meijer and Busing 2008),
# for given random numbers: what is drawn, the response that it makes, and the model refitted to it.
#   Rscript kinds.R kinds.json
suppressPackageStartupMessages({library(lme4); library(jsonlite)})
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE, check.conv.singular = "ignore")
read <- function(m) unname(c(as.data.frame(VarCorr(m), order = "lower.tri")$sdcor, fixef(m)))
fitted_to <- function(y) { data <- d; data$Reaction <- y; lmer(Reaction ~ Days + (Days | Subject), data, control = control) }
record <- function(y, ...) list(..., y = unname(y), refit = read(fitted_to(y)))
root <- function(S) t(chol(S))  # lower triangular

# sleepstudy with subjects of 6 to 10 rows
gone <- c(3, 4, 29, 55, 56, 57, 58, 120)
d <- droplevels(sleepstudy[-gone, ])
m <- lmer(Reaction ~ Days + (Days | Subject), d, control = control)
n <- nrow(d); X <- getME(m, "X"); beta <- fixef(m); fixed <- drop(X %*% beta); sigma <- sigma(m)
Sigma <- matrix(VarCorr(m)$Subject, 2)
g <- as.integer(d$Subject); L <- nlevels(d$Subject); rows <- split(seq_len(n), g)
of <- function(b) rowSums(cbind(1, d$Days) * b[g, ])
centred <- function(U) sweep(U, 2, colMeans(U))
scaled_effects <- function(U) { U <- centred(U); S <- crossprod(U) / nrow(U); U %*% t(root(Sigma) %*% solve(root(S))) }
scaled_errors <- function(e) { e <- e - mean(e); e * sigma / sqrt(mean(e^2)) }
out <- list(gone = gone, parameters = read(m))

# parametric: new normal effects and errors
set.seed(1); z <- rnorm(n); u <- matrix(rnorm(2 * L), L)
out$parametric <- record(fixed + of(u %*% t(root(Sigma))) + sigma * z, errors = z, effects = u)

# residual: effects of levels and residuals of rows, centred and inflated, each with replacement
U <- scaled_effects(as.matrix(ranef(m)$Subject)); e <- scaled_errors(residuals(m))
i <- sample(n, n, TRUE); j <- sample(L, L, TRUE)
out$residual <- record(fixed + of(U[j, ]) + e[i], rows = i - 1, levels = j - 1)

# random effect blocks: b = (Z'Z)^-1 Z'r in each level, and r - Z b; the errors of a level come from one that is drawn
r <- d$Reaction - fixed
b <- t(sapply(rows, function(at) { Z <- cbind(1, d$Days[at]); solve(crossprod(Z), crossprod(Z, r[at])) }))
blocks <- function(b, e, j, donor, u) {
  picked <- unlist(lapply(seq_len(L), function(k) { from <- rows[[donor[k]]]; from[floor(u[rows[[k]]] * length(from)) + 1] }))
  fixed + of(b[j, ]) + e[picked]
}
e <- r - of(b); j <- sample(L, L, TRUE); donor <- sample(L, L, TRUE); u <- runif(n)
out$reb0 <- record(blocks(b, e, j, donor, u), levels = j - 1, donors = donor - 1, uniform = u)
out$reb1 <- record(blocks(scaled_effects(b), scaled_errors(e), j, donor, u), levels = j - 1, donors = donor - 1, uniform = u)
# reb2: the draws of reb0, moved and rescaled; logarithms of the variances are made uncorrelated first
draws <- t(replicate(25, read(fitted_to(blocks(b, e, sample(L, L, TRUE), sample(L, L, TRUE), runif(n))))))
draws <- draws[draws[, 1] > 1e-3 & draws[, 3] > 1e-3, ]
S <- log(draws[, c(1, 3, 4)]^2); mean_S <- matrix(colMeans(S), nrow(S), 3, byrow = TRUE); sd_S <- matrix(apply(S, 2, sd), nrow(S), 3, byrow = TRUE)
eigen_C <- eigen(cov(S)); C <- eigen_C$vectors %*% diag(eigen_C$values^-0.5) %*% t(eigen_C$vectors)
Lstar <- exp(mean_S + ((S - mean_S) %*% C) * sd_S)
theta <- sweep(Lstar, 2, read(m)[c(1, 3, 4)]^2 / colMeans(Lstar), "*")
moved <- sweep(draws[, 5:6], 2, beta - colMeans(draws[, 5:6]), "+")
out$reb2 <- list(draws = draws, adjusted = unname(cbind(sqrt(theta), moved)))

# wild: marginal residuals over sqrt(1 - h) or 1 - h, times a number for each level
h <- diag(X %*% solve(crossprod(X), t(X)))
for (kind in c("hc2", "hc3")) {
  v <- if (kind == "hc2") r / sqrt(1 - h) else r / (1 - h)
  u <- runif(L); mammen <- ifelse(u < (sqrt(5) + 1) / (2 * sqrt(5)), -(sqrt(5) - 1) / 2, (sqrt(5) + 1) / 2)
  out[[paste0("wild_", kind, "_mammen")]] <- record(fixed + v * mammen[g], uniform = u)
  s <- sample(0:1, L, TRUE)
  out[[paste0("wild_", kind, "_rademacher")]] <- record(fixed + v * c(-1, 1)[s + 1][g], integers = s)
  s <- sample(0:5, L, TRUE); six <- c(sqrt(3 / 2), 1, sqrt(1 / 2), -sqrt(3 / 2), -1, -sqrt(1 / 2))
  out[[paste0("wild_", kind, "_webb")]] <- record(fixed + v * six[s + 1][g], integers = s)
  w <- rnorm(L); out[[paste0("wild_", kind, "_norm")]] <- record(fixed + v * w[g], normal = w)
  w <- rgamma(L, 4, scale = 1 / 2); out[[paste0("wild_", kind, "_gamma")]] <- record(fixed + v * (w - 2)[g], gamma = w)
}

# cases in three levels: batches, casks within the batches that were drawn, rows within the casks that were drawn
p <- Pastes[-c(1, 14, 33), ]  # some casks have one row
p$cask <- factor(paste(p$batch, p$cask, sep = ":")); three <- lmer(strength ~ 1 + (1 | batch) + (1 | cask), p, control = control)
batches <- split(seq_len(nrow(p)), p$batch)
out$case <- list(gone = c(0, 13, 32))
for (which in list(c(TRUE, FALSE, FALSE), c(FALSE, TRUE, FALSE), c(TRUE, TRUE, FALSE), c(FALSE, FALSE, TRUE), c(TRUE, TRUE, TRUE))) {
  u1 <- runif(10); u2 <- runif(30); u3 <- runif(3 * nrow(p))
  at <- integer(); batch <- character(); cask <- character(); used2 <- 0; used3 <- 0
  for (j in 1:10) {
    source <- if (which[1]) floor(u1[j] * 10) + 1 else j
    casks <- split(batches[[source]], droplevels(p$cask[batches[[source]]]))
    for (k in seq_along(casks)) {
      used2 <- used2 + 1
      mine <- casks[[if (which[2]) floor(u2[used2] * length(casks)) + 1 else k]]
      if (which[3]) { u <- u3[used3 + seq_along(mine)]; used3 <- used3 + length(mine); mine <- mine[floor(u * length(mine)) + 1] }
      at <- c(at, mine); batch <- c(batch, rep(paste0("b", j), length(mine))); cask <- c(cask, rep(paste0("b", j, "c", k), length(mine)))
    }
  }
  sample <- data.frame(strength = p$strength[at], batch = factor(batch), cask = factor(cask))
  refitted <- lmer(strength ~ 1 + (1 | batch) + (1 | cask), sample, control = control)
  v <- as.data.frame(VarCorr(refitted)); sd <- setNames(v$sdcor, v$grp)
  drawn <- c(if (which[1]) list(u1), if (which[2]) list(u2[seq_len(used2)]), if (which[3]) list(u3[seq_len(used3)]))
  out$case$samples <- c(out$case$samples, list(list(resample = which, uniform = drawn, rows = at - 1, batch = batch, cask = cask,
    refit = unname(c(sd["batch"], sd["cask"], sigma(refitted), fixef(refitted))))))
}
writeLines(toJSON(out, digits = 12, auto_unbox = TRUE), commandArgs(trailingOnly = TRUE)[1])
