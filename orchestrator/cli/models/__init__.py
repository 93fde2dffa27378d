"""`assayloop models` and `data`."""
