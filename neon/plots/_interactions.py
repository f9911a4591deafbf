"""Interactions: how much features do together, and each by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from neon.explanation import Explanation
from neon.explanation.export import pairs_of
from neon.explanation.text import elide_all, feature_order, number
from neon.plots._canvas import SMALL, color_scale, figure, in_unit, name_lines
from neon.plots._captions import head_of_samples
from neon.plots._colors import ink, ink_on, magnitude_colors
from neon.plots._documented import documented
from neon.plots._rows import table_of

WRITTEN = 12  # features up to which numbers fit in the cells


@documented
def interactions(
    explanation: Explanation, *, max_features: int = 10, output: str | int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the mean |interaction| of every two features; the main effects stand in grey on the diagonal.

    Parameters
    ----------
    explanation : Explanation
        Of one output per sample, with interactions: `neon.explain(model, X, interactions=True)`.
    max_features : int
        Features that are drawn, by mean |relevance|.
    {output}
    {ax}

    {drawn}
        If there are no interactions.

    Notes
    -----
    As in `explanation.interactions`, half of the interaction of two features stands in each of their two cells. Main
    effects are mostly larger, and have no part in the scale of colours. Samples that are not finite are left out.
    """
    explanation = table_of(explanation, output)
    pairs = pairs_of(explanation)
    if pairs.ndim > 3:
        raise ValueError("drawn are interactions of two features: ask for them by interactions=True, or 2")
    finite = np.isfinite(pairs).all(axis=(1, 2))
    pairs = pairs if finite.all() else pairs[finite]
    values = explanation.values if finite.all() else explanation.values[finite]
    count = max(len(pairs), 1)
    shown, others = feature_order(np.abs(values).sum(axis=0) / count, max_features)
    mean = np.abs(pairs[:, shown][:, :, shown]).sum(axis=0) / count  # (n_shown, n_shown)
    apart = np.where(np.eye(len(shown), dtype=bool), np.nan, mean)
    limit = np.nanmax(apart, initial=0.0) or 1.0
    names = elide_all([explanation.feature_names[feature] for feature in shown])
    side = 2.6 + 0.5 * len(shown)
    ax = figure(max(6.0, side + 1.4), side + 0.4) if ax is None else ax
    colors = magnitude_colors().with_extremes(bad=ink(0.12))
    image = ax.imshow(apart, cmap=colors, vmin=0.0, vmax=limit, interpolation="nearest")
    name_lines(ax, names)
    ax.set_ylim(len(shown) - 0.5, -0.5)
    ax.set_xticks(range(len(shown)), names, rotation=40, ha="right", rotation_mode="anchor", parse_math=False)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    if len(shown) <= WRITTEN:
        for (line, place), value in np.ndenumerate(mean):
            cell = ink(0.12) if line == place else colors(value / limit)
            look: dict[str, Any] = {"fontsize": SMALL - 2, "color": ink_on(cell)}
            ax.text(place, line, number(value), ha="center", va="center", **look)
    left_out = f"without {others.size} other features" if others.size else ""
    not_finite = len(finite) - int(finite.sum())
    gaps = f"without {not_finite} rows that are not finite" if not_finite else ""
    head_of_samples(ax, explanation, "grey: main effects, off the scale", left_out, gaps)
    color_scale(ax, image, in_unit("mean |interaction|", explanation.unit))
    ax.set_anchor("W")  # under what stands above it; the scale has moved it
    return ax
