# Values of functions in formulas for tests/design/test_functions.py:  Rscript r_functions.R > r_functions.json
suppressMessages({library(splines); library(MASS); library(lme4); library(jsonlite)})
n <- 30
i <- seq_len(n)
d <- data.frame(
  x = round(10 * sin(i), 3), z = (i * 7) %% 11 + 0.5, p = round(exp(cos(i)), 4), u = round(sin(3 * i) / 1.01, 4),
  k = (i * 5) %% 7 - 3, ties = pmax(0, (i * 3) %% 10 - 5), big = 1e6 + i^2, flag = (i %% 3) == 0,
  other = (i %% 4) > 1, b = c("u", "v", "w", "x")[(i %/% 3) %% 4 + 1], s = c("lo", "hi", "mid")[(i * 5) %% 3 + 1],
  dec = c(0.15, 0.25, 0.35, 2.5, -2.5, 1234.5678, -0.05, 0.285, 1e-7, 5.015, 1e15 + 0.3, 2.675, 1.005, 0.5, 1.5,
          -0.5, 7, 1e22, 123456.789, -1.45, 0.45, 0.55, 0.65, 33.335, -33.325, 9.995, 99.95, 1e-300, 0, 12345.5),
  o = factor(c("s", "m", "l")[(i * 2 + i %/% 5) %% 3 + 1], levels = c("s", "m", "l"), ordered = TRUE),
  stringsAsFactors = FALSE
)
new <- data.frame(
  x = c(-25, -9.999, 0.3, 4.5, 9, 18), z = c(0.5, 3, 11, 4.25, -2, 30), p = c(0.4, 1, 2.5, 2.7, 0.01, 8), u = c(0, .5, -.5, .9, -.9, .1),
  k = c(-3, 0, 3, 3, 1, 2), ties = c(0, 4, 2.5, 9, 0.5, 1), big = 1e6 + c(1, 900, 450.5, -10, 2000, 7),
  flag = c(TRUE, TRUE, FALSE, TRUE, FALSE, TRUE), other = c(FALSE, FALSE, TRUE, TRUE, FALSE, TRUE), b = c("x", "x", "w", "u", "u", "v"),
  s = c("mid", "mid", "lo", "hi", "lo", "lo"), dec = c(0.125, -1.5, 3.14159, 0.05, 1e10, 2.345),
  o = factor(c("l", "l", "s", "m", "s", "s"), levels = c("s", "m", "l"), ordered = TRUE), stringsAsFactors = FALSE
)
value <- function(v) {
  if (is.character(v)) v <- factor(v)
  if (is.factor(v)) return(list(kind = "factor", codes = as.integer(v), levels = levels(v), ordered = is.ordered(v)))
  if (is.matrix(v) && ncol(v) > 1)
    return(list(kind = "matrix", labels = as.character(colnames(v)), values = unname(lapply(seq_len(ncol(v)), function(j) as.vector(v[, j])))))
  list(kind = if (is.logical(v)) "logical" else "numbers", values = as.vector(v))
}
rows <- function(m) lapply(seq_len(nrow(m)), function(r) as.list(unname(m[r, ])))
case <- function(text) {
  tt <- terms(as.formula(paste("~", text)))
  f <- suppressWarnings(model.frame(tt, d, na.action = na.pass))
  g <- suppressWarnings(model.frame(terms(f), new, na.action = na.pass))
  list(text = text, learnt = value(f[[1]]), new = value(g[[1]]))
}
elementwise <- c("abs(x)", "ceiling(x)", "floor(x)", "trunc(x)", "sign(k)", "sqrt(p)", "exp(x)", "expm1(u)", "log(p)", "log1p(p)",
  "log2(p)", "log10(p)", "log(p, 2)", "log(p, base = 10)", "log(p, 3)", "log(base = 2, x = p)", "log(p, z)", "log(p, exp(1))",
  "sin(x)", "cos(x)", "tan(u)", "asin(u)", "acos(u)", "atan(x)", "sinh(u)", "cosh(u)", "tanh(x)", "asinh(x)", "atanh(u)",
  "plogis(x)", "qlogis(p / 10)", "pnorm(x)", "qnorm(p / 10)", "abs(flag)", "sqrt(flag)", "round(flag)",
  "round(dec)", "round(dec, 1)", "round(dec, 2)", "round(dec, digits = 3)", "round(dec, -1)", "round(dec, -3)", "round(dec, 8)",
  "signif(dec, 3)", "signif(dec)", "I(x)", "identity(z)", "pmin(x, z)", "pmax(x, 0)", "pmax(x, z, k)", "pmin(x, flag)", "pmax(3, x, -z)",
  "ifelse(flag, x, z)", "ifelse(flag, 1, 0)", "ifelse(k, x, -1)", 'ifelse(flag, "yes", "no")', 'ifelse(other, s, "rest")',
  "ifelse(flag, other, TRUE)", "ifelse(flag, other, 2)", "as.integer(x)", "as.integer(flag)", "as.numeric(flag)", "as.numeric(x)", "as.integer(o)",
  "as.numeric(o)", "as.logical(k)", "as.character(k)", "as.character(o)", "as.character(flag)", "as.character(dec)",
  "log(sqrt(p) + 1)", "findInterval(x, c(-5, 0, 5))", "findInterval(k, c(-2, 0, 2), left.open = TRUE)",
  "findInterval(k, c(-3, 0, 3), rightmost.closed = TRUE)", "findInterval(x, c(-5, 0, 5), all.inside = TRUE)")
