# What R's update.formula makes of formulas: response, terms by their factors, intercept.
# Run: Rscript updating.R     (R with jsonlite); writes updating.json beside it
suppressPackageStartupMessages(library(jsonlite))
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
olds <- c("y ~ x", "y ~ x - 1", "y ~ 0 + x", "y ~ 1", "y ~ a * b", "y ~ a + b + x", "log(y) ~ a / b", "y ~ (a + b + x)^2",
  "y ~ x + (1 | g)", "y ~ a * b + (x | g) + (1 | h)", "y ~ a + poly(x, 2) + (1 | g:h)", "sqrt(y) ~ x + I(x^2) + (0 + x | g)")
plain <- c("~ .", ". ~ .", "~ . + z", "~ . - x", "~ . - 1", "~ . + 1", "~ 0 + .", "~ 1 + .", "log(.) ~ .", "I(.^2) ~ . + z",
  "z ~ .", "~ z + .", "~ . - z", "~ . - a:b", "~ . - (a + b)", "~ . - a", "~ . + a:x", "~ . + . + z", "z ~ b + x")
whole <- c("~ .:z", "~ .^2", "~ . * z", "~ . %in% z", "~ z / .", "~ . - .", "~ 1", "~ z", "~ . / z", "~ poly(., 2)")
random <- c("~ . - (1 | g)", "~ . - (1 | h)", "~ . + (1 | k)", "~ . - (x | g) + (1 | g)", "~ . - (1 | h) - b + z", "~ z + (1 | k)")
cell <- function(old, new) {
  made <- tryCatch(update(as.formula(old), as.formula(new)), error = function(e) NULL)
  if (is.null(made)) return(NULL)
  t <- terms(made)
  list(old = old, new = new, response = deparse(made[[2]]), terms = I(attr(t, "term.labels")), intercept = attr(t, "intercept"))
}
has_bar <- grepl("|", olds, fixed = TRUE)
cells <- c(
  unlist(lapply(olds, function(o) lapply(plain, function(n) cell(o, n))), FALSE),
  unlist(lapply(olds[!has_bar & !grepl("-|0|~ 1", olds)], function(o) lapply(whole, function(n) cell(o, n))), FALSE),
  unlist(lapply(olds[has_bar], function(o) lapply(random, function(n) cell(o, n))), FALSE))
writeLines(toJSON(Filter(Negate(is.null), cells), auto_unbox = TRUE), file.path(here, "updating.json"))
