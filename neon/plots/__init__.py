"""Plots of explanations: bar, beeswarm, waterfall, heatmap, scatter, interactions, of tokens, of partial dependence.

Red is positive relevance, blue is negative. Samples that explain different outputs are drawn apart, or each in its
output's colour: what speaks for one speaks against another.

Each takes an explanation (`heatmap` also an array, `tokens` words and their relevance,
`dependence` what `neon.partial_dependence` gives) and `ax=None`, draws and
returns the axes; none shows a window or changes matplotlib's settings. matplotlib is imported at first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neon.plots._bar import bar
    from neon.plots._beeswarm import beeswarm
    from neon.plots._dependence import dependence
    from neon.plots._display import RelevanceDisplay
    from neon.plots._grid import images
    from neon.plots._heatmap import heatmap
    from neon.plots._interactions import interactions
    from neon.plots._scatter import scatter
    from neon.plots._tokens import tokens
    from neon.plots._tokens_html import tokens_html
    from neon.plots._waterfall import waterfall

_MODULES = {name: f"_{name}" for name in ("bar", "beeswarm", "dependence", "heatmap", "interactions", "scatter")}
_MODULES |= {"images": "_grid", "tokens": "_tokens", "tokens_html": "_tokens_html", "waterfall": "_waterfall"}
_MODULES |= {"RelevanceDisplay": "_display"}

__all__ = [
    "RelevanceDisplay",
    "bar",
    "beeswarm",
    "dependence",
    "heatmap",
    "images",
    "interactions",
    "scatter",
    "tokens",
    "tokens_html",
    "waterfall",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"neon.plots.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
