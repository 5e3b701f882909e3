# What lme4, lmerTest, pbkrtest and clubSandwich say of models that were drawn and fitted elsewhere:
#   Rscript models.R questions.json answers.json
# Each question has the data, the formula, the options and the theta that was found. The lowest criterion is looked
# for from several starts; all else is computed at the given theta, so that no difference is the optimiser's.
suppressWarnings(suppressPackageStartupMessages({
  library(jsonlite); library(splines); library(lme4); library(lmerTest); library(pbkrtest); library(clubSandwich)
}))
args <- commandArgs(trailingOnly = TRUE)
ignore <- list(check.nobs.vs.rankZ = "ignore", check.nobs.vs.nlev = "ignore", check.nobs.vs.nRE = "ignore",
               check.nlev.gtr.1 = "ignore", check.rankX = "silent.drop.cols", check.scaleX = "ignore",
               check.conv.singular = "ignore", check.conv.grad = "ignore", check.conv.hess = "ignore")
control <- function(...) do.call(lmerControl, c(list(...), ignore))
tight <- control(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 10000), calc.derivs = FALSE)
given <- control(optimizer = NULL, calc.derivs = FALSE)
start_ <- NULL; dat <- NULL

# The value, or NULL where R gives none within the time.
attempt <- function(expr, seconds = 30) suppressWarnings(suppressMessages(tryCatch({
  setTimeLimit(elapsed = seconds, transient = TRUE); on.exit(setTimeLimit(elapsed = Inf)); expr
}, error = function(e) NULL)))
rows <- function(m) unname(lapply(seq_len(nrow(m)), function(i) as.numeric(m[i, ])))

column <- function(spec) {
  v <- if (is.list(spec$values)) sapply(spec$values, function(a) if (is.null(a)) NA else a) else spec$values
  switch(spec$kind, num = as.numeric(v), int = as.integer(v), bool = as.logical(v), text = as.character(v),
         factor(as.character(v), levels = as.character(unlist(spec$levels)), ordered = spec$kind == "ordered"))
}

fit <- function(q, how, start = "NULL", pkg = "lmerTest") {
  more <- paste0(c("", if (!is.null(q$weights)) "weights = w", if (!is.null(q$offset)) "offset = off",
                   if (length(q$contrasts)) paste0("contrasts = list(", paste0(names(q$contrasts), " = \"contr.",
                     unlist(q$contrasts), "\"", collapse = ", "), ")")), collapse = ", ")
  eval(parse(text = sprintf("%s::lmer(%s, data = dat, REML = %s, control = %s, start = %s%s)", pkg, q$formula, q$reml,
                            how, start, more)), globalenv())
}
criterion <- function(m) if (isREML(m)) as.numeric(REMLcrit(m)) else as.numeric(-2 * logLik(m))

lowest <- function(q, found) {
  m <- attempt(fit(q, "tight", pkg = "lme4"))
  if (is.null(m)) return(NULL)
  low <- getME(m, "lower"); set.seed(1); values <- criterion(m)
  for (start in list(found, ifelse(low == 0, 0.05, 0), ifelse(low == 0, abs(rnorm(length(low))) * 2, rnorm(length(low)) / 2))) {
    if (length(start) != length(low)) next
    start_ <<- start
    n <- attempt(fit(q, "tight", "start_", pkg = "lme4"))
    if (!is.null(n)) values <- c(values, criterion(n))
  }
  list(value = min(values), default = values[1])
}

table_of <- function(t) if (is.null(t)) NULL else c(list(term = trimws(rownames(t))), as.list(as.data.frame(t)))

answer <- function(q) {
  d <- lapply(q$data, column); names(d) <- sapply(q$data, `[[`, "name")
  dat <<- data.frame(d, check.names = FALSE, stringsAsFactors = FALSE); rownames(dat) <- seq_len(nrow(dat)); dat <<- dat
  theta <- as.numeric(q$theta)
  best <- lowest(q, theta)
  start_ <<- theta
  m <- attempt(fit(q, "given", "start_"))
  if (is.null(m) || is.null(best)) return(list(refused = TRUE))
  plain <- as(m, "lmerMod"); X <- getME(m, "X"); used <- as.integer(rownames(model.frame(m)))
  w <- as.numeric(q$print)[used]
  out <- list(
    lowest = best$value, default = best$default, criterion = criterion(m), used = used, print = as.numeric(crossprod(X, w)),
    size = sqrt(colSums(X^2)), logdet = as.numeric(determinant(crossprod(X / rep(sqrt(colSums(X^2)), each = nrow(X))))$modulus) + sum(log(colSums(X^2))),
    names = names(fixef(m)), fixef = fixef(m), vcov = rows(as.matrix(vcov(m))), sigma = sigma(m), fitted = fitted(m),
    singular = isSingular(m), population = predict(m, re.form = NA), sd = as.data.frame(VarCorr(m))[c("grp", "var1", "var2", "sdcor")],
    satterthwaite = attempt(coef(summary(m))[, "df"]), ranova = table_of(attempt(ranova(fit(q, "tight", "start_")))),
    anova = lapply(1:3, function(type) table_of(attempt(anova(m, type = type)))), drop1 = table_of(attempt(drop1(m))))
  re <- ranef(m)
  out$ranef <- lapply(names(re), function(g) list(group = g, levels = rownames(re[[g]]), modes = rows(as.matrix(re[[g]]))))
  if (q$reml && is.null(q$weights) && nrow(X) <= 250) {
    out$kenward_roger <- attempt({ t <- coef(summary(m, ddf = "Kenward-Roger")); list(se = t[, 2], df = t[, 3]) }, 60)
    out$anova_kenward_roger <- table_of(attempt(anova(m, type = 3, ddf = "Kenward-Roger"), 60))
  }
  if (is.null(q$weights) && is.null(q$offset)) {
    for (kind in c("CR0", "CR1", "CR1S", "CR2", "CR3")) out[[kind]] <- attempt(rows(as.matrix(vcovCR(plain, type = kind))))
    out$CR2_df <- attempt({ t <- coef_test(plain, vcov = "CR2", test = "Satterthwaite"); t[[grep("^df", names(t))[1]]] })
  }
  out
}

questions <- fromJSON(args[1], simplifyVector = TRUE, simplifyDataFrame = FALSE, simplifyMatrix = FALSE)
answers <- lapply(questions, function(q) tryCatch(answer(q), error = function(e) list(broken = conditionMessage(e))))
write_json(answers, args[2], digits = NA, auto_unbox = TRUE, na = "string", null = "null")
