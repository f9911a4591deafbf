"""neon: explain fitted models by rewriting them as equivalent networks and propagating relevance through them."""

from neon import baselines, composites, extend, nn, rules, targets
from neon._version import __version__ as __version__
from neon.clusters import explain_clusters
from neon.converters import Network, neuralize, supported
from neon.errors import UnknownOutputError, UnsupportedModelError, UnsupportedOperationError
from neon.explainer import Explainer, explain
from neon.explanation import Explanation
from neon.lrp import LRP

__all__ = [
    "LRP",
    "Explainer",
    "Explanation",
    "Network",
    "UnknownOutputError",
    "UnsupportedModelError",
    "UnsupportedOperationError",
    "baselines",
    "composites",
    "explain",
    "explain_clusters",
    "extend",
    "neuralize",
    "nn",
    "rules",
    "supported",
    "targets",
]
