"""The plot of clusters of explanations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from neon.explanation.text import elide_all, feature_order
from neon.plots._canvas import SMALL, color_scale, name_lines
from neon.plots._colors import RELEVANCE_COLORS, group_color

if TYPE_CHECKING:
    from neon.artifacts.analysis import Spray

__all__ = ["panels"]

_FEATURES = 12  # lines of a table


def panels(spray: Spray, max_clusters: int) -> Figure:
    """Above: rows as points, and the eigenvalues; below: mean relevance of the clusters with the highest scores."""
    if max_clusters < 1:
        raise ValueError(f"max_clusters: expected at least 1, got {max_clusters}")
    shown = range(min(spray.n_clusters, max_clusters))
    figure = plt.figure(figsize=(9, 6.6), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[1.25, 1])
    above, below = parts
    points, values = above.subplots(1, 2, width_ratios=[2, 1])
    _points(points, spray, shown)
    _eigenvalues(values, spray)
    if len(spray.relevance.shape) == 2:
        _maps(below, spray, shown)
    else:
        _table(below.subplots(), spray, shown)
    return figure


def _points(ax: Axes, spray: Spray, shown: range) -> None:
    at = spray.embedding
    for cluster in range(spray.n_clusters):
        rows = spray.rows(cluster)
        label = f"cluster {cluster} ({len(rows)} rows)" if cluster in shown else None
        color = group_color(cluster, spray.n_clusters)
        ax.scatter(at[rows, 0], at[rows, 1], s=16, color=color, linewidths=0, label=label, rasterized=len(at) > 1000)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_title("explanations", loc="left", fontsize=SMALL, color="0.3")
    ax.legend(loc="upper left", bbox_to_anchor=(0, 0), ncols=3, frameon=False, fontsize=SMALL)


def _eigenvalues(ax: Axes, spray: Spray) -> None:
    places = np.arange(1, len(spray.eigenvalues) + 1)
    ax.plot(places, spray.eigenvalues, "o", color="0.35", markersize=4)
    ax.axvline(spray.n_clusters + 0.5, color="0.6", linewidth=0.8, linestyle=":")
    ax.set_xticks(places)
    ax.tick_params(labelsize=SMALL - 1)
    ax.set_ylim(bottom=min(0.0, -0.03 * spray.eigenvalues.max()))
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.set_title(f"eigenvalues · {spray.n_clusters} clusters", loc="left", fontsize=SMALL, color="0.3")


def _maps(figure: Figure, spray: Spray, shown: range) -> None:
    axes = figure.subplots(1, len(shown), squeeze=False)[0]
    means = [spray.mean(cluster) for cluster in shown]
    norm = _norm(np.stack(means))
    for cluster, mean, ax in zip(shown, means, axes, strict=True):
        image = ax.imshow(mean, cmap=RELEVANCE_COLORS, norm=norm, interpolation="nearest")
        ax.set_xticks([])
        ax.set_yticks([])
        _name(ax, spray, cluster)
    bar = figure.colorbar(image, ax=axes, aspect=30, pad=0.02, shrink=0.9)
    bar.set_label("mean relevance, normalized", fontsize=SMALL)
    bar.outline.set_visible(False)


def _table(ax: Axes, spray: Spray, shown: range) -> None:
    means = np.stack([spray.mean(cluster) for cluster in shown], axis=1)
    lines, _ = feature_order(np.abs(means).max(1), _FEATURES)
    image = ax.imshow(means[lines], cmap=RELEVANCE_COLORS, norm=_norm(means), aspect="auto", interpolation="nearest")
    name_lines(ax, elide_all([spray.relevance.feature_names[feature] for feature in lines]))
    ax.set_ylim(len(lines) - 0.5, -0.5)
    ax.set_xticks(list(shown), [f"cluster {i}\nscore {spray.scores[i].score:.2g}" for i in shown], fontsize=SMALL)
    ax.tick_params(length=0)
    color_scale(ax, image, "mean relevance, normalized")


def _name(ax: Axes, spray: Spray, cluster: int) -> None:
    color = group_color(cluster, spray.n_clusters)
    for spine in ax.spines.values():
        spine.set(color=color, linewidth=2)
    ax.set_title(f"cluster {cluster}\nscore {spray.scores[cluster].score:.2g}", fontsize=SMALL)


def _norm(means: np.ndarray) -> Normalize:
    limit = float(np.abs(means).max()) or 1.0
    return Normalize(-limit, limit)
