"""`assayloop audit`: verify, replay, explain and report the history."""
