"""Keeping a whole database: copies, backups, restoring."""
