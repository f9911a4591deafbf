"""Colours: of relevance, red positive and blue negative; of feature values, from low to high; of groups."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, ListedColormap

from neon.explanation.text import BLUE, GREY, RED

# 257 colours: with symmetrical limits, zero falls on the middle one, white. What is no number is grey.
RELEVANCE_COLORS = LinearSegmentedColormap.from_list(
    "neon_relevance", ["#0d2c54", BLUE, "#ffffff", RED, "#5c0a14"], N=257
).with_extremes(bad="0.85")
# Red and blue mean the sign of relevance everywhere: feature values take other colours, without pale yellow.
VALUE_COLORS = ListedColormap(mpl.colormaps["viridis"](np.linspace(0.0, 0.93, 256)), "neon_value")
# Groups get colours that mean no sign, neither red nor blue, of P. Tol's palette for all kinds of sight.
GROUP_COLORS = ("#117733", "#ddcc77", "#aa4499", "#44aa99", "#332288", "#999933", "#882255", "#88ccee")


def value_colors(feature: np.ndarray) -> np.ndarray:
    """Colours of a feature's values (n_samples,) from the 5th to the 95th percentile, (n_samples, 4); NaN is grey."""
    known = np.isfinite(feature)
    colors = np.empty((len(feature), 4))
    colors[:] = mpl.colors.to_rgba(GREY)
    if known.any():
        low, high = np.percentile(feature[known], [5, 95])
        if low == high:  # a rare feature: mostly zeros
            low, high = feature[known].min(), feature[known].max()
        scaled = (feature[known] - low) / (high - low) if high > low else np.full(known.sum(), 0.5)
        colors[known] = VALUE_COLORS(np.clip(scaled, 0.0, 1.0))
    return colors


def value_scale(ax: Axes, name: str, *, shrink: float = 1.0) -> None:
    """Add the legend of feature values beside the axes."""
    bar = ax.figure.colorbar(ScalarMappable(cmap=VALUE_COLORS), ax=ax, aspect=40, pad=0.02, ticks=[0, 1], shrink=shrink)
    bar.ax.set_yticklabels(["low", "high"])
    bar.ax.tick_params(length=0)
    bar.ax.set_ylabel(name, labelpad=-8, parse_math=False)
    bar.outline.set_visible(False)


def group_color(place: int, count: int) -> str:
    """The colour of one of several groups."""
    if count <= len(GROUP_COLORS):
        return GROUP_COLORS[place]
    return mpl.colors.to_hex(VALUE_COLORS(place / (count - 1)))
