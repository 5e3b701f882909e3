# Adjustments of seven levels, missing cells, weights, nuisance factors, split plots, slopes of several degrees:
#   Rscript designs.R designs.json
source("asked.R")
set.seed(31)
# ---- seven levels ----
d <- data.frame(F = factor(rep(paste0("f", 1:7), each = 12)), g = factor(rep(paste0("g", 1:12), 7)))
d$x <- round(rnorm(84), 4); d$B <- factor(sample(c("low", "mid", "high"), 84, TRUE), levels = c("low", "mid", "high"))
d$y <- round(5 + 0.35 * as.integer(d$F) + 0.3 * d$x + 0.4 * (d$B == "mid") * (d$F %in% c("f2", "f5")) + rnorm(12, 0, 0.6)[as.integer(d$g)] + rnorm(84, 0, 0.9), 4)
d <- d[-c(3, 15, 40, 41, 77), ]; frame("seven", d)
m <- fit("seven", "y ~ F + x + (1 | g)", "seven"); e <- emmeans(m, ~F); means <- step("emmeans", specs = "F")
methods <- c("none", "tukey", "bonferroni", "holm", "hochberg", "hommel", "sidak", "scheffe", "BH", "BY", "fdr", "dunnettx")
for (a in methods) { ours <- tolower(a)
  for (c in c("pairwise", "trt.vs.ctrl", "eff", "consec")) { k <- contrast(e, c)
    ask("seven", quietly(test(k, adjust = a)), means, step("contrast", method = c), step("test", adjust = ours))
    ask("seven", quietly(confint(k, adjust = a)), means, step("contrast", method = c), step("confint", adjust = ours)) }
  ask("seven", quietly(test(e, adjust = a, null = 6)), means, step("test", adjust = ours, null = 6))
  ask("seven", quietly(confint(e, adjust = a, level = 0.9)), means, step("confint", adjust = ours, level = 0.9))
  for (s in c(">", "<")) ask("seven", quietly(test(pairs(e), adjust = a, side = s)), means, step("pairs"), step("test", adjust = ours, side = s))
  for (s in c("two-sided", ">", "<")) ask("seven", quietly(test(pairs(e), adjust = a, side = s, delta = 0.5, null = 0.1)), means, step("pairs"), step("test", adjust = ours, side = s, delta = 0.5, null = 0.1)) }
for (c in c("pairwise", "revpairwise", "trt.vs.ctrl", "trt.vs.ctrl1", "trt.vs.ctrlk", "dunnett", "eff", "del.eff", "consec", "mean_chg", "poly", "opoly", "helmert", "nrmlz", "identity")) {
  k <- try(contrast(e, c), silent = TRUE); if (!inherits(k, "try-error")) { ask("seven", quietly(test(k)), means, step("contrast", method = c), step("test")); ask("seven", quietly(confint(k)), means, step("contrast", method = c), step("confint")) } else message("no ", c) }
w <- c(3, 1, 4, 1, 5, 9, 2); ask("seven", quietly(test(contrast(e, "wtcon", wts = w))), means, step("contrast", method = "wtcon", wts = w), step("test"))
own <- list(first = c(-1, 1, 0, 0, 0, 0, 0), halves = c(1/3, 1/3, 1/3, 0, -1/3, -1/3, -1/3), total = rep(1, 7))
for (a in c("none", "holm", "tukey", "scheffe", "sidak")) { ask("seven", quietly(test(contrast(e, own), adjust = a)), means, step("contrast", method = own), step("test", adjust = a))
  ask("seven", quietly(confint(contrast(e, own), adjust = a)), means, step("contrast", method = own), step("confint", adjust = a)) }
ask("seven", quietly(test(contrast(e, "trt.vs.ctrl", ref = c(2, 4)))), means, step("contrast", method = "trt.vs.ctrl", ref = c(1, 3)), step("test"))
ask("seven", quietly(test(contrast(e, "pairwise", include = c(1, 3, 7)))), means, step("contrast", method = "pairwise", include = c(0, 2, 6)), step("test"))
ask("seven", quietly(test(contrast(pairs(e)[1:6], "consec"))), means, step("pairs"), step("__getitem__", rows = 0:5), step("contrast", method = "consec"), step("test"))
# multivariate t: mvtnorm's points are random, to about 1e-4
for (c in c("pairwise", "trt.vs.ctrl")) { set.seed(1); k <- contrast(e, c); ask("seven", quietly(test(k, adjust = "mvt")), means, step("contrast", method = c), step("test", adjust = "mvt")); ask("seven", quietly(confint(k, adjust = "mvt")), means, step("contrast", method = c), step("confint", adjust = "mvt")) }
for (a in c(0.05, 0.2)) ask("seven", quietly(emmeans:::cld.emmGrid(e, alpha = a, Letters = letters)), means, step("cld", alpha = a))
ask("seven", quietly(emmeans:::cld.emmGrid(e, alpha = 0.3, adjust = "none", Letters = c("1234567890"))), means, step("cld", alpha = 0.3, adjust = "none", letters = "1234567890"))
m <- fit("groups", "y ~ F * B + (1 | g)", "seven"); e <- emmeans(m, ~B | F); within <- step("emmeans", specs = "B | F")
for (a in c("none", "bonferroni", "sidak", "holm", "hochberg", "hommel", "BH", "BY", "fdr")) for (i in c("none", "tukey"))
  ask("groups", quietly(test(pairs(e), adjust = i, cross.adjust = a)), within, step("pairs"), step("test", adjust = i, cross_adjust = tolower(a)))
