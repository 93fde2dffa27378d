"""Commands that run, steer and list campaigns."""
