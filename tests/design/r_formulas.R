# Random formulas for tests/design/test_formulas_against_r.py:  Rscript r_formulas.R > r_formulas.json
# Of each model matrix: its size and rank, sums of its columns and of the least-squares fit with three sets of weights, for the data and for new data.
suppressMessages({library(splines); library(jsonlite)})
set.seed(20)
n <- 96
i <- seq_len(n)
pick <- function(levels, m) levels[sample.int(length(levels), m, replace = TRUE)]
make <- function(m) data.frame(
  x = round(rnorm(m, 1, 2), 3), z = round(runif(m, 1, 9), 3), p = round(exp(rnorm(m)), 4), k = sample(1:4, m, TRUE), flag = runif(m) < 0.5,
  a = factor(pick(c("lo", "mid", "hi"), m), levels = c("lo", "mid", "hi")), b = factor(pick(c("u", "v", "w", "t"), m)), s = pick(c("q", "r"), m),
  o = factor(pick(c("s", "m", "l"), m), levels = c("s", "m", "l"), ordered = TRUE), stringsAsFactors = FALSE)
d <- make(n)
new <- d[sample(n, 15), ]
new$x <- new$x * 0.9 + 0.05; new$z <- new$z * 0.8 + 1
numeric_atoms <- c("x", "z", "p", "k", "log(p)", "I(x^2)", "I(x^2 - 2*x*z)", "I(-x^2)", "I((x - z)/p)", "I(2^-k)", "poly(x, 2)", "poly(z, 3, raw = TRUE)",
  "ns(z, 3)", "bs(x, df = 4)", "scale(x)", "scale(z, scale = FALSE)", "pmin(x, z)", "pmax(x, 0)", "ifelse(flag, x, z)", "ifelse(a == \"lo\", 1, x)", "sqrt(z)",
  "exp(-p)", "round(x)", "abs(x - 1)", "log(z, 2)", "log(p, base = 10)", "I(k %% 2)", "I(z %/% 2)", "I(x %% 1.5)", "sin(2*pi*z)", "as.numeric(flag)", "as.integer(z)",
  "as.numeric(a == \"mid\")", "poly(x, z, degree = 2)", "tanh(x)", "atan(x)", "I(flag + (x > 0))", "I(x > 0 & flag)", "as.numeric(o)", "sign(x)", "I(exp(x)^0.5)",
  "log1p(p)", "trunc(x)", "floor(z)", "ceiling(z)", "I(1/(1 + exp(-x)))", "cos(x)", "signif(p, 2)", "I(-x)", "I(+x)", "I(-(-x))", "I(x - -z)", "I(2 * -x^2)")
factor_atoms <- c("a", "b", "o", "flag", "s", "factor(k)", "C(a, contr.sum)", "relevel(a, ref = \"mid\")", "cut(z, c(0, 3, 6, 10))", "interaction(s, flag)",
  "C(b, contr.helmert)", "(x > 1)", "I(x > 0)", "I(!flag)", "I(a == \"hi\" & z < 5 | !flag)", "I(b %in% c(\"u\", \"w\"))", "factor(a, labels = c(\"A\", \"B\", \"C\"))",
  "C(o, contr.treatment)", "C(a, c(-1, 0, 1))", "as.factor(k)", "ordered(s)", "I(a != \"lo\")", "I(xor(flag, x > 0))", "C(b, contr.treatment(4, base = 2))",
  "factor(o, ordered = FALSE)", "I(k == 2 | k == 3)", "I(!(k > 2))", "I(k >= 2 && TRUE)")
factor_atoms <- factor_atoms[!grepl("xor|&&", factor_atoms)]
atom <- function() if (runif(1) < 0.5) sample(numeric_atoms, 1) else sample(factor_atoms, 1)
expression_of <- function(depth) {
  if (depth == 0 || runif(1) < 0.25) return(atom())
  left <- expression_of(depth - 1)
  right <- expression_of(depth - 1)
  wrap <- function(e) if (grepl("[-+*/^:%]", gsub("\\([^()]*\\)", "", gsub("\\([^()]*\\)", "", e)))) paste0("(", e, ")") else e
  op <- sample(c("+", "+", "+", ":", "*", "*", "/", "%in%", "- 1 +", "+ 0 +", "^2"), 1)
  if (op == "^2") return(paste0("(", left, " + ", right, ")^2"))
  if (op %in% c("+", "- 1 +", "+ 0 +")) return(paste(left, op, right))
  paste0(wrap(left), if (op == ":") ":" else paste0(" ", op, " "), wrap(right))
}
weights <- function(m) outer(seq_len(m), 1:3, function(r, j) sin(r * j))
y <- cos(i^2)
# R codes a factor by contrasts where its margin is a part of an earlier term, also if it is no term itself.
margins <- function(terms, frame) {
  m <- attr(terms, "factors")
  if (!length(m)) return(TRUE)
  categorical <- vapply(frame[rownames(m)], function(v) is.factor(v) || is.logical(v) || is.character(v), TRUE)
  sets <- apply(m > 0, 2, function(v) paste(which(v), collapse = " "))
  for (j in seq_len(ncol(m))) for (i in which(m[, j] == 1 & categorical)) {
    margin <- paste(setdiff(which(m[, j] > 0), i), collapse = " ")
    if (margin != "" && !(margin %in% sets)) return(FALSE)
  }
  TRUE
}
one <- function(text) {
  f <- as.formula(paste("~", text))
  frame <- model.frame(f, d)
  X <- model.matrix(f, frame)
  fit <- lm.fit(X, y)
  terms <- terms(frame)
  out <- tryCatch({
    later <- suppressWarnings(model.frame(terms, new, xlev = .getXlevels(terms, frame)))
    list(new = unname(t(weights(nrow(new))) %*% model.matrix(terms, later, contrasts.arg = attr(X, "contrasts"))))
  }, error = function(e) list(new = NULL))
  c(list(formula = text, margins = margins(terms, frame), columns = ncol(X), rank = qr(X)$rank, sums = unname(t(weights(n)) %*% X), fit = as.vector(t(weights(n)) %*% fit$fitted.values)), out)
}
texts <- character()
while (length(texts) < 400) {
  text <- expression_of(sample(1:3, 1))
  X <- tryCatch(model.matrix(as.formula(paste("~", text)), d), error = function(e) NULL)
  if (is.null(X) || ncol(X) > 40 || ncol(X) < 1) next
  if (kappa(X[, qr(X)$pivot[seq_len(qr(X)$rank)], drop = FALSE]) > 1e7) next
  texts <- unique(c(texts, text))
}
cat(toJSON(list(version = R.version.string, data = d, new = new, formulas = lapply(texts, one)), digits = 12, auto_unbox = TRUE, factor = "string", na = "null", null = "null"))
