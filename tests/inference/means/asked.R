# What the scripts beside it share: models with their theta, and what is asked of them, with the tables of emmeans.
suppressPackageStartupMessages({library(lmerTest); library(emmeans); library(jsonlite)})
emm_options(lmer.df = "satterthwaite", msg.nesting = FALSE, msg.interaction = FALSE)
ctl <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE, check.conv.singular = "ignore")
frames <- list(); models <- list(); asked <- list()
rect <- function(x) { x <- as.data.frame(x); lapply(x, function(v) if (is.factor(v)) as.character(v) else if (is.list(v)) unlist(v) else v) }
frame <- function(name, data) { rownames(data) <- NULL; frames[[name]] <<- list(columns = rect(data), levels = Filter(Negate(is.null), lapply(data, levels)))
  assign(name, data, envir = globalenv()) }
# `ours` is the formula as we write it, where R's cannot be read
fit <- function(name, formula, data, ours = formula) {
  m <- suppressWarnings(suppressMessages(do.call(lmer, list(as.formula(formula), data = as.name(data), control = quote(ctl)))))
  models[[name]] <<- list(formula = ours, data = data, theta = I(unname(getME(m, "theta")))); m }
# one call of a chain, with its options
step <- function(call, ...) list(call = call, options = setNames(list(...), names(list(...))))
ask <- function(model, table, ...) { found <- try(rect(table), silent = TRUE)
  if (inherits(found, "try-error")) message(model, ": ", conditionMessage(attr(found, "condition")))
  else asked[[length(asked) + 1]] <<- list(model = model, chain = list(...), table = lapply(found, I)) }
quietly <- function(x) suppressWarnings(suppressMessages(x))
write_asked <- function() write_json(list(versions = list(R = as.character(getRversion()), emmeans = as.character(packageVersion("emmeans")), lme4 = as.character(packageVersion("lme4"))),
  data = frames, models = models, asked = asked), commandArgs(trailingOnly = TRUE)[1], digits = I(11), auto_unbox = TRUE, na = "string", null = "null")
