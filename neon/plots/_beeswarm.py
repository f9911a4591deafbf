"""Beeswarm: the relevance of each feature in each sample."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from neon.explanation import Explanation
from neon.explanation.as_numbers import as_numbers
from neon.explanation.text import feature_order
from neon.plots._canvas import FAINT, axes, documented, label_x, magnitudes, name_features, padded, table_of, what
from neon.plots._colors import value_colors, value_scale

SPREAD, STEP, BINS = 0.42, 0.13, 120  # lines to either side, lines between two dots, piles along the axis


@documented
def beeswarm(
    explanation: Explanation, *, max_features: int = 10, ax: Axes | None = None, colorbar: bool = True
) -> Axes:
    """Draw one dot a sample and feature: at its relevance, coloured by the feature's value.

    Dots pile up where many have the same relevance. The other features are added up as a number on the last line.

    Parameters
    ----------
    {explanation}
    {max_features}
    {ax}
    colorbar : bool
        Whether to add the legend of feature values.

    {drawn}

    Notes
    -----
    Colours span the 5th to 95th percentile of each feature; strings and missing values are grey. Values of
    relevance that are not finite have no place on the axis and are left out.
    """
    explanation = table_of(explanation)
    values = explanation.values
    magnitude = magnitudes(values)
    shown, others = feature_order(magnitude, max_features)
    finite = values[:, shown][np.isfinite(values[:, shown])]
    low, high = padded(finite.min(initial=0.0), finite.max(initial=0.0), left=0.03, right=0.03)
    ax = axes(ax, lines=1.15 * (len(shown) + bool(others.size)))
    ax.axvline(0, **FAINT)
    for line, feature in enumerate(shown):
        ax.axhline(line, **FAINT | {"color": "0.85", "linestyle": ":"})
        dots = np.isfinite(values[:, feature])
        relevance = values[dots, feature]
        ax.scatter(
            relevance,
            line + _piles(relevance, low, high),
            s=14,
            c=value_colors(as_numbers(explanation.data[dots, feature])),
            linewidths=0,
            zorder=2,
            rasterized=len(relevance) > 1000,  # keeps vector files small
        )
    name_features(ax, explanation, shown, others, magnitude)
    ax.set_xlim(low, high)
    label_x(ax, f"relevance · {what(explanation)}")
    if colorbar:
        value_scale(ax, "feature value", shrink=min(1, 12 / len(shown)))
    return ax


def _piles(relevance: np.ndarray, low: float, high: float) -> np.ndarray:
    """How far each dot moves off its line: dots in one bin pile up, in turn below and above it."""
    bins = np.minimum(((relevance - low) / (high - low) * BINS).astype(int), BINS - 1)
    order = np.argsort(bins, kind="stable")
    counts = np.bincount(bins, minlength=BINS)
    rank = np.empty(len(bins), dtype=int)
    rank[order] = np.arange(len(bins)) - np.repeat(np.cumsum(counts) - counts, counts)
    place = np.where(rank % 2, -1, 1) * ((rank + 1) // 2)
    return place * min(STEP, SPREAD / np.abs(place).max(initial=1))
