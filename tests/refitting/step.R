# lmerTest's step: what goes in which order, the tables, and the model that is left.
# Run: Rscript step.R     (R with lmerTest, pbkrtest, jsonlite); writes step.json beside it
suppressPackageStartupMessages({ library(lmerTest); library(jsonlite) })
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
ctl <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE, check.conv.singular = "ignore")
set.seed(5)
d <- expand.grid(rep = 1:3, item = sprintf("i%02d", 1:6), subject = sprintf("s%02d", 1:14)); n <- nrow(d)
d$x <- round(rnorm(n), 3); d$z <- round(rnorm(n), 3)
d$f <- factor(c("u", "v", "w")[(as.integer(d$item) + as.integer(d$subject)) %% 3 + 1])
d$w <- round(runif(n, 0.5, 2), 2)
d$y <- round(2 + 0.4 * d$x + 0.5 * (d$f == "w") + rnorm(14, 0, 0.8)[d$subject] + rnorm(14, 0, 0.4)[d$subject] * d$x + rnorm(n) / sqrt(d$w), 4)
d$v <- round(rnorm(n) + 0.3 * d$z, 4)
s <- sleepstudy
frames <- list(made = d, sleepstudy = s)
cases <- list(
  list(data = "made", formula = "y ~ f * z + x + (x + z | subject) + (1 | item)", options = list()),
  list(data = "made", formula = "y ~ f * z + x + (x | subject) + (z | item)", options = list(ddf = "Kenward-Roger")),
  list(data = "made", formula = "y ~ f * z + x + (x | subject) + (1 | item)", options = list(keep = "z", alpha.random = 0.2, alpha.fixed = 0.01)),
  list(data = "made", formula = "y ~ f * z + x + (x || subject) + (1 | item)", options = list(reduce.random = FALSE)),
  list(data = "made", formula = "y ~ f + z + (z | subject) + (1 | item)", options = list(reduce.fixed = FALSE)),
  list(data = "made", formula = "v ~ f + z + (1 | subject) + (1 | item)", options = list()),
  list(data = "made", formula = "y ~ f * z * x + (x | subject) + (1 | item)", options = list(), weights = TRUE),
  list(data = "sleepstudy", formula = "Reaction ~ Days + I(Days^2) + (Days | Subject)", options = list()))
rows <- function(t) c(list(.rownames = I(rownames(t))), lapply(as.list(as.data.frame(t)), function(v) I(unname(v))))
answer <- function(one) {
  used <<- frames[[one$data]]
  call <- bquote(lmer(.(as.formula(one$formula)), used, control = ctl))
  if (!is.null(one$weights)) call$weights <- quote(w)
  m <- eval(call)
  found <- do.call(step, c(list(m), one$options))
  left <- get_model(found)
  list(data = one$data, formula = one$formula, options = one$options, weights = !is.null(one$weights),
    random = rows(found$random), fixed = rows(found$fixed), mixed = inherits(left, "lmerMod"),
    terms = I(attr(terms(left), "term.labels")), loglik = as.numeric(logLik(left)))
}
plain <- function(t) { t[] <- lapply(t, function(v) if (is.factor(v)) as.character(v) else v); as.list(t) }
writeLines(toJSON(list(made = plain(d), cases = lapply(cases, answer)), digits = NA, auto_unbox = TRUE, na = "null"), file.path(here, "step.json"))
