"""Data sets, recipes, the trainer and the figures behind the shipped models."""
