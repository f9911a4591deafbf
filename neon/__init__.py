"""neon: explain fitted models by rewriting them as equivalent networks and propagating relevance through them."""

from neon.errors import UnsupportedModelError, UnsupportedOperationError
from neon.lrp import LRP, composites, rules

__all__ = [
    "LRP",
    "UnsupportedModelError",
    "UnsupportedOperationError",
    "composites",
    "rules",
]
__version__ = "0.1.0"
