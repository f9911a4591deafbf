"""The errors that are neon's own; everything else raises Python's and scikit-learn's."""

from __future__ import annotations

__all__ = ["UnknownOutputError", "UnsupportedModelError", "UnsupportedOperationError"]


class UnsupportedModelError(TypeError):
    """A model, or a step inside a pipeline, that no converter rewrites as a network."""


class UnsupportedOperationError(NotImplementedError):
    """A torch operation on the way from the input to the output that has no relevance treatment."""


class UnknownOutputError(ValueError):
    """An ``output=`` that a model does not have."""
