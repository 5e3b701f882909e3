# One F test, the levels of its factor in every order: lmerTest's denominator df by Satterthwaite change, Kenward-Roger's do not.
# Run: Rscript level_order.R     (R with lmerTest, pbkrtest, jsonlite); writes level_order.json beside it
suppressPackageStartupMessages({ library(lmerTest); library(jsonlite) })
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
ctl <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 0.2, rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE)
set.seed(12)
d <- data.frame(g = sprintf("g%02d", rep(1:12, c(2, 3, 2, 3, 2, 6, 8, 6, 2, 2, 3, 2))))
d$f <- c("u", "u", "u", "u", "u", "v", "v", "v", "v", "w", "u", "w")[as.integer(factor(d$g))]
d$f[d$g %in% c("g06", "g07", "g08")] <- rep(c("v", "w"), 10)
d$y <- round(3 + (d$f == "v") + 2 * rnorm(12)[as.integer(factor(d$g))] + rnorm(nrow(d)), 2)
out <- list()
for (order in list(c("u", "v", "w"), c("v", "u", "w"), c("w", "u", "v"))) {
  e <- d; e$f <- factor(e$f, levels = order); e$g <- factor(e$g)
  m <- lmer(y ~ f + (1 | g), e, control = ctl)
  row <- function(ddf) as.numeric(anova(m, ddf = ddf)[1, c("NumDF", "DenDF", "F value", "Pr(>F)")])
  out[[paste(order, collapse = "")]] <- list(satterthwaite = row("Satterthwaite"), `kenward-roger` = row("Kenward-Roger"))
}
writeLines(toJSON(list(data = as.list(d), orders = out), digits = 15), file.path(here, "level_order.json"))