learning <- c("poly(x, 1)", "poly(x, 2)", "poly(x, 5)", "poly(big, 3)", "poly(x, 3, raw = TRUE)", 
  "poly(z, 10)", "bs(x)", "bs(x, df = 5)", "bs(x, 5)", "bs(x, knots = c(-2, 4))", "bs(x, degree = 2)", "bs(x, df = 4, degree = 1)",
  "bs(x, df = 6, intercept = TRUE)", "bs(x, df = 5, Boundary.knots = c(-12, 15))", "bs(x, knots = 1, Boundary.knots = c(-5, 5))",
  "bs(big, df = 7)", "bs(ties, df = 6)", "ns(x)", "ns(x, 3)", "ns(x, df = 5)", "ns(x, knots = c(-2, 4))", "ns(x, df = 4, intercept = TRUE)",
  "ns(x, df = 3, Boundary.knots = c(-4, 6))", "ns(ties, df = 4)", "ns(big, 4)", "scale(x)", "scale(x, scale = FALSE)",
  "scale(x, center = FALSE)", "scale(x, center = 3, scale = 2)", "scale(big)", "scale(flag)", "poly(flag, 1)")
several <- c("poly(x, z, degree = 2)", "poly(x, z, degree = 2, raw = TRUE)", "poly(x, z, k, degree = 2)", "poly(x, z, degree = 3)")
factors <- c("factor(b)", "factor(k)", "factor(flag)", "factor(dec)", "factor(x > 0)", 'factor(s, levels = c("lo", "mid", "hi"))',
  'factor(s, levels = c("lo", "mid", "hi"), labels = c("A", "B", "C"))', 'factor(flag, labels = c("m", "f"))',
  'factor(s, labels = "s")', 'factor(b, labels = c("p", "q", "p", "r"))', 'factor(k, levels = c(3, 2, 1, 0, -1, -2, -3))',
  'factor(flag, levels = c(TRUE, FALSE), labels = c("yes", "no"))', 'factor(flag, levels = c("TRUE", "FALSE"))', "factor(o)",
  "factor(o, ordered = FALSE)", "factor(b, ordered = TRUE)", "as.factor(k)", "ordered(s)", 'ordered(s, levels = c("lo", "mid", "hi"))',
  "as.ordered(b)", 'relevel(factor(b), ref = "w")', "relevel(factor(b), 3)", "droplevels(factor(b))", "interaction(b, s)",
  'interaction(s, flag, sep = "_")', "interaction(b, s, lex.order = TRUE)", "interaction(k, flag)", "cut(x, c(-Inf, -3, 3, Inf))", "cut(z, c(0, 3, 6, 31))", "cut(z, c(31, 0, 3, 6), right = FALSE)",
  "cut(k, c(-3, 0, 3), include.lowest = TRUE)", "cut(k, c(-3, 0, 3), include.lowest = TRUE, right = FALSE)", "cut(x, c(-30, 0, 30), labels = FALSE)",
  'cut(x, c(-30, 0, 30), labels = c("low", "high"))', 'cut(x, c(-30, -5, 5, 30), labels = c("far", "near", "far"))',
  "cut(big, c(0, 1000000.123456, 1e7), dig.lab = 9)", "cut(x, c(-30, 0, 30), ordered_result = TRUE)", "cut(big, c(0, 1000100, 2e6))",
  "cut(x, c(-30, 0, 30), NULL, TRUE)")
