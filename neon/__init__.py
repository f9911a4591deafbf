"""neon: explain fitted models by rewriting them as equivalent networks and propagating relevance through them."""

import importlib
from typing import TYPE_CHECKING, Any

from neon import baselines, composites, extend, nn, rules, targets
from neon._version import __version__ as __version__
from neon.clusters import explain_clusters
from neon.converters import Network, load_model, neuralize, supported
from neon.errors import UnknownOutputError, UnsupportedModelError, UnsupportedOperationError
from neon.explainer import Explainer, explain, summarize
from neon.explanation import Explanation
from neon.lrp import LRP

if TYPE_CHECKING:
    from neon.artifacts import project_out, replace_columns, spray
    from neon.dependence import partial_dependence
    from neon.evaluate import tune
    from neon.shift import explain_shift

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
    "explain_shift",
    "extend",
    "load_model",
    "neuralize",
    "nn",
    "partial_dependence",
    "plots",
    "project_out",
    "replace_columns",
    "rules",
    "spray",
    "summarize",
    "supported",
    "targets",
    "tune",
]

_LAZY = {
    "explain_shift": "neon.shift",
    "project_out": "neon.artifacts",
    "replace_columns": "neon.artifacts",
    "partial_dependence": "neon.dependence",
    "spray": "neon.artifacts",
    "tune": "neon.evaluate",
}


def __getattr__(name: str) -> Any:
    """What is imported when it is first used: `neon.evaluate`, `neon.plots`, and single names of other packages."""
    if name in ("evaluate", "plots"):
        return importlib.import_module(f"neon.{name}")
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'neon' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
