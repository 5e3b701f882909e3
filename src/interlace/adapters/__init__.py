"""Models as other packages want to have them."""
