"""neon: explain fitted models by rewriting them as equivalent networks and propagating relevance through them."""

from neon import baselines, nn
from neon.clusters import explain_clusters
from neon.converters import neuralize, supported
from neon.errors import UnsupportedModelError, UnsupportedOperationError
from neon.explainer import Explainer, explain
from neon.explanation import Explanation
from neon.lrp import LRP, composites, rules, targets

__all__ = [
    "LRP",
    "Explainer",
    "Explanation",
    "UnsupportedModelError",
    "UnsupportedOperationError",
    "baselines",
    "composites",
    "explain",
    "explain_clusters",
    "neuralize",
    "nn",
    "rules",
    "supported",
    "targets",
]
__version__ = "0.1.0"
