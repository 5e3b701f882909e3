# Kenward-Roger with expected information (pbkrtest) and Satterthwaite (lmerTest) for the models of sas.json.
# Writes expected.json beside it. Run: Rscript expected.R     (R with lmerTest, pbkrtest, jsonlite)
suppressPackageStartupMessages({ library(lmerTest); library(jsonlite) })
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 0.2, rhoend = 1e-10, maxfun = 1e5))

read <- function(name) {
  if (name == "sleepstudy") return(lme4::sleepstudy)
  d <- read.csv(file.path(here, paste0(name, ".csv")))
  if (name == "bioequivalence") {
    d$period <- factor(d$period, 4:1)
    d$formulation <- factor(d$formulation, c("T", "R"))
    d$sequence <- factor(d$sequence, c("BABA", "ABAB"))
  }
  d
}
# The coefficients by their names in interlace, so that the rows can be matched.
label <- function(x) gsub("^(period|formulation|sequence)(.+)$", "\\1[T.\\2]", gsub("\\^", " ** ", sub("\\(Intercept\\)", "Intercept", x)))
table_of <- function(m, ddf) {
  t <- coef(summary(m, ddf = ddf))
  setNames(lapply(seq_len(nrow(t)), function(i) unname(t[i, 1:3])), label(rownames(t)))
}
tests_of <- function(m, ddf) {
  a <- anova(m, type = 3, ddf = ddf)
  setNames(lapply(seq_len(nrow(a)), function(i) unlist(a[i, c("NumDF", "DenDF", "F value")], use.names = FALSE)),
           label(rownames(a)))
}
case <- function(spec) {
  m <- lmer(as.formula(gsub("**", "^", spec$formula, fixed = TRUE)), read(spec$data), control = tight)
  out <- list(theta = unname(getME(m, "theta")))
  for (ddf in c("Kenward-Roger", "Satterthwaite")) {
    out[[tolower(ddf)]] <- table_of(m, ddf)
    out[[paste0(tolower(ddf), "_f")]] <- tests_of(m, ddf)
  }
  out
}
specs <- fromJSON(file.path(here, "sas.json"), simplifyVector = FALSE)
found <- setNames(lapply(specs, case), vapply(specs, `[[`, "", "name"))
found$versions <- vapply(c("lme4", "lmerTest", "pbkrtest"), function(p) as.character(packageVersion(p)), "")
found$versions <- as.list(found$versions)
writeLines(toJSON(found, digits = I(15), auto_unbox = TRUE, pretty = 1), file.path(here, "expected.json"))
