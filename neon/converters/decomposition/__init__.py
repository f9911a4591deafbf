"""PCA and other decompositions: new columns out of all columns."""
