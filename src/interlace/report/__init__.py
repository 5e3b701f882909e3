"""Floor 7: answers into words and tables."""
