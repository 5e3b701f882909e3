# Model matrices of R for tests/design/test_against_r.py:  Rscript r_columns.R > r_columns.json
library(splines)
library(jsonlite)
n <- 24
i <- seq_len(n)
d <- data.frame(
  x = round(10 * sin(i), 3), z = (i * 7) %% 11 + 0.5, p = round(exp(cos(i)), 4),
  a = factor(c("lo", "mid", "hi")[(i * 5) %% 3 + 1], levels = c("lo", "mid", "hi")),
  b = factor(c("u", "v", "w", "x")[(i %/% 3) %% 4 + 1]),
  o = factor(c("s", "m", "l", "xl")[(i * 3 + i %/% 5) %% 4 + 1], levels = c("s", "m", "l", "xl"), ordered = TRUE),
  flag = (i %% 3) == 0
)
rhs <- c("x + a", "0 + a + b", "a * b", "a:x", "x + a:x", "a:b", "o", "0 + o", "o * x", "flag", "0 + flag", "flag * a",
  "poly(x, 3)", "poly(x, 2, raw = TRUE)", "scale(x)", "I(x^2) + I(x - 3 * z)", "log(p) + sqrt(z)",
  "ns(x, 3)", "ns(x, df = 5)", "ns(x, knots = c(-2, 4))", "bs(x)", "bs(x, df = 5)", "bs(x, knots = c(-2, 4))",
  "bs(x, degree = 2)", "(x + z + a)^2", "a/x", "C(a, contr.sum)", "C(b, contr.helmert) + x", "C(b, contr.poly)",
  "factor(z > 5) + x", "x - 1", "a + b - 1", "x + I(x > 3)", "a:b:x", "a %in% b", "x:z + a", "exp(x / 10) * a",
  'I(a == "mid")', 'I((b == "u") & (x > 0))', 'as.numeric(a == "mid") * x', "as.factor(z > 5) + x", "as.numeric(flag)",
  "as.numeric(factor(b))", "as.numeric(o)", "as.ordered(b)", 'ordered(b, levels = c("w", "u", "x", "v"))',
  'relevel(a, ref = "mid") * x', "relevel(b, 3)", 'C(relevel(a, "hi"), contr.sum)',
  'factor(b, levels = c("x", "w", "v", "u"), labels = c("p", "q", "p", "r"))',
  "cut(x, c(-Inf, -3, 3, Inf))", "cut(z, 4)", "cut(z, 3, labels = FALSE)", "cut(x, c(-11, 0, 11), right = FALSE) * a",
  'cut(z, c(0.5, 3.5, 10.5), include.lowest = TRUE, labels = c("low", "high"))',
  "C(b, contr.treatment(4, base = 3))")
one <- function(f, contrasts = NULL) {
  m <- model.matrix(as.formula(paste("~", f)), d, contrasts.arg = contrasts)
  list(formula = f, data = unname(apply(m, 1, function(r) as.list(unname(r)), simplify = FALSE)))
}
coded <- list(sum = "contr.sum", helmert = "contr.helmert", poly = "contr.poly", treatment = "contr.treatment")
library(MASS)
out <- list(
  version = R.version.string,
  data = d,
  plain = lapply(rhs, one),
  coded = c(
    lapply(names(coded), function(k) c(list(contrast = k), one("x + b", list(b = coded[[k]])))),
    list(c(list(contrast = "sdif"), one("x + b", list(b = contr.sdif(4)))))
  ),
  outside = lapply(c("ns(x, 4)", "bs(x, df = 5)", "poly(x, 2)", "scale(x)"), function(f) {
    fit <- lm(as.formula(paste("z ~", f)), d)
    new <- data.frame(x = c(-25, -9, 0.3, 4.5, 9, 18))
    m <- suppressWarnings(model.matrix(delete.response(terms(fit)), model.frame(delete.response(terms(fit)), new)))
    list(formula = f, x = new$x, data = unname(apply(m, 1, function(r) as.list(unname(r)), simplify = FALSE)))
  })
)
cat(toJSON(out, digits = 15, auto_unbox = TRUE, factor = "string"))
