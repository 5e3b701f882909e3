"""Messages of the library in words of the command line: ``vcov='CR2'`` is ``--vcov CR2`` in a shell."""

from __future__ import annotations

import re

from interlace.errors import FormulaError

OPTIONS = (
    "cluster", "contrasts", "ddf", "interval", "level", "new_levels", "random", "solver", "vcov", "weights",
)  # fmt: skip
_NAME = f"({'|'.join(OPTIONS)})"
_SAID = (
    (re.compile(r"\bcontrasts=\{'([^']*)': '?([^'}]*)'?\}"), r"--contrasts '\1=\2'"),
    (re.compile(rf"\b{_NAME}='([^']*)'"), r"--\1 \2"),
    (re.compile(rf"^{_NAME} '([^']*)'"), r"--\1 \2"),
    (re.compile(rf"\b{_NAME}=(?![\w'\"(\[{{=])"), r"--\1"),
    (re.compile(rf"\bleave {_NAME} out"), r"leave --\1 out"),
    (re.compile(rf"^{_NAME} must"), r"--\1 must"),
    (re.compile(r"\breml=False"), "--ml"),
)


def in_a_shell(error: Exception | Warning) -> str:
    """What an error or a warning says, with options as the command has them; formulas stay as they are.

    Examples
    --------
    >>> from interlace.errors import DataError
    >>> in_a_shell(DataError("write vcov='CR2' beside cluster= (there are CR0)"))
    'write --vcov CR2 beside --cluster (there are CR0)'
    >>> in_a_shell(DataError("write contrasts={'factor(x)': ...}"))
    "write --contrasts 'factor(x)=...'"
    """
    message = str(error)
    if isinstance(error, FormulaError):
        return message
    for pattern, words in _SAID:
        message = pattern.sub(words, message)
    return re.sub(rf"--{_NAME}\b", lambda found: found[0].replace("_", "-"), message)
