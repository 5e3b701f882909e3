"""One file per engine. Each has

DISTRIBUTION       the name of its distribution on PyPI
cannot_express(p)  why problem `p` is outside what it can express, or None
prepare(p, data)   a function without arguments: the whole call, formula and data frame to fitted model
answer(fit)        {"criterion": -2 REML log likelihood, "sigma": float, "beta": [...], "se": [...] or None}

`data` is a pandas data frame; an engine made for another library converts it in `prepare`, outside the
time taken.
"""
