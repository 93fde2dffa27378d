"""Whether a stored proposal comes out again, from the data, model and stream on record."""
