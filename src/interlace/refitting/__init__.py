"""Floor 7: what runs the fit again."""
