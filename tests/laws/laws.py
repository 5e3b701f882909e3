"""The same model said in another way gives the same numbers: one function for each way.

Each takes a drawn model, its fit and a generator, and raises `BrokenError` where an answer differs.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from drawn.grouping import Rng
from drawn.model import Model
from interlace.errors import ModelError
from laws.comparing import BrokenError, close, criteria, same_fit, same_fixef, same_rows, spread, used_rows

GROUPS = ("g", "a", "b", "c", "d")
Law = Callable[[Model, Any, Rng], None]


# --- order and names -----------------------------------------------------------------------------------


def order_of_rows(model: Model, m: Any, rng: Rng) -> None:
    shuffled = model.fit(model.frame.iloc[rng.permutation(len(model.frame))])
    same_fit("rows in another order", m, shuffled)
    back = pd.Series(np.asarray(shuffled.fitted), index=shuffled.fitted.index).reindex(m.fitted.index)
    close("rows in another order: fitted", back, m.fitted, 1e-4, spread(m))


def names_of_levels(model: Model, m: Any, rng: Rng) -> None:
    frame = model.frame
    for name in (name for name in GROUPS if name in model.columns):
        if not re.search(rf"\b{name}\b", model.fixed):
            values = pd.unique(frame[name].dropna())
            new = dict(zip(values, [f"q{j:03d}" for j in rng.permutation(len(values))], strict=True))
            frame[name] = [None if pd.isna(v) else new[v] for v in frame[name]]
    other = model.fit(frame)
    same_fit("other names of levels", m, other)
    same_rows("other names of levels", m, other)


def order_of_random_terms(model: Model, m: Any, rng: Rng) -> None:
    terms = " + ".join(str(term) for term in rng.permutation(model.random))
    other = model.fit(formula=f"y ~ {model.fixed} + {terms}")
    same_fit("random terms in another order", m, other)
    same_rows("random terms in another order", m, other)


def order_of_levels_and_codings(model: Model, m: Any, rng: Rng) -> None:
    bare = [name for name in ("f", "h") if re.search(rf"(?<![(\w]){name}\b", model.fixed)]
    if not bare or "C(" in model.fixed or "relevel" in model.fixed:
        return
    frame = model.frame
    for name in bare:
        frame[name] = frame[name].cat.reorder_categories(list(rng.permutation(frame[name].cat.categories)))
    others = {
        "levels in another order": model.fit(frame),
        "sum contrasts": model.fit(contrasts=dict.fromkeys(bare, "sum")),
        "helmert contrasts": model.fit(contrasts=dict.fromkeys(bare, "helmert")),
    }
    if any(re.search(rf"\b{name}\b", " ".join(model.random)) for name in bare):
        del others["sum contrasts"], others["helmert contrasts"]  # of fixed and random terms alike, or not
    for what, other in others.items():
        same_rows(what, m, other)
        close(f"{what}: sigma", other.sigma, m.sigma, 1e-5, m.sigma)
        _same_anova(what, model, m, other)


def _same_anova(what: str, model: Model, m: Any, other: Any) -> None:
    whole = "Intercept" in m.fixef and not m.fit.dropped  # "(f + h - 1)^2" has none either
    for kind in (1, 2, 3) if whole else (1,):
        a, b = m.anova(type=kind), other.anova(type=kind)
        close(f"{what}: type {kind} num_df", b["num_df"], a["num_df"], 1e-9)
        close(f"{what}: type {kind} F", b["F"], a["F"], 1e-3, np.maximum(1.0, np.abs(a["F"])))


def nesting_written_out(model: Model, m: Any, rng: Rng) -> None:
    terms = [re.match(r"\((.*) \| a/b\)$", term) for term in model.random]
    if not any(terms):
        return
    texts = [
        f"({t[1]} | a) + ({t[1]} | a:b)" if t else text for t, text in zip(terms, model.random, strict=True)
    ]
    same_fit("a/b written out", m, model.fit(formula=f"y ~ {model.fixed} + {' + '.join(texts)}"))
    frame = model.frame
    frame["ab"] = [
        None if pd.isna(a) or pd.isna(b) else f"{a}|{b}" for a, b in zip(frame["a"], frame["b"], strict=True)
    ]
    texts = [text.replace("a:b", "ab") for text in texts]
    same_fit("a:b as a column", m, model.fit(frame, formula=f"y ~ {model.fixed} + {' + '.join(texts)}"), 1e-4)


# --- units and origins ---------------------------------------------------------------------------------


def unit_of_the_response(model: Model, m: Any, rng: Rng) -> None:
    if model.offset:
        return
    c = 10.0 ** rng.uniform(-8, 8)
    other = model.fit(model.frame.assign(y=model.frame["y"] * c))
    df = m.nobs - model.reml * len(m.fixef)
    criteria(f"y * {c:.3g}", m, other, 2 * df * np.log(c))
    same_fixef(f"y * {c:.3g}", m, other, 1e-3, unit=c)
    close(f"y * {c:.3g}: sigma", other.sigma / c, m.sigma, 1e-5, m.sigma)
    if not m.is_singular:
        a, b = m.coef_table()["df"], other.coef_table()["df"]
        close(f"y * {c:.3g}: df", b, a, 1e-2, a.to_numpy())


def origin_of_the_response(model: Model, m: Any, rng: Rng) -> None:
    if model.fixed.startswith("0") or "1" in m.fit.dropped:
        return
    c = spread(m) * rng.choice([10.0, -1e3, 1e5])
    other = model.fit(model.frame.assign(y=model.frame["y"] + c))
    criteria(f"y + {c:.3g}", m, other, tolerance=1e-4)
    close(f"y + {c:.3g}: fitted", np.asarray(other.fitted) - c, m.fitted, 1e-4, spread(m))
    robust, again = robust_se(m), robust_se(other)
    close(f"y + {c:.3g}: CR0", again[1:], robust[1:], 1e-3, m.se.to_numpy()[1:])


def unit_of_a_predictor(model: Model, m: Any, rng: Rng) -> None:
    if re.search(r"I\(x|exp\(|pmin\(x", model.formula):
        return
    c = 10.0 ** rng.uniform(-5, 5)
    frame = model.frame
    frame["x"], frame["dup"] = frame["x"] * c, frame["dup"] * c
    other = model.fit(frame)
    close(f"x * {c:.3g}: sigma", other.sigma, m.sigma, 1e-5, m.sigma)
    same_rows(f"x * {c:.3g}", m, other)
    if not model.reml:
        criteria(f"x * {c:.3g}", m, other)
    if m.is_singular != other.is_singular:
        raise BrokenError(f"x * {c:.3g}: one fit is singular, the other is not")
    a, b = m.anova(type=2)["F"], other.anova(type=2)["F"]
    close(f"x * {c:.3g}: type 2 F", b, a, 1e-3, np.maximum(1.0, np.abs(a)))
    shares = [list(fit.r2().values()) for fit in (m, other)]
    close(f"x * {c:.3g}: r2", shares[1], shares[0], 1e-5)


def unit_of_the_weights(model: Model, m: Any, rng: Rng) -> None:
    if model.weights is None:
        return
    c = 10.0 ** rng.uniform(-4, 4)
    other = model.fit(model.frame.assign(w=model.frame["w"] * c))
    criteria("weights in another unit", m, other)
    close("weights in another unit: sigma", other.sigma, m.sigma * np.sqrt(c), 1e-5, other.sigma)
    close("weights in another unit: se", other.se, m.se, 1e-4, m.se.to_numpy())


def weights_of_one(model: Model, m: Any, rng: Rng) -> None:
    if model.weights is None:
        same_fit("weights of one", m, model.fit(weights=np.ones(len(model.frame))))


# --- the same answers later ----------------------------------------------------------------------------


def prediction_of_the_data(model: Model, m: Any, rng: Rng) -> None:
    frame, rows = model.frame, used_rows(m)
    known = np.asarray(m.predict(frame, new_levels="population"), dtype=float)
    close("predict(data)", known[rows], m.fitted, 1e-9, spread(m))
    some = rng.permutation(len(frame))[: max(2, len(frame) // 3)]
    close(
        "predict(some rows)",
        m.predict(frame.iloc[some], new_levels="population"),
        known[some],
        1e-9,
        spread(m),
    )
    one = [int(rows[0])]
    close("predict(one row)", m.predict(frame.iloc[one]), known[one], 1e-9, spread(m))
    close("predict(no rows)", m.predict(frame.iloc[:0]), np.zeros(0), 0.0)
    fixed = np.asarray(m.predict(random="none"))
    parts = sum(np.asarray(m.predict(random=[group])) - fixed for group in m.ranef())
    close("the parts add up", parts + fixed, m.fitted, 1e-9, spread(m))


def refits(model: Model, m: Any, rng: Rng) -> None:
    same_fit("refit(y)", m, m.refit(np.asarray(m.fit.design.y)), 1e-4)
    same_fit("refit(reml=)", model.fit(reml=not model.reml), m.refit(reml=not model.reml), 1e-4)
    new = rng.permutation(np.asarray(m.fit.design.y))
    y = model.frame["y"].to_numpy(dtype=float, copy=True)
    y[used_rows(m)] = new
    criteria("refit(another y)", model.fit(model.frame.assign(y=y)), m.refit(new))


def pickles(model: Model, m: Any, rng: Rng) -> None:
    other = pickle.loads(pickle.dumps(m))
    if str(other.summary()) != str(m.summary()):
        raise BrokenError("the summary of an unpickled model differs")
    predicted = [fit.predict(model.frame, new_levels="population") for fit in (other, m)]
    close("predict of an unpickled model", *predicted, 0.0)


def complete_cases(model: Model, m: Any, rng: Rng) -> None:
    if m.fit.design.kept is not None:
        same_fit("without the rows with missing values", m, model.fit(model.frame.iloc[used_rows(m)]), 1e-9)


def threads(model: Model, m: Any, rng: Rng) -> None:
    same_fit("two threads", m, model.fit(n_jobs=2), 1e-9)


def the_callers_table_is_not_the_models(model: Model, m: Any, rng: Rng) -> None:
    frame, arrays = model.frame, {name: column.pandas() for name, column in model.columns.items()}
    fits = model.fit(frame), model.fit(arrays)
    before = [_later(fit, model) for fit in fits]
    for name, values in arrays.items():
        frame.loc[:, name] = list(frame[name])[::-1]
        values[:] = values[::-1].copy()
    for fit, then in zip(fits, before, strict=True):
        for a, b in zip(then, _later(fit, model), strict=True):
            close("after the caller's table changed", b, a, 0.0)


def _later(m: Any, model: Model) -> tuple[Any, ...]:
    """Answers for which the rows are read again."""
    return m.residuals(), robust_se(m), m.refit(reml=not model.reml).fixef, m.predict()


def robust_se(m: Any) -> np.ndarray:
    """Of CR0; zeros where crossed factors leave no clusters."""
    try:
        return np.sqrt(np.diagonal(m.vcov("CR0")))
    except ModelError:
        return np.zeros(len(m.fixef))


# --- tables agree with each other ----------------------------------------------------------------------


def tables(model: Model, m: Any, rng: Rng) -> None:
    table = m.coef_table()
    each = m.contrast_test(np.eye(len(table))).rows
    for column in ("estimate", "se", "df", "t", "p"):
        close(
            f"contrast_test: {column}",
            each[column],
            table[column],
            1e-9,
            np.maximum(1.0, np.abs(table[column])),
        )
    close("vcov", np.sqrt(np.diagonal(m.vcov())), m.se, 1e-12, m.se.to_numpy())
    for group, effects in m.ranef().items():
        for name in effects.columns.unique():
            own = effects[name] if effects[name].ndim == 1 else effects[name].sum(axis=1)
            base = m.fixef.get(name, 0.0)
            close(f"coef of {group}: {name}", m.coef()[group][name], own + base, 1e-9, 1 + abs(base))
    y = m.fit.design.y
    close("fitted + residuals", np.asarray(m.fitted) + np.asarray(m.residuals()), y, 1e-11, np.abs(y).max())
    close("aic", m.aic, -2 * m.loglik + 2 * (m.nobs - m.df_resid), 1e-8, abs(m.aic))


def simulated_moments(model: Model, m: Any, rng: Rng) -> None:
    """Simulated responses have the mean and the variance of the model, to five standard errors."""
    n, count = m.nobs, 2000
    draws = np.asarray(m.simulate(count, seed=5))
    weights = m.fit.design.weights
    V = np.diag(m.sigma**2 / (np.ones(n) if weights is None else weights))
    for rows, T in zip(m.fit.design.random, m.fit.solution.factors, strict=True):
        zT = m.sigma * rows.z @ T
        V = V + (zT @ zT.T) * (rows.codes[:, None] == rows.codes[None, :])
    mean = np.asarray(m.predict(random="none"))
    for a in rng.normal(size=(3, n)):
        s, v = a @ draws, float(a @ V @ a)
        close("mean of simulations", s.mean(), a @ mean, 5.0, np.sqrt(v / count))
        close("variance of simulations", s.var(ddof=1), v, 5.0, v * np.sqrt(2 / count))


LAWS: dict[str, Law] = {
    law.__name__: law
    for law in (
        order_of_rows,
        names_of_levels,
        order_of_random_terms,
        order_of_levels_and_codings,
        nesting_written_out,
        unit_of_the_response,
        origin_of_the_response,
        unit_of_a_predictor,
        unit_of_the_weights,
        weights_of_one,
        prediction_of_the_data,
        refits,
        pickles,
        complete_cases,
        threads,
        the_callers_table_is_not_the_models,
        tables,
        simulated_moments,
    )
}
