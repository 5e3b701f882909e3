"""The model that a file holds."""

from __future__ import annotations

import os
from typing import Any

from interlace.model.choice import Choice
from interlace.model.least import LinearModel
from interlace.model.linear import LinearMixedModel
from interlace.storage.archive import load as read


def load(path: str | os.PathLike[str]) -> LinearMixedModel | LinearModel:
    """A model that was saved by `m.save(path)`; files of earlier versions are read too.

    The file holds no code, and none is run: it names values of this library, which are looked up, and holds
    numbers and text.

    Parameters
    ----------
    path : path

    Returns
    -------
    LinearMixedModel or LinearModel

    Raises
    ------
    DataError
        There is no such file, or it may not be read.
    SavingError
        It is no file of interlace, is damaged, or was written by a newer version.

    Examples
    --------
    >>> import interlace, tempfile
    >>> m = interlace.lmer("Reaction ~ Days + (Days | Subject)", interlace.datasets.load("sleepstudy"))
    >>> m.save(f"{tempfile.mkdtemp()}/sleep.interlace")
    >>> path = f"{tempfile.mkdtemp()}/small.interlace"
    >>> m.save(path, rows=False)
    >>> interlace.load(path).predict({"Days": [10], "Subject": ["308"]}).round(2)
    array([450.33])
    """
    return read(path, _model)


def _model(parts: dict[str, Any]) -> LinearMixedModel | LinearModel:
    if parts["kind"] == "linear":
        choice = Choice(parts["fit"], *parts["choice"])
        return LinearModel(parts["fit"], choice, parts["asked"], parts["handed"])
    model: LinearMixedModel = LinearMixedModel._holding(parts["fit"], parts["asked"], parts["handed"])
    return model
