"""Models of a noisy curve in the plane."""
