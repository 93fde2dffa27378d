"""The second door: what the world outside may send to us over HTTP."""