for (k in list("pairwise", "consec")) for (s in c("B", "F")) ask("groups", quietly(test(contrast(emmeans(m, ~F * B), k, simple = s), adjust = "none")), step("emmeans", specs = "F * B"), step("contrast", method = k, simple = s), step("test", adjust = "none"))

# ---- three factors with missing cells, a covariate in an interaction, other factors beside ----
d <- expand.grid(A = c("a1", "a2", "a3"), B = c("b1", "b2"), C = c("c1", "c2", "c3"), r = 1:8); n <- nrow(d)
d$g <- factor(paste0("g", sample(10, n, TRUE))); d$r <- NULL; d$x <- round(runif(n, 0, 4), 4)
d$N <- factor(sample(c("n1", "n2", "n3"), n, TRUE, c(5, 3, 1))); d$M <- factor(sample(c("m1", "m2"), n, TRUE, c(3, 1)))
d$y <- round(3 + as.integer(d$A) * 0.5 + (d$B == "b2") * (d$A == "a2") + 0.3 * d$x * as.integer(d$C) - 0.05 * d$x^2 + 0.4 * (d$N == "n3") + rnorm(10, 0, 0.5)[as.integer(d$g)] + rnorm(n, 0, 0.8), 4)
d <- d[-sample(n, 30), ]; frame("full", d); gaps <- d[!((d$A == "a3" & d$B == "b2" & d$C == "c1") | (d$A == "a1" & d$C == "c3")), ]; frame("gaps", gaps)
models_of <- list(gaps = c("y ~ A * B * C + C * x + (1 | g)", "gaps"), full = c("y ~ A * B * C + C * x + N + M + (1 | g)", "full"), mild = c("y ~ A * B + A * C + C * x + N + M + (1 | g)", "gaps"))
for (name in names(models_of)) { m <- fit(name, models_of[[name]][1], models_of[[name]][2])
  for (s in c("A", "C", "A * B", "A | C", "B * C | A")) { f <- as.formula(paste("~", s)); e <- try(quietly(emmeans(m, f)), silent = TRUE); if (inherits(e, "try-error")) next; own <- step("emmeans", specs = s)
    ask(name, quietly(confint(e, adjust = "none")), own, step("confint"))
    for (c in c("pairwise", "eff")) { ask(name, quietly(test(contrast(e, c), adjust = "holm")), own, step("contrast", method = c), step("test", adjust = "holm")) } }
  for (w in c("equal", "proportional", "outer", "cells", "flat")) for (s in c("A", "C", "A | B")) { f <- as.formula(paste("~", s))
    ask(name, quietly(confint(emmeans(m, f, weights = w))), step("emmeans", specs = s, weights = w), step("confint"))
    if (name != "gaps") ask(name, quietly(confint(emmeans(m, f, weights = w, nuisance = c("N", "M")))), step("emmeans", specs = s, weights = w, nuisance = c("N", "M")), step("confint")) }
  for (s in c("C", "A | C")) ask(name, as.data.frame(summary(quietly(emtrends(m, as.formula(paste("~", s)), var = "x", delta.var = 1e-6)), infer = c(TRUE, FALSE))), step("emtrends", var = "x", specs = s), step("confint"))
  ask(name, quietly(confint(emmeans(m, ~C | x, at = list(x = c(1, 3))))), step("emmeans", specs = "C | x", at = list(x = c(1, 3))), step("confint"))
  for (b in list(NULL, "C", "A")) ask(name, quietly(if (is.null(b)) joint_tests(m) else joint_tests(m, by = b)), do.call(step, c(list("joint_tests"), if (!is.null(b)) list(by = b)))) }
