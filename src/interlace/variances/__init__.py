"""Floor 6: the covariance of the random effects as people read it."""
