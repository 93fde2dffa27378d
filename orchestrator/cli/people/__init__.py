"""`assayloop account`, `login`, `logout` and `sign`."""