m <- quietly(fit("full", models_of$full[1], "full"))
cells <- c(5, 1, 2, 7, 3, 4)  # of B and C, the first fastest
ask("full", quietly(confint(emmeans(m, ~A, nuisance = c("N", "M"), weights = cells))), step("emmeans", specs = "A", nuisance = c("N", "M"), weights = cells), step("confint"))
ask("full", quietly(confint(emmeans(m, ~A, weights = 1:36))), step("emmeans", specs = "A", weights = 1:36), step("confint"))
ask("full", quietly(confint(emmeans(m, ~A | B, nuisance = c("N", "C"), weights = "equal"))), step("emmeans", specs = "A | B", nuisance = c("N", "C")), step("confint"))
ask("full", quietly(confint(emmeans(m, ~A, at = list(N = c("n1", "n3")), weights = "proportional"))), step("emmeans", specs = "A", at = list(N = c("n1", "n3")), weights = "proportional"), step("confint"))
ask("full", as.data.frame(summary(quietly(emtrends(m, ~C, var = "x", delta.var = 1e-6, nuisance = c("N", "M"), weights = "proportional")), infer = c(TRUE, FALSE))), step("emtrends", var = "x", specs = "C", nuisance = c("N", "M"), weights = "proportional"), step("confint"))
for (s in c("A", "A | B", "A * B | C")) { e <- quietly(emmeans(m, as.formula(paste("~", s)))); for (u in c(0, 3)) ask("full", quietly(test(e, joint = TRUE, null = u)), step("emmeans", specs = s), step("test", joint = TRUE, null = u))
  ask("full", quietly(test(pairs(e), joint = TRUE)), step("emmeans", specs = s), step("pairs"), step("test", joint = TRUE)) }

# ---- slopes of several degrees ----
m <- fit("bent", "y ~ A * poly(x, 3) + B + (1 | g)", "full")
for (k in 1:3) for (s in c("A", "1")) ask("bent", as.data.frame(summary(quietly(emtrends(m, as.formula(paste("~", s)), var = "x", max.degree = k, delta.var = c(1e-6, 1e-4, 1e-3)[k])), infer = c(TRUE, FALSE))), step("emtrends", var = "x", specs = s, max_degree = k), step("confint"))
ask("bent", as.data.frame(summary(quietly(pairs(emtrends(m, ~A, var = "x", max.degree = 2, delta.var = 1e-4), adjust = "none")))), step("emtrends", var = "x", specs = "A", max_degree = 2), step("pairs", adjust = "none"), step("test"))

# ---- a split plot ----
oats <- as.data.frame(nlme::Oats); oats <- data.frame(yield = oats$yield, nitro = factor(oats$nitro), Variety = factor(as.character(oats$Variety)), Block = factor(as.character(oats$Block)))
frame("oats", oats); lost <- oats[-c(1, 14, 15, 33, 50, 68), ]; frame("lost", lost)
for (name in c("oats", "lost")) { m <- fit(name, "yield ~ nitro * Variety + (1 | Block/Variety)", name)
  for (ddf in c("kenward-roger", "satterthwaite", "asymptotic")) for (s in c("nitro", "Variety", "nitro | Variety", "Variety | nitro", "nitro * Variety")) {
    e <- quietly(emmeans(m, as.formula(paste("~", s)), lmer.df = ddf)); own <- step("emmeans", specs = s, ddf = ddf)
    ask(name, quietly(confint(e)), own, step("confint")); ask(name, quietly(test(pairs(e), adjust = "tukey")), own, step("pairs"), step("test", adjust = "tukey"))
    ask(name, quietly(confint(pairs(e))), own, step("pairs"), step("confint"))
    if (s == "nitro * Variety") { i <- c("consec", "pairwise"); ask(name, quietly(test(contrast(e, interaction = i))), own, step("contrast", interaction = i), step("test"))
      ask(name, quietly(test(contrast(e, interaction = c("poly", "trt.vs.ctrl")))), own, step("contrast", interaction = c("poly", "trt.vs.ctrl")), step("test")) } }
  for (ddf in c("kenward-roger", "satterthwaite", "asymptotic")) { ask(name, quietly(joint_tests(m, lmer.df = ddf)), step("joint_tests", ddf = ddf)); ask(name, quietly(joint_tests(m, by = "Variety", lmer.df = ddf)), step("joint_tests", ddf = ddf, by = "Variety")) } }
# ---- every adjustment where combinations have no rows ----
for (name in c("gaps", "mild")) { m <- quietly(fit(name, models_of[[name]][1], models_of[[name]][2]))
  for (s in c("A | C", "B | C", "A")) { e <- quietly(emmeans(m, as.formula(paste("~", s)))); own <- step("emmeans", specs = s)
    for (a in methods) for (c in c("pairwise", "trt.vs.ctrl")) { k <- quietly(contrast(e, c)); ask(name, quietly(test(k, adjust = a)), own, step("contrast", method = c), step("test", adjust = tolower(a)))
      ask(name, quietly(confint(k, adjust = a)), own, step("contrast", method = c), step("confint", adjust = tolower(a))) } } }
write_asked()
