"""Values as files that hold no code: JSON and arrays of numbers in a zip archive."""

from typing import TYPE_CHECKING

from interlace.later import modules_of

if not TYPE_CHECKING:
    __getattr__ = modules_of(__name__)
