"""Floor 6: rows and levels: conditional modes, predictions, residuals, simulated responses."""
