"""Colours, on light and dark: of relevance, red positive and blue negative; of feature values; of groups; of text."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, ListedColormap, to_hex, to_rgb

from neon.explanation.as_numbers import date_at, in_words
from neon.explanation.text import BLUE, GREY, RED

# 257 colours: with symmetrical limits, zero falls on the middle one, white. What is no number is grey.
RELEVANCE_COLORS = LinearSegmentedColormap.from_list(
    "neon_relevance", ["#0d2c54", BLUE, "#ffffff", RED, "#5c0a14"], N=257
).with_extremes(bad="0.85")
# On a dark background zero is black, and what is strong is light.
_RELEVANCE_ON_DARK = LinearSegmentedColormap.from_list(
    "neon_relevance_on_dark", ["#a9d3ff", BLUE, "#000000", RED, "#ffb9b0"], N=257
).with_extremes(bad="0.4")
# A magnitude has no sign, and so neither red nor blue.
_MAGNITUDE = LinearSegmentedColormap.from_list("neon_magnitude", ["#ffffff", "#882255"]).with_extremes(bad="0.85")
_MAGNITUDE_ON_DARK = LinearSegmentedColormap.from_list("neon_magnitude_on_dark", ["#000000", "#f0a6cd"]).with_extremes(
    bad="0.4"
)
# Red and blue mean the sign of relevance everywhere: feature values take other colours, without pale yellow.
VALUE_COLORS = ListedColormap(mpl.colormaps["viridis"](np.linspace(0.0, 0.93, 256)), "neon_value")
_VALUE_ON_DARK = ListedColormap(mpl.colormaps["viridis"](np.linspace(0.3, 1.0, 256)), "neon_value_on_dark")
# Groups get colours that mean no sign, neither red nor blue, of P. Tol's palettes for all kinds of sight.
GROUP_COLORS = ("#117733", "#ddcc77", "#aa4499", "#44aa99", "#332288", "#999933", "#882255", "#88ccee")
_GROUPS_ON_DARK = ("#44bb99", "#eedd88", "#cc88dd", "#bbcc33", "#ffaabb", "#aaaa00", "#dddddd", "#99ddff")


def on_dark() -> bool:
    """Whether the style's background is a dark one."""
    return luminance(mpl.rcParams["axes.facecolor"]) < 0.5


def ink(strength: float = 1.0) -> str:
    """The style's colour of text, or a fainter one: so much of it over the background."""
    text, ground = (np.array(to_rgb(mpl.rcParams[name])) for name in ("text.color", "axes.facecolor"))
    return to_hex(tuple(strength * text + (1 - strength) * ground))


def ink_on(color: Any) -> str:
    """The colour of text that can be read on a colour."""
    return "white" if luminance(color) < 0.5 else "#1a1a1a"


def luminance(color: Any) -> float:
    """How light a colour looks, from 0 for black to 1 for white."""
    return float(np.dot(to_rgb(color), (0.3, 0.59, 0.11)))


def relevance_colors() -> Colormap:
    """Red and blue, from the style's background on."""
    return _RELEVANCE_ON_DARK if on_dark() else RELEVANCE_COLORS


def magnitude_colors() -> Colormap:
    """One colour, from the style's background on."""
    return _MAGNITUDE_ON_DARK if on_dark() else _MAGNITUDE


def value_range(feature: np.ndarray) -> tuple[float, float]:
    """From the 5th to the 95th percentile of the known values; all of them where these are the same; NaN for none."""
    known = feature[np.isfinite(feature)]
    if not known.size:
        return np.nan, np.nan
    low, high = np.percentile(known, [5, 95])
    # A rare feature is mostly zeros.
    return (low, high) if low < high else (known.min(), known.max())


def value_colors(feature: np.ndarray) -> np.ndarray:
    """Colours of a feature's values (n_samples,) over its `value_range`, (n_samples, 4); NaN is grey."""
    known = np.isfinite(feature)
    colors = np.empty((len(feature), 4))
    colors[:] = mpl.colors.to_rgba(GREY)
    if known.any():
        low, high = value_range(feature)
        scaled = (feature[known] - low) / (high - low) if high > low else np.full(known.sum(), 0.5)
        colors[known] = _values()(np.clip(scaled, 0.0, 1.0))
    return colors


def value_scale(ax: Axes, name: str, feature: np.ndarray | None = None, *, dates: bool = False) -> None:
    """Add the legend of feature values beside the axes: the numbers of one feature, low and high of several."""
    low, high = (np.nan, np.nan) if feature is None else value_range(feature)
    bar = ax.figure.colorbar(ScalarMappable(cmap=_values()), ax=ax, aspect=40, pad=0.02, ticks=[0, 1], shrink=0.9)
    ticks = [0.0, 1.0]
    if np.isnan(low):
        ends = ["low", "high"]
    elif dates:
        ends = [in_words(date_at(end)).split(" ")[0] for end in (low, high)]
    else:
        ends = [f"{end:.4g}".replace("-", "−") for end in (low, high)]
    if low == high:
        ticks, ends = [0.5], ends[:1]
    bar.ax.set_yticks(ticks, ends, parse_math=False)
    bar.ax.tick_params(length=0)
    # Between the two, or else beside a single one.
    bar.ax.set_ylabel(name, labelpad=-8 if feature is None else 2, parse_math=False)
    bar.outline.set_visible(False)


def group_color(place: int, count: int) -> str:
    """The colour of one of several groups."""
    palette = _GROUPS_ON_DARK if on_dark() else GROUP_COLORS
    return palette[place] if count <= len(palette) else to_hex(_values()(place / (count - 1)))


def _values() -> ListedColormap:
    return _VALUE_ON_DARK if on_dark() else VALUE_COLORS
