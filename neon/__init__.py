"""neon: explain fitted models by rewriting them as equivalent networks and propagating relevance through them."""

import importlib
from typing import TYPE_CHECKING, Any

from neon._version import __version__ as __version__

if TYPE_CHECKING:
    from neon import baselines, composites, evaluate, extend, nn, plots, rules, targets
    from neon.anomalies import explain_anomalies
    from neon.artifacts import project_out, replace_columns, spray
    from neon.clusters import explain_clusters
    from neon.converters import Network, load_model, neuralize, supported
    from neon.dependence import partial_dependence
    from neon.errors import UnknownOutputError, UnsupportedModelError, UnsupportedOperationError
    from neon.evaluate import tune
    from neon.explainer import Explainer, RelevanceTransformer, explain, summarize
    from neon.explanation import Explanation, concat
    from neon.lrp import LRP
    from neon.plots import RelevanceDisplay
    from neon.scale import explain_parquet
    from neon.shift import explain_shift

__all__ = [
    "LRP",
    "Explainer",
    "Explanation",
    "Network",
    "RelevanceDisplay",
    "RelevanceTransformer",
    "UnknownOutputError",
    "UnsupportedModelError",
    "UnsupportedOperationError",
    "baselines",
    "composites",
    "concat",
    "evaluate",
    "explain",
    "explain_anomalies",
    "explain_clusters",
    "explain_parquet",
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

# Where each name stands. Nothing is imported before it is used: torch alone takes seconds, which `neon --help` has not.
_HOMES = {
    "LRP": "lrp",
    "Explainer": "explainer",
    "Explanation": "explanation",
    "Network": "converters",
    "RelevanceDisplay": "plots",
    "RelevanceTransformer": "explainer",
    "UnknownOutputError": "errors",
    "UnsupportedModelError": "errors",
    "UnsupportedOperationError": "errors",
    "concat": "explanation",
    "explain": "explainer",
    "explain_anomalies": "anomalies",
    "explain_clusters": "clusters",
    "explain_parquet": "scale",
    "explain_shift": "shift",
    "load_model": "converters",
    "neuralize": "converters",
    "partial_dependence": "dependence",
    "project_out": "artifacts",
    "replace_columns": "artifacts",
    "spray": "artifacts",
    "summarize": "explainer",
    "supported": "converters",
    "tune": "evaluate",
}


def __getattr__(name: str) -> Any:
    """Names of `_HOMES` and modules of the package, imported when they are first used."""
    if name in _HOMES:
        value = getattr(importlib.import_module(f"neon.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    if not name.startswith("_"):
        try:
            return importlib.import_module(f"neon.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"neon.{name}":
                raise
    raise AttributeError(f"module 'neon' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
