"""Floor 6: what is asked of beta."""
