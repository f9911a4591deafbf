"""``Explainer(model)(X)``: from a fitted model and rows to an `Explanation`."""

from neon.explainer.explainer import Explainer, explain
from neon.explainer.summarize import summarize

__all__ = ["Explainer", "explain", "summarize"]
