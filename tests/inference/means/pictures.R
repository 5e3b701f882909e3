# Comparison arrows and p-value matrices of R's emmeans:
#   Rscript pictures.R pictures.json
suppressPackageStartupMessages({library(lme4); library(emmeans); library(jsonlite)})
emm_options(lmer.df = "asymptotic", msg.nesting = FALSE, msg.interaction = FALSE)
set.seed(3)
d <- data.frame(A = sample(letters[1:7], 160, TRUE), B = sample(c("p", "q"), 160, TRUE), g = sample(12, 160, TRUE))
d$y <- round(10 + match(d$A, letters) * 0.4 + (d$B == "q") * (d$A %in% c("b", "e")) + rnorm(12)[d$g] + rnorm(160), 4)
m <- lmer(y ~ A * B + (1 | g), d); l <- lmer(log(y) ~ A + (1 | g), d)
arrows <- function(e, ...) { p <- plot(e, comparisons = TRUE, plotit = FALSE, ...); p <- as.data.frame(p)
  list(left = p$lcmpl, right = p$rcmpl, names = names(p)) }
specs <- list(one = list(emmeans(m, ~ A), list()), groups = list(emmeans(m, ~ A | B), list()),
              none = list(emmeans(m, ~ A), list(adjust = "none", alpha = 0.2)),
              response = list(emmeans(l, ~ A, type = "response"), list()), all = list(emmeans(m, ~ A * B), list(adjust = "none")))
found <- lapply(specs, function(s) c(do.call(arrows, c(list(s[[1]]), s[[2]]))))
theta <- list(m = unname(getME(m, "theta")), l = unname(getME(l, "theta")))
writeLines(toJSON(list(versions = list(R = as.character(getRversion()), emmeans = as.character(packageVersion("emmeans"))), data = d,
                       theta = theta, arrows = found), digits = NA, auto_unbox = TRUE, na = "null", dataframe = "columns"), commandArgs(TRUE)[1])
