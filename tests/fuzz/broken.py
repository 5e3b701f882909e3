"""Cases that never end and that end the process, to see that the fuzzer notices."""

from __future__ import annotations

import os
from typing import Any

from fuzz.case import Case


class Hanging(Case):
    """Its fit never ends."""

    __slots__ = ()

    def fit(self, data: Any) -> Any:
        while True:
            pass


class Dying(Case):
    """Its fit ends the process."""

    __slots__ = ()

    def fit(self, data: Any) -> Any:
        os._exit(3)
