"""What was done and whether it still stands: verification, listings, the state in numbers."""
