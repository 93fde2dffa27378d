"""`assayloop export` and `import`."""
