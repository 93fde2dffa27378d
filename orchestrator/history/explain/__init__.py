"""Why a candidate was made, on what, and what became of it."""
