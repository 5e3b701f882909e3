"""What the library says of its work through `logging`, under the name "interlace"; nothing is printed.

``logging.basicConfig(level="INFO")`` shows it; a library says nothing by itself.
"""

from __future__ import annotations

import logging

LOGGER = logging.getLogger("interlace")
LOGGER.addHandler(logging.NullHandler())


def info(message: str, *values: object) -> None:
    """A step of the work that is done."""
    LOGGER.info(message, *values)
