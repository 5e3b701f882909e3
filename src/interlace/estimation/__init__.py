"""Theta to fit: cross-products, criterion, optimiser."""

from typing import TYPE_CHECKING

from interlace.later import modules_of

if not TYPE_CHECKING:
    __getattr__ = modules_of(__name__)
