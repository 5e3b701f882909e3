"""Tables of results: pandas DataFrames that print whole, with a heading and the note that belongs to them."""

from typing import TYPE_CHECKING

from interlace.later import modules_of

if not TYPE_CHECKING:
    __getattr__ = modules_of(__name__)
