# Models with functions in their formulas for tests/model/test_formulas_of_models.py:  Rscript formulas_of_models.R > formulas_of_models.json
suppressMessages({library(lme4); library(splines); library(jsonlite)})
set.seed(3); n <- 240
d <- data.frame(x=round(rnorm(n),3), z=round(runif(n,1,9),3), a=sample(c("lo","mid","hi"),n,TRUE), flag=runif(n)<.5, k=sample(1:4,n,TRUE), g=sample(letters[1:12],n,TRUE), h=sample(LETTERS[1:8],n,TRUE))
d$a <- factor(d$a, levels=c("lo","mid","hi"))
b <- rnorm(12); names(b) <- letters[1:12]
d$y <- round(2 + d$x + .5*d$z + (d$a=="mid") + b[d$g] + rnorm(n), 4)
fs <- c("y ~ ifelse(flag, x, z) + (1|g)", "y ~ x + (0 + dummy(a, \"mid\") | g) + (1|g)", "y ~ x + (poly(z, 2) | g)", "y ~ (a == \"mid\") * x + (1|g)", "flag ~ x + (1|g)",
 "y ~ (x - 1) * a + (1|g)", "y ~ a * (x - 1) + (1|g)", "y ~ (a + z - 1)^2 + (1|g)", "y ~ x + ((0 + x) | g)", "y ~ scale(x, scale=FALSE) + (1 | g:flag)", "y ~ C(factor(flag), c(-.5,.5)) * x + (1|g)",
 "y ~ C(a, c(-1,0,1)) + (1|g)", "y ~ pmax(x, 0) + pmin(z, 5) + (pmax(x, 0) | g)", "y ~ bs(z, df=5) + (1|g/h)", "y ~ ns(z, 3) + (0 + flag | g)", "log(z) ~ I(x^2) + (x || g)", "y ~ factor(k) + (factor(flag) | g)",
 "y ~ poly(x, z, degree=2) + (1|g) + (1|h)", "y ~ cut(z, c(0,3,6,10)) + (1|h)", "y ~ I(k %% 2 == 0) + I(!(a == \"lo\")) + (1|g)", "y ~ scale(x) * interaction(a, flag) + (1|g)", "y ~ offset(2*x) + z + (1|g)",
 "y ~ x + I(z/2) %in% a + (1|h)", "y ~ relevel(a, ref=\"hi\") + (1 | a:g)")
out <- lapply(fs, function(f) { m <- suppressMessages(suppressWarnings(lmer(as.formula(f), d, control=lmerControl(optimizer="bobyqa", optCtrl=list(rhobeg=.02,rhoend=1e-9))))); list(f=f, ll=as.numeric(logLik(m)), p=length(fixef(m)), pred=as.numeric(predict(m, d[5:9,], re.form=NA))) })
cat(toJSON(list(d=d, out=out), digits=10, auto_unbox=TRUE))