# R forgets these for new data (the breaks of cut, the sets of levels); they are compared on the data learnt from.
once <- c("scale(poly(x, 2))", "poly(x, degree = 2, simple = TRUE)", "as.numeric(factor(b))", "as.integer(factor(k))",
  'as.numeric(relevel(factor(b), "w"))', "cut(x, 3)", "cut(z, 4, labels = FALSE)", "cut(big, 5, dig.lab = 8)", 'dummy(b, "w")', "dummy(b)", 'dummy(b, c("v", "x"))',
  "I(x - mean(x))", "ave(x, b)", "ave(x, b, s)", "ave(x)", "ave(x, b, FUN = sd)", "ave(x, flag, FUN = max)")
constants <- c("mean(x)", "mean(flag)", "median(x)", "median(z)", "sd(x)", "var(x)", "sum(x)", "sum(flag)", "min(x)", "max(x, z)", "min(x, 100)",
  "prod(p)", "length(x)", "range(x)", "quantile(x)", "quantile(z, c(0.1, 1/3))", "quantile(x, 0.9)", "seq(0, 10, 2)", "seq(0, 1, by = 0.1)",
  "seq(5, 1)", "seq(0, 1, length.out = 5)", "mean(x, na.rm = TRUE)", "mean(big)", "var(big)")
coded <- list(
  list("contr.treatment(4)", contr.treatment(4)), list("contr.treatment(4, base = 3)", contr.treatment(4, base = 3)),
  list("contr.sum", contr.sum(4)), list("contr.sum(4)", contr.sum(4)), list("contr.helmert", contr.helmert(4)),
  list("contr.poly", contr.poly(4)), list("contr.poly(4, scores = c(1, 2, 4, 8))", contr.poly(4, scores = c(1, 2, 4, 8))),
  list("contr.SAS", contr.SAS(4)), list("contr.sdif", contr.sdif(4)))
wide <- list(
  list("c(-1, 0, 0, 1)", contrasts(C(factor(d$b), c(-1, 0, 0, 1)))), list("c(0.5, -0.5, 0.5, -0.5)", contrasts(C(factor(d$b), c(.5, -.5, .5, -.5)))),
  list("cbind(c(1, 0, 0, -1), c(0, 1, 0, -1))", contrasts(C(factor(d$b), cbind(c(1, 0, 0, -1), c(0, 1, 0, -1))))),
  list("matrix(c(1, 2, 0, -3, 0, 1, 0, -1), 4)", contrasts(C(factor(d$b), matrix(c(1, 2, 0, -3, 0, 1, 0, -1), 4)))),
  list("matrix(c(1, 2, 0, -3, 0, 1, 1, -1), ncol = 2, byrow = TRUE), how.many = 2", contrasts(C(factor(d$b), matrix(c(1, 2, 0, -3, 0, 1, 1, -1), ncol = 2, byrow = TRUE), 2))),
  list("c(3, 1, -1, -3)", contrasts(C(factor(d$b), c(3, 1, -1, -3)))), list("c(1, 0, 0, 0)", contrasts(C(factor(d$b), c(1, 0, 0, 0)))))
out <- list(
  version = R.version.string, data = d, new = new,
  cases = lapply(c(elementwise, learning, factors), case),
  several = lapply(several, function(t) list(text = t, learnt = value(model.frame(as.formula(paste("~", t)), d)[[1]]))),
  once = lapply(once, function(t) list(text = t, learnt = value(with(d, eval(parse(text = t)))))),
  constants = lapply(constants, function(t) list(text = t, value = as.list(unname(with(d, eval(parse(text = t))))))),
  coded = lapply(c(coded, wide), function(e) list(text = e[[1]], matrix = rows(e[[2]]))),
  polynomials = lapply(c(3, 8, 15, 20), function(k) list(levels = k, matrix = rows(contr.poly(k))))
)
cat(toJSON(out, digits = NA, auto_unbox = TRUE, factor = "string", na = "null"))
