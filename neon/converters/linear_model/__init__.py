"""Linear models and what stands on them: isotonic regression, cross-decomposition, multi-layer perceptrons."""

from neon.converters.linear_model import cross_decomposition, isotonic, linear, mlp

__all__ = ["cross_decomposition", "isotonic", "linear", "mlp"]
