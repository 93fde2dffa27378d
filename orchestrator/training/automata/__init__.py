"""Models of automata."""
