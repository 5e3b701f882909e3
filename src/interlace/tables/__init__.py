"""Tables of results: pandas DataFrames that print whole, with a heading and the note that belongs to them."""
