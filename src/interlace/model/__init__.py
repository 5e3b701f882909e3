"""Fitted models, by question; what only Gaussian models have stands in `linear`."""

from interlace.model.linear import LinearMixedModel

__all__ = ["LinearMixedModel"]
