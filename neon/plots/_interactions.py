"""Interactions: how much features do together, and each by itself."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from neon.explanation import Explanation
from neon.explanation.export import pairs_of
from neon.explanation.text import elide_all, feature_order, number
from neon.plots._canvas import SMALL, color_scale, documented, figure, label_x, name_lines, table_of, what

# From white on: a magnitude has no sign, and so neither red nor blue.
MAGNITUDE_COLORS = LinearSegmentedColormap.from_list("neon_magnitude", ["#ffffff", "#882255"]).with_extremes(bad="0.85")
WRITTEN = 12  # features up to which numbers fit in the cells


@documented
def interactions(explanation: Explanation, *, max_features: int = 10, ax: Axes | None = None) -> Axes:
    """Draw the mean |interaction| of every two features, with the main effects on the diagonal.

    Parameters
    ----------
    explanation : Explanation
        Of one output per sample, with interactions: `neon.explain(model, X, interactions=True)`.
    max_features : int
        Features that are drawn, by mean |relevance|.
    {ax}

    {drawn}
        If there are no interactions.

    Notes
    -----
    As in `explanation.interactions`, half of the interaction of two features stands in each of their two cells.
    Samples that are not finite are left out.
    """
    explanation = table_of(explanation)
    pairs = pairs_of(explanation)
    if pairs.ndim > 3:
        raise ValueError("drawn are interactions of two features: ask for them by interactions=True, or 2")
    explanation = explanation[np.isfinite(pairs).all(axis=(1, 2))]
    pairs, count = pairs_of(explanation), max(len(explanation), 1)
    shown, others = feature_order(np.abs(explanation.values).sum(axis=0) / count, max_features)
    mean = np.abs(pairs[:, shown][:, :, shown]).sum(axis=0) / count  # (n_shown, n_shown)
    side = 2.6 + 0.46 * len(shown)
    ax = figure(side + 1.2, side) if ax is None else ax
    image = ax.imshow(mean, cmap=MAGNITUDE_COLORS, vmin=0.0, vmax=mean.max() or 1.0, interpolation="nearest")
    names = elide_all([explanation.feature_names[feature] for feature in shown])
    name_lines(ax, names)
    ax.set_ylim(len(shown) - 0.5, -0.5)
    ax.set_xticks(range(len(shown)), names, rotation=40, ha="right", rotation_mode="anchor", parse_math=False)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    if len(shown) <= WRITTEN:
        for (line, place), value in np.ndenumerate(mean):
            look = "white" if value > 0.6 * mean.max() else "0.1"
            ax.text(place, line, number(value), ha="center", va="center", fontsize=SMALL - 2, color=look)
    left_out = f" · without {others.size} other features" if others.size else ""
    label_x(ax, f"main effects on the diagonal · {what(explanation)}{left_out}", width=max(30, 7 * len(shown)))
    color_scale(ax, image, "mean |interaction|")
    return ax
