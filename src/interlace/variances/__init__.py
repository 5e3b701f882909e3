"""Floor 6: the covariance of the random effects as people read it."""

from typing import TYPE_CHECKING

from interlace.later import modules_of

if not TYPE_CHECKING:
    __getattr__ = modules_of(__name__)
