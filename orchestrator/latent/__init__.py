"""Where candidates live: spaces, their models, and the registry that finds both."""
