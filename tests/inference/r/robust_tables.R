# Every table of tests with a cluster-robust covariance: car's Anova(vcov.=), clubSandwich's coef_test, conf_int and Wald_test.
# Run: Rscript robust_tables.R     (R with lme4, lmerTest, car, clubSandwich, jsonlite); writes robust_tables.json beside it
suppressPackageStartupMessages({ library(lme4); library(clubSandwich); library(car); library(jsonlite) })
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
root <- file.path(here, "..", "..", "reference", "data")
rd <- function(name) {
  meta <- fromJSON(file.path(root, paste0(name, ".meta.json")), simplifyVector = FALSE)
  d <- read.csv(file.path(root, meta$file), check.names = FALSE)
  for (n in names(meta$columns)) { a <- meta$columns[[n]]
    if (a$type %in% c("factor", "ordered")) d[[n]] <- factor(as.character(d[[n]]), levels = unlist(a$levels), ordered = a$type == "ordered") }
  d
}
ctl <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE)
cases <- list(
  list("autism", "autism", "vsae ~ age2 * sicdegp + (1 | childid)", TRUE),
  list("orthodont", "Orthodont", "distance ~ age * Sex + (age | Subject)", TRUE),
  list("exam", "Exam", "normexam ~ standLRT * sex + (standLRT | school)", FALSE),
  list("oats", "Oats", "yield ~ nitro * Variety + (1 | Block/Variety)", TRUE),
  list("sleepstudy", "sleepstudy", "Reaction ~ Days * grp + off + (Days | Subject)", TRUE))
table <- function(t) c(list(.rownames = I(rownames(t))), lapply(as.list(as.data.frame(t)), function(v) I(unname(v))))
f_tests <- function(m, L, V) {
  w <- lapply(L, function(l) if (nrow(l)) Wald_test(m, constraints = l, vcov = V, test = "HTZ"))
  list(.rownames = I(names(L)), F = I(sapply(w, `[[`, "Fstat")), num_df = I(sapply(w, `[[`, "df_num")), den_df = I(sapply(w, `[[`, "df_denom")), p = I(sapply(w, `[[`, "p_val")))
}
out <- list()
for (x in cases) {
  d <- rd(x[[2]]); form <- as.formula(x[[3]])
  m <- lmer(form, d, REML = x[[4]], control = ctl)
  lt <- lmerTest::as_lmerModLmerTest(m)
  hypotheses <- lapply(c("2" = "II", "3" = "III"), function(type) lmerTest::show_tests(anova(lt, type = type)))
  dropped <- lmerTest::show_tests(drop1(lt))
  p <- length(fixef(m)); r <- list(data = x[[2]], formula = x[[3]], REML = x[[4]], theta = I(unname(getME(m, "theta"))))
  for (kind in c("CR0", "CR1", "CR2")) {
    V <- vcovCR(m, type = kind)
    s <- list()
    for (type in 2:3) {
      s[[paste0("chisq_", type)]] <- tryCatch(table(as.data.frame(Anova(m, type = type, test.statistic = "Chisq", vcov. = as.matrix(V)))), error = function(e) list(error = conditionMessage(e)))
      s[[paste0("F_", type)]] <- f_tests(m, lapply(hypotheses[[as.character(type)]], as.matrix), V)
    }
    s$drop1 <- f_tests(m, lapply(dropped, as.matrix), V)
    t <- coef_test(m, vcov = V, test = "Satterthwaite"); z <- coef_test(m, vcov = V, test = "z"); ci <- conf_int(m, vcov = V, level = 0.9, test = "Satterthwaite")
    s$coef <- list(se = I(t$SE), df = I(t$df_Satt), p = I(t$p_Satt), p_z = I(z$p_z), lower = I(ci$CI_L), upper = I(ci$CI_U))
    w <- Wald_test(m, constraints = diag(p)[p - 1:0, , drop = FALSE], vcov = V, test = "chi-sq")
    s$joint_chisq <- list(F = w$Fstat, num_df = w$df_num, p = w$p_val)
    r[[kind]] <- s
  }
  out[[x[[1]]]] <- r
}
writeLines(toJSON(out, digits = 15, auto_unbox = TRUE, null = "null", na = "string"), file.path(here, "robust_tables.json"))
