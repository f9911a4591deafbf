"""Linear models and what stands on them: isotonic regression, cross-decomposition, multi-layer perceptrons."""
