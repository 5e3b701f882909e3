# R's reading of formulas and expressions, for test_terms.py and tests/design/test_operators.py:
#   Rscript r_language.R > r_language.json
library(jsonlite)
n <- 12
d <- data.frame(
  x = c(-3, -2, -1, 0, 1, 2, 3, 4, 5, 6.5, 100, 120), k = c(1L, 2L, 3L, 120L, 5L, 6L, 7L, 8L, 9L, 10L, 11L, 12L),
  z = round(sin(1:n), 3), male = rep(c(TRUE, FALSE, FALSE), 4), b1 = (1:n) %% 2 == 0, b2 = (1:n) %% 3 == 0, b3 = (1:n) > 6,
  s = rep(c("a", "b", "c"), 4), u = rep(c("b", "b", "a", "c"), 3),
  o = rep(c("lo", "mid", "hi"), each = 4), stringsAsFactors = FALSE
)
d$f <- factor(d$s, levels = c("c", "a", "b")); d$h <- factor(d$u)
d$o <- factor(d$o, levels = c("lo", "mid", "hi"), ordered = TRUE)
# 1) Terms and intercepts
rhs <- c(
  "(a - 1) * x", "(0 + x) * z", "a * (x - 1)", "(a + b - 1)^2", "(1 + x) * a", "(a - 1) * x + 1", "x - (z - 1)", "x - (1 + z)",
  "-1 + x", "x + 0 + 1", "x - 1 + 1", "1 + x - 1", "(x + 0) + z", "((a - 1)) * x", "0 + (1 + x) * a", "(x - 1):a", "a/(x - 1)", "(a + 0)/x",
  "x %in% (a + 1)", "a %in% b", "(a + b) %in% x", "a %in% (b + x)", "a %in% b:x", "(a + b + x)^2", "(a + b + x)^3", "(a + b)^9", "a*b*x",
  "(a + b)/x", "a/b/x", "a/(b + x)", "(a + b)*(x + z)", "a*b - a", "a*b - a:b", "a*b*x - a:b:x", "(a + b + x)^2 - a:b", "a + b - a", "a - a",
  "a:x + x + a", "a:a", "(a + b):(a + x)", "x - a", "(a*b):x", "a:(b*x)", "x*(a - a)", "a + (b - 1) - (x + 0)", "b %in% a + x:z*a",
  "-(a - 1) + x", "a*b - (a + b)", "x + a*b - b %in% a", "(x - z) * a",
  "x ++ z", "x + + z", "++x", "x -+ z", "x +- z + z", "(x ++ z) * a", "x ++ 0", "x -+ 1", "x -+ 0"
)
terms_of <- function(text) {
  t <- terms(as.formula(paste("~", text)))
  list(text = text, intercept = attr(t, "intercept"), labels = as.list(gsub(" %in% ", ":", attr(t, "term.labels"))))
}
# 2) Expressions
expressions <- c(
  "k^2", "k - 200", "k^5", "k^-1", "-k^2", "(-k)^2", "-2^2 + x", "2^3^2 + x", "x^2^0.5", "-x^2 * 2", "2 * k %% 3", "k %% 3 * 2", "k %/% 5 %% 2",
  "-x %% 3", "-k %/% 4", "x %% -3", "x %/% 2.5", "k %% 0", "k %/% 0", "x / 0", "0 / x", "k / 2 * 3", "k - 2 - 3", "k - (2 - 3)", "100 / k / 2", "x * -1", "x - -1",
  "!x > 1", "!male & x > 1", "!(male & x > 1)", "x > 1 & male", "x > 1 | male & x < 0", "(x > 1 | male) & x < 0", "male | x > 1 & b1", "!male | b1 & !b2",
  "x + 1 > 2 * z", "x == 2", "x != 2", "x <= 1 & x >= -1", "male + b1", "b1 + b2 + b3", "b1 * 2 - b2", "-b1", "+b1", "b1 == b2", "b1 > b2", "male == 1", "male & x", "!x", "x | 0",
  's == "a"', 'f == "a"', '"a" == f', 'f != "a"', "s == u", 's != u', "as.character(f) == s", 'f == "a" & x > 1', '!(f == "a")', '(f == "a") * x', '(f == "a") + (f == "b")',
  "x %in% c(2, 4, 100)", 's %in% c("a", "c")', '!s %in% c("a", "c")', 's %in% u[0]', "k %in% 3:5", "k %in% c(1:3, 9)", "male %in% TRUE",
  'o > "lo"', 'o <= "mid"', '"mid" < o', 'o == "hi"', "k * c(2)", "x + pi", "T & male", "F | male", "sqrt(x + 10) > 3", "exp(1)^z", "(x + z) * (x - z)",
  "x * z + k / 2 - 1", "1e3 * x", ".5 * x", "5L * k", "k^2 %% 7", "k %% 2 == 0", "-(1:3)[2] + x", "2 - -x", "!TRUE | male", "x > -1", "x<3", "(k)", "x %in% k", "s == 'it\\'s'", "k ^ 2 ** 1",
  "TRUE + x", "x - male", "z >= z", "(x > 0) == (z > 0)", "b1 & NA", "b1 | NA", "x + NA", "NA > x", "!NA & b1"
)
expressions <- expressions[!grepl("\\[", expressions)]
value_of <- function(text) {
  v <- with(d, eval(parse(text = text)))
  list(text = text, logical = is.logical(v), value = as.list(as.numeric(v)))
}
out <- list(version = R.version.string, data = d, terms = lapply(rhs, terms_of), expressions = lapply(expressions, value_of))
cat(toJSON(out, digits = NA, auto_unbox = TRUE, factor = "string", na = "string"))
