"""``Explainer(model)(X)``: from a fitted model and rows to an `Explanation`."""

from neon.explainer.explainer import Explainer, explain
from neon.explainer.summarize import summarize
from neon.explainer.transformer import RelevanceTransformer

__all__ = ["Explainer", "RelevanceTransformer", "explain", "summarize"]
