"""Pictures of a campaign: figures from plain arrays, and what a surrogate believes over a plane."""
