"""Floor 5: how well beta is known: degrees of freedom and covariances."""
