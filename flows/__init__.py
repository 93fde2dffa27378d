"""Prefect shells around the loop: the only package that knows the engine."""

import os

# Prefect reports usage from the moment it is imported unless this says no; we never do.
os.environ["DO_NOT_TRACK"] = "1"
