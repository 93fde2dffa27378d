"""The history as lists, tables and figures, now or as it stood."""
