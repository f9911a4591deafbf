"""The errors that are neon's own; everything else raises Python's and scikit-learn's."""

from __future__ import annotations

__all__ = ["UnknownOutputError", "UnsupportedModelError", "UnsupportedOperationError", "no_relu_form"]


class UnsupportedModelError(TypeError):
    """A model, or a step inside a pipeline, that no converter rewrites as a network.

    Attributes
    ----------
    path : str
        Where the step stands, as in ``"pipeline/svc"``; empty for the model itself.
    """

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class UnsupportedOperationError(NotImplementedError):
    """A torch operation on the way from the input to the output that has no relevance treatment."""


class UnknownOutputError(ValueError):
    """An ``output=`` that a model does not have."""


def no_relu_form(why: str) -> ValueError:
    """What to raise where a model, or a layer, is no network of Linear and ReLU alone."""
    return ValueError(f"{why}: there is no exact ReLU form")
