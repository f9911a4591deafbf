"""``Explainer(model)(X)``: from a fitted model and rows to an `Explanation`."""

from neon.explainer.explainer import Explainer, explain

__all__ = ["Explainer", "explain"]
