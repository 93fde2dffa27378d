"""Whether the history is what was written: chains, tables, anchors, keys."""
