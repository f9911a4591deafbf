"""neon: explain fitted models by rewriting them as equivalent networks and propagating relevance through them."""

import importlib
from typing import Any

from neon import baselines, composites, extend, nn, rules, targets
from neon._version import __version__ as __version__
from neon.clusters import explain_clusters
from neon.converters import Network, neuralize, supported
from neon.errors import UnknownOutputError, UnsupportedModelError, UnsupportedOperationError
from neon.explainer import Explainer, explain, summarize
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
    "evaluate",
    "explain",
    "explain_clusters",
    "extend",
    "neuralize",
    "nn",
    "plots",
    "rules",
    "summarize",
    "supported",
    "targets",
    "tune",
]


def __getattr__(name: str) -> Any:
    """`neon.evaluate`, `neon.plots` and `neon.tune`, imported when they are first used."""
    if name in ("evaluate", "plots"):
        return importlib.import_module(f"neon.{name}")
    if name == "tune":
        return importlib.import_module("neon.evaluate").tune
    raise AttributeError(f"module 'neon' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
