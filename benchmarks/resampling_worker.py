"""One question of the benchmark of resampling, answered by interlace in this process, as JSON.

    python resampling_worker.py PROBLEM PARQUET TASK OUT SECONDS SIZE WHOLE ENGINE

ENGINE "interlace" has one call for it; "rows" makes fits of rows, one after the other, as a user would
without that call. SIZE of WHOLE draws, folds or groups are done. OUT is written after the fit, after the
first answer and at the end. SECONDS bounds the time spent on repetitions.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from problems import Problem
from resampling_problems import RESPONSES
from worker import keep, timed, version_of

GROUPS, EFFECT = [8, 12, 16, 20, 24], {"Days": 4.0}  # of the simulations of power
SHOWN = 1000  # numbers that stand for the answer, where it has many more
NEW = 0.1  # share of rows of a group that the fit has not seen

Answer = dict[str, list[float]]
Work = tuple[Callable[[], Any], Callable[[Any], Answer]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A fitted model and what is asked of it.

    Attributes
    ----------
    problem : Problem
    data : DataFrame
    fit : Fit
    size, whole : int
        How much of it is done; 0 for what there is.
    how : str
        The task behind its hyphen.
    """

    problem: Problem
    data: Any
    fit: Any
    size: int
    whole: int
    how: str

    @property
    def model(self) -> Any:
        """One of its own each time, as a model remembers what it has computed."""
        import interlace

        return interlace.LinearMixedModel(self.fit)

    @property
    def group(self) -> str:
        return self.problem.random[0][1]

    @property
    def levels(self) -> Sequence[Any]:
        """The groups that are left out one by one."""
        found = self.data[self.group].unique()
        return found[: self.size] if self.size else found

    def share(self, engine: str) -> float:
        """How much of the work an engine does."""
        if engine == "rows":
            return len(self.levels) / self.data[self.group].nunique()
        return self.size / self.whole if self.whole else 1.0


def profile(asked: Asked) -> Work:
    def ends(table: Any) -> Answer:
        return {name: list(table[name]) for name in ("lower", "upper")}

    return lambda: asked.model.profile(n_jobs=-1, progress=False).confint(), ends


def bootstrap(asked: Asked) -> Work:
    def call() -> Any:
        return asked.model.bootstrap(asked.size, seed=1, n_jobs=-1, progress=False).summary()

    return call, lambda table: {"se": list(table["se"]), "n": [asked.size]}


def refit(asked: Asked) -> Work:
    return _responses(asked, "asymptotic", ("estimate", "se"), reml=False)


def tests(asked: Asked) -> Work:
    return _responses(asked, "satterthwaite", ("estimate", "se", "df"))


def _responses(asked: Asked, ddf: str, columns: Sequence[str], *, reml: bool | None = None) -> Work:
    given = asked.data[[f"r{j + 1}" for j in range(min(RESPONSES, asked.size))]].to_numpy()
    drawn = asked.model.simulate(max(asked.size - given.shape[1], 1), seed=1).to_numpy()
    Y = np.hstack([given, drawn])[:, : asked.size]
    shown = given.shape[1] * len(asked.fit.names)

    def answer(table: Any) -> Answer:
        fixed = table[table["effect"] == "fixed"].iloc[:shown]
        return {name: list(fixed[name]) for name in columns}

    return lambda: asked.model.refit(Y, reml=reml, ddf=ddf, n_jobs=-1, progress=False), answer


def predict(asked: Asked) -> Work:
    import pandas as pd

    rng = np.random.default_rng(1)
    g = rng.choice(asked.data[asked.group].unique(), asked.size)
    g[rng.random(asked.size) < NEW] = -1
    new = pd.DataFrame({"x": rng.normal(size=asked.size), asked.group: g})

    def call() -> Any:
        return asked.model.predict(new, interval="prediction", new_levels="population")

    return call, lambda table: {name: some(table[name]) for name in ("lower", "upper")}


def folds(asked: Asked) -> Work:
    def call() -> Any:
        return asked.model.cross_validate(asked.group, n_jobs=-1, progress=False).predictions

    return call, lambda table: {"predicted": list(table["predicted"])}


def folds_of_rows(asked: Asked) -> Work:
    import interlace

    groups = asked.data[asked.group]

    def call() -> Any:
        predicted = np.full(len(groups), np.nan)
        for level in asked.levels:
            held = (groups == level).to_numpy()
            one = interlace.lmer(asked.problem.formula, asked.data[~held])
            predicted[held] = one.predict(asked.data[held], new_levels="population")
        return predicted

    return call, lambda predicted: {"predicted": predicted[np.isfinite(predicted)].tolist()}


def power(asked: Asked) -> Work:
    import interlace

    def call() -> Any:
        return interlace.power(
            asked.model, effect=EFFECT, n_groups=GROUPS, n=asked.size, seed=1, n_jobs=-1, progress=False
        )

    return call, lambda found: {"power": list(found.table["power"]), "n": [asked.size]}


def influence(asked: Asked) -> Work:
    level, method = (None, "fixed") if asked.how == "row" else (asked.group, asked.how)

    def call() -> Any:
        return asked.model.influence(level, method=method, n_jobs=-1, progress=False)["cooksd"]

    return call, lambda d: {"cooksd": some(d) if level is None else list(d)}


def influence_of_rows(asked: Asked) -> Work:
    import interlace

    groups, fit = asked.data[asked.group], asked.fit
    precision, beta = np.linalg.inv(fit.vcov), fit.solution.beta

    def call() -> Any:
        found = []
        for level in asked.levels:
            without = interlace.lmer(asked.problem.formula, asked.data[groups != level])
            change = beta - without.fit.solution.beta
            found.append(change @ precision @ change / len(beta))
        return found

    return call, lambda found: {"cooksd": found}


def leverage(asked: Asked) -> Work:
    return lambda: asked.model.leverage()["overall"], lambda h: {"overall": some(h)}


WORK: dict[tuple[str, str], Callable[[Asked], Work]] = {
    ("interlace", work.__name__): work
    for work in (profile, bootstrap, refit, tests, predict, folds, power, influence, leverage)
}
WORK |= {("rows", "folds"): folds_of_rows, ("rows", "influence"): influence_of_rows}


def some(values: Any) -> list[float]:
    """Every k-th number, a thousand or so."""
    return list(np.asarray(values)[:: max(len(values) // SHOWN, 1)])


def prepare(asked: Asked, task: str, engine: str) -> Work:
    """The call that is timed, and what reads its answer."""
    return WORK[engine, task.partition("-")[0]](asked)


def main(name: str, parquet: str, task: str, out: str, seconds: str, size: str, whole: str, by: str) -> None:
    import pandas as pd
    from resampling_problems import BY_NAME

    import interlace

    known: dict[str, Any] = {"version": version_of("interlace")}
    data = pd.read_parquet(parquet)
    problem = BY_NAME[name]
    start = time.perf_counter()
    fit = interlace.lmer(problem.formula, data).fit
    known["fit"] = time.perf_counter() - start
    asked = Asked(problem, data, fit, int(size), int(whole), task.partition("-")[2])
    known["share"] = asked.share(by)
    keep(out, known)
    call, answer = prepare(asked, task, by)
    timed(call, answer, float(seconds), lambda found: keep(out, known | found))


if __name__ == "__main__":
    main(*sys.argv[1:])
