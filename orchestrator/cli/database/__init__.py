"""`assayloop db`."""
