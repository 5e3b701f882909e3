"""Theta to fit: cross-products, criterion, optimiser."""
