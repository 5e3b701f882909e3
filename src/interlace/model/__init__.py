"""Fitted models, by question; what only Gaussian models have stands in `linear`."""

from typing import TYPE_CHECKING

from interlace.later import modules_of
from interlace.model.linear import LinearMixedModel

if not TYPE_CHECKING:
    __getattr__ = modules_of(__name__)

__all__ = ["LinearMixedModel"]
