# Transformed responses: back-transformed means, ratios, bias adjustment, regrid, prediction intervals:
#   Rscript scales.R scales.json
source("asked.R")
set.seed(23)
d <- expand.grid(A = c("a", "b", "c"), B = c("p", "q"), r = 1:9)
d$g <- factor(paste0("g", d$r)); d$r <- NULL
u <- rnorm(9, 0, 0.3)
d$y <- round(exp(2 + 0.3 * as.integer(d$A) - 0.2 * (d$B == "q") * (d$A == "c") + u[as.integer(d$g)] + rnorm(nrow(d), 0, 0.25)), 5)
d$share <- round(plogis(-1 + 0.5 * as.integer(d$A) + u[as.integer(d$g)] + rnorm(nrow(d), 0, 0.4)), 5)
d <- d[-c(2, 9, 17, 30, 31), ]
frame("d", d)
# name: how emmeans is told of it (NULL where it sees it itself), R's formula, ours
pow <- make.tran("power", 0.3); gen <- make.tran("genlog", 3); box <- make.tran("boxcox", 0.5); per <- make.tran("asin.sqrt", 100); d$percent <- round(100 * d$share, 3); frame("d", d)
scales <- list(
  log = list(NULL, "log(y)"), log10 = list(NULL, "log10(y)"), log2 = list(NULL, "log2(y)"), log1p = list(NULL, "log1p(y)"), sqrt = list(NULL, "sqrt(y)"),
  twice = list(NULL, "2 * sqrt(y)"), shifted = list(NULL, "log(y + 3)"), asin = list(NULL, "asin(sqrt(share))"), exp = list(NULL, "exp(share)"), scale = list(NULL, "scale(y)"),
  logit = list("logit", "qlogis(share)"), spelt_logit = list("logit", "I(log(share / (1 - share)))", "log(share / (1 - share))"), probit = list("probit", "qnorm(share)"),
  cloglog = list("cloglog", "I(log(-log(1 - share)))", "log(-log(1 - share))"), inverse = list("inverse", "I(1/y)", "1 / y"),
  power = list(pow, "I(y^0.3)", "y ** 0.3"), boxcox = list(box, "I((y^0.5 - 1) / 0.5)", "(y ** 0.5 - 1) / 0.5"), percent = list(per, "I(asin(sqrt(percent / 100)))", "asin(sqrt(percent / 100))"))
means <- step("emmeans", specs = "A")
for (name in names(scales)) { s <- scales[[name]]
  m <- fit(name, paste(s[[2]], "~ A * B + (1 | g)"), "d", paste(if (length(s) > 2) s[[3]] else s[[2]], "~ A * B + (1 | g)"))
  grid <- ref_grid(m); if (!is.null(s[[1]])) grid <- update(grid, tran = s[[1]])
  e <- quietly(emmeans(grid, ~A)); p <- pairs(e)
  ask(name, quietly(confint(e, type = "response")), means, step("confint", type = "response"))
  ask(name, quietly(confint(p, type = "response", adjust = "none")), means, step("pairs"), step("confint", type = "response", adjust = "none"))
  ask(name, quietly(test(p, type = "response", adjust = "holm")), means, step("pairs"), step("test", type = "response", adjust = "holm"))
  ask(name, quietly(summary(regrid(e), infer = c(TRUE, FALSE))), means, step("regrid", transform = "response"), step("confint"))
  ask(name, quietly(summary(pairs(regrid(e)), infer = TRUE, adjust = "none")), means, step("regrid", transform = "response"), step("pairs"), step("confint", adjust = "none"))
  ask(name, quietly(confint(e, type = "response", bias.adjust = TRUE, sigma = 0.4)), means, step("confint", type = "response", bias_adjust = TRUE, sigma = 0.4))
  ask(name, quietly(summary(regrid(e, bias.adjust = TRUE, sigma = 0.4), infer = c(TRUE, FALSE))), means, step("regrid", bias_adjust = TRUE, sigma = 0.4), step("confint"))
  ask(name, quietly(predict(e, interval = "prediction", sigma = 0.1, type = "response")), means, step("confint", interval = "prediction", sigma = 0.1, type = "response"))
}
m <- fit("log", "log(y) ~ A * B + (1 | g)", "d"); e <- emmeans(m, ~A | B); within <- step("emmeans", specs = "A | B", type = "response")
ask("log", confint(emmeans(m, ~A | B, type = "response")), within, step("confint"))
ask("log", summary(pairs(emmeans(m, ~A | B, type = "response"))), within, step("pairs"), step("test"))
ask("log", test(pairs(e, type = "response"), null = log(0.8), side = ">"), within, step("pairs"), step("test", null = log(0.8), side = ">"))
ask("log", test(e, null = 2, type = "response"), within, step("test", null = 2))
ask("log", test(pairs(e), delta = 0.2, type = "response", adjust = "none"), within, step("pairs"), step("test", delta = 0.2, adjust = "none"))
ask("log", confint(emmeans(m, ~A | B, type = "response", bias.adjust = TRUE)), step("emmeans", specs = "A | B", type = "response", bias_adjust = TRUE), step("confint"))
ask("log", predict(e, interval = "prediction"), step("emmeans", specs = "A | B"), step("confint", interval = "prediction"))
ask("log", predict(e, interval = "prediction", level = 0.9, sigma = 0.5), step("emmeans", specs = "A | B", level = 0.9), step("confint", interval = "prediction", sigma = 0.5))
ask("log", predict(e, interval = "prediction", type = "response", bias.adjust = TRUE, sigma = 0.5), within, step("confint", interval = "prediction", sigma = 0.5, bias_adjust = TRUE))
for (s in c(">", "<")) for (a in c("none", "bonferroni", "sidak", "tukey")) { ask("log", quietly(confint(e, side = s, adjust = a)), step("emmeans", specs = "A | B"), step("confint", side = s, adjust = a))
  ask("log", quietly(confint(e, side = s, adjust = a, type = "response")), within, step("confint", side = s, adjust = a)) }
m <- fit("plain", "y ~ A * B + (1 | g)", "d"); e <- emmeans(m, ~A)
for (t in c("log", "log10", "sqrt")) { r <- regrid(e, transform = t)
  ask("plain", confint(r), means, step("regrid", transform = t), step("confint"))
  ask("plain", confint(r, type = "response"), means, step("regrid", transform = t), step("confint", type = "response"))
  ask("plain", summary(pairs(r), type = "response", adjust = "none"), means, step("regrid", transform = t), step("pairs", adjust = "none"), step("test", type = "response")) }
m <- fit("logit", "qlogis(share) ~ A * B + (1 | g)", "d"); e <- quietly(emmeans(update(ref_grid(m), tran = "logit"), ~A)); r <- regrid(e, transform = "log")
ask("logit", summary(pairs(r), type = "response", adjust = "none"), means, step("regrid", transform = "log"), step("pairs", adjust = "none"), step("test", type = "response"))
write_asked()
