"""Floor 5: rows and levels: conditional modes, predictions, residuals, simulated responses."""
