"""Models of the measures: what a proposer asks before it picks points."""
