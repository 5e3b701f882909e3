"""Floor 5: what speaks of beta, of the variance components and of the likelihood."""
