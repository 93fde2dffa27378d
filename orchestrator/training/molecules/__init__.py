"""Models of molecules as SELFIES, their data, figures and comparison with MOSES."""
