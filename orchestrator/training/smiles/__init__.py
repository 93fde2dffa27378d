"""Models of molecules as one-hot SMILES."""
