"""An accumulator whose process is killed in the midst of an update, as where memory runs out."""

from __future__ import annotations

import os
from pathlib import Path
from signal import SIGKILL
from typing import Any

from interlace import Accumulator

FOLDER = "INTERLACE_TESTS_DYING"  # in the environment of the workers
ALWAYS = "always"  # a file there that says that no second attempt succeeds


class Dying(Accumulator):
    """In each pass the worker that looks at partition 1 dies, after it took up its rows."""

    __slots__ = ()

    def _changed(self, **changes: Any) -> Dying:
        found: Any = super()._changed(**changes)
        found.__class__ = Dying
        return found  # type: ignore[no-any-return]

    def update(self, batch: Any, *, name: str | None = None) -> Accumulator:
        found = super().update(batch, name=name)
        folder = Path(os.environ[FOLDER])
        mark = folder / self.stage
        if name in ("partition 1", "block 1") and ((folder / ALWAYS).exists() or not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), SIGKILL)
        return found
