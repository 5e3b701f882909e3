"""What is asked of a fitted model: each question is a line of code, and a call that judges the answer."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import interlace
from fuzz import tables
from fuzz.answers import WrongError, finite, lowest, same_as_dense, well_formed
from fuzz.case import Case, quietly
from fuzz.columns import NUMBERS, Rng
from fuzz.hostile_calls import hostile_contrast, hostile_options, hostile_response

Question = tuple[str, Callable[[], Any]]


def questions(m: Any, case: Case, data: Any, *, doubtful: bool) -> Iterator[Question]:
    """Everything that a model can do, with arguments that depend on the case."""
    yield from _estimates(m, case, doubtful=doubtful)
    yield from _tests(m, case)
    yield from _rows(m, case, data)
    yield from _again(m, case)
    yield from _hostile(m, case)


def _estimates(m: Any, case: Case, *, doubtful: bool) -> Iterator[Question]:
    known = ("se",) if m.fit.identification.complete else ()
    yield (
        "m.fixef, m.se, m.theta, m.sigma",
        lambda: [finite(w, getattr(m, w)) for w in ("fixef", *known, "theta", "sigma")],
    )
    yield (
        "m.loglik, m.aic, m.bic, m.deviance",
        lambda: [finite(w, getattr(m, w)) for w in ("loglik", "aic", "bic", "deviance")],
    )
    yield "m  # dense algebra", lambda: None if doubtful else same_as_dense(m)
    yield "m  # the lowest criterion", lambda: None if doubtful else lowest(m, case.rng("lowest"))
    yield "m.convergence, repr(m), m._repr_html_()", lambda: (str(m.convergence), repr(m), m._repr_html_())
    yield "m.varcorr()", lambda: str(m.varcorr())
    yield "m.varcorr(se=True)", lambda: str(m.varcorr(se=True))
    yield "m.r2()", lambda: m.r2()
    yield "m.icc()", lambda: m.icc()
    yield "m.ranef(condvar=True)", lambda: [finite("ranef", t) for t in m.ranef(condvar=True).values()]
    yield "m.coef()", lambda: [finite("coef", t) for t in m.coef().values()]
    yield "m.condvar()", lambda: [finite("condvar", v) for v in m.condvar().values()]


def _tests(m: Any, case: Case) -> Iterator[Question]:
    rng = case.rng("tests")
    for ddf in ("satterthwaite", "kenward-roger", "asymptotic"):
        asymptotic = ddf == "asymptotic"
        yield (
            f"m.coef_table(ddf={ddf!r})",
            lambda d=ddf, i=asymptotic: well_formed("coef_table", m.coef_table(ddf=d), infinite_df=i),
        )
        yield (
            f"m.summary(ddf={ddf!r})",
            lambda d=ddf: (str(m.summary(ddf=d)), m.summary(ddf=d)._repr_html_()),
        )
    for kind in (1, 2, 3):
        ddf = str(rng.choice(["satterthwaite", "kenward-roger"]))
        test = str(rng.choice(["F", "wald"])) if kind > 1 else "F"
        yield (
            f"m.anova(type={kind}, test={test!r}, ddf={ddf!r})",
            lambda k=kind, t=test, d=ddf: well_formed("anova", m.anova(type=k, test=t, ddf=d)),
        )
    yield "m.anova(test='chisq', type=2)", lambda: well_formed("anova", m.anova(test="chisq", type=2))
    yield "m.drop1()", lambda: well_formed("drop1", m.drop1())
    yield "m.drop1(test='lrt')", lambda: str(m.drop1(test="lrt"))
    yield "m.ranova()", lambda: finite("ranova", m.ranova()[["npar", "loglik", "aic"]])
    yield (
        "m.ranova(drop='terms')",
        lambda: finite("ranova", m.ranova(drop="terms")[["npar", "loglik", "aic"]]),
    )
    kind = str(rng.choice(["CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"]))
    yield f"m.vcov({kind!r})", lambda: finite("vcov", m.vcov(kind))
    yield (
        f"m.coef_table(vcov={kind!r})",
        lambda: well_formed("coef_table", m.coef_table(vcov=kind), infinite_df=True),
    )
    L = rng.normal(size=(min(2, len(m.fixef)), len(m.fixef)))
    ddf = str(rng.choice(["satterthwaite", "kenward-roger"]))
    if len(L):
        yield f"m.contrast_test({L.round(2).tolist()}, ddf={ddf!r})", lambda: _contrast(m, L, ddf)


def _contrast(m: Any, L: np.ndarray, ddf: str) -> None:
    test = m.contrast_test(L, ddf=ddf)
    rows = test.rows.copy()
    rows.attrs["note"] = test.note
    well_formed("contrast_test", rows)
    if not (0 <= test.p <= 1 or (np.isnan(test.p) and test.note)):
        raise WrongError(f"p {test.p} of a joint test")
    str(test)


def _rows(m: Any, case: Case, data: Any) -> Iterator[Question]:
    kind = str(case.rng("residuals").choice(["response", "pearson", "standardized"]))
    yield (
        f"m.fitted, m.residuals({kind!r})",
        lambda: (finite("fitted", m.fitted), finite("residuals", m.residuals(kind))),
    )
    yield "m.predict()", lambda: finite("predict", m.predict())
    yield "m.predict(data)", lambda: _predicts_itself(m, case, data)
    yield "m.predict(hostile)", lambda: _predict_hostile(m, case)
    yield "m.simulate(2, seed=1)", lambda: finite("simulate", np.asarray(m.simulate(2, seed=1)))


def _predicts_itself(m: Any, case: Case, data: Any) -> None:
    given = case.given().get("offset", "")
    made = np.asarray(m.predict(data, **({"offset": given} if np.ndim(given) else {})), dtype=float)
    kept = m.fit.design.kept
    made, known = made if kept is None else made[kept], np.asarray(m.predict(), dtype=float)
    if made.shape != known.shape or not np.allclose(
        made, known, rtol=1e-6, atol=1e-8 * np.abs(known).max(initial=0)
    ):
        raise WrongError("predict(data) is not predict()")


def _predict_hostile(m: Any, case: Case) -> None:
    rng = case.rng("new data")
    columns, codes = tables.ordinary(case.seed + 1, case.number, int(rng.choice([0, 1, 3, 20])))
    for name, kind in tables.random_spoiling(rng):
        tables.spoil(rng, columns, codes, name, kind)
    random = ["all", "none", "g", ["g"], [], "(1 | g)", "zz", 3, None, "(1|", np.nan][int(rng.integers(11))]
    m.predict(tables.table(columns, tables.random_table(rng)), new_levels="population", random=random)


def _again(m: Any, case: Case) -> Iterator[Question]:
    yield "pickle.loads(pickle.dumps(m))", lambda: _pickled(m)
    yield "m.refit(y)", lambda: _refitted(m, case.rng("refit"))
    yield "m.refit(reml=not m.reml)", lambda: finite("refit", [m.refit(reml=not m.reml).loglik])
    yield "interlace.compare(smaller, m)", lambda: _compared(m, case)
    yield "interlace.lmer(...)  # twice", lambda: _twice(m, case)


def _pickled(m: Any) -> None:
    again = pickle.loads(pickle.dumps(m))
    if not np.array_equal(again.fixef, m.fixef) or again.loglik != m.loglik:
        raise WrongError("another model out of a pickle")


def _refitted(m: Any, rng: Rng) -> None:
    again = m.refit(rng.normal(size=m.nobs) * 10.0 ** rng.integers(-3, 4))
    finite("refit", [again.loglik, again.sigma])


def _twice(m: Any, case: Case) -> None:
    again = quietly(lambda: case.fit(case.data()))
    if not np.array_equal(again.theta, m.theta) or again.loglik != m.loglik:
        raise WrongError("a second fit differs from the first")


def _compared(m: Any, case: Case) -> None:
    for text in ("y ~ 1 + (1 | g)", "y ~ x + (1 | k)"):
        try:
            smaller = quietly(lambda t=text: interlace.lmer(t, case.data(), **case.given()))
        except interlace.InterlaceError:
            continue
        made = interlace.compare(smaller, m)
        finite("compare", made[["npar", "aic", "bic", "loglik", "deviance"]])
        finite("aic_table", interlace.aic_table(smaller, m)[["aic", "delta", "weight"]])
        if case.rng("bootstrap").random() < 0.1:
            finite("bootstrap", interlace.bootstrap_compare(m, smaller, n=3, seed=1).reference)
        return


def _hostile(m: Any, case: Case) -> Iterator[Question]:
    rng = case.rng("hostile")
    what, y = hostile_response(rng, m.nobs, NUMBERS)
    yield f"m.refit({what})", lambda: m.refit(y)
    what, contrast, rhs = hostile_contrast(rng, list(m.fixef.index))
    yield f"m.contrast_test({what})", lambda: m.contrast_test(contrast, rhs=rhs)
    yield from hostile_options(m, rng, 3)
