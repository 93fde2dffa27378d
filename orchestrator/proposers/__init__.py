"""Strategies that pick points, and the registry that finds them and the surrogates."""
