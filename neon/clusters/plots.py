"""Plots of clusters: all features of all of them, what separates two, and one panel for each."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from neon.clusters.cluster import Cluster
from neon.explanation.text import BLUE, RED, elide, elide_all, feature_order, number
from neon.plots._canvas import FAINT, SMALL, axes, figure, label_top, label_x, name_lines, padded
from neon.plots._colors import RELEVANCE_COLORS

if TYPE_CHECKING:
    from neon.clusters.result import ClusterExplanation

__all__ = ["ClusterPlots"]

_WORDS = 46  # letters beside a bar
_ROOMY = 7  # clusters beside each other whose cells have room for values


class ClusterPlots:
    """What `ClusterExplanation.plot` draws; called itself, `matrix`."""

    def __init__(self, found: ClusterExplanation) -> None:
        self._found = found

    def matrix(self, *, max_features: int = 15, ax: Axes | None = None) -> Axes:
        """Draw features beside clusters: the stronger the red, the more a feature sets a cluster apart.

        The colour is the share of the cluster's own relevance, so that clusters can be compared; an arrow says whether
        its values are higher (▲) or lower (▼) than elsewhere. Up to 7 clusters: with the values.

        Parameters
        ----------
        max_features : int
            Features with a line of their own, by their largest share.
        ax : matplotlib Axes, optional
            Where to draw; new axes by default.

        Returns
        -------
        matplotlib Axes
        """
        clusters, columns = self._found.clusters, self._found.columns
        shares = np.stack([_shares(cluster.relevance) for cluster in clusters], axis=1)
        shown, others = feature_order(np.abs(shares).max(1), max_features)
        roomy = len(clusters) <= _ROOMY
        if ax is None:
            ax = figure(3.2 + (1.5 if roomy else 0.42) * max(len(clusters), 3), 1.9 + 0.36 * max(len(shown) + 1, 4))
        limit = 100 * float(np.abs(shares).max()) or 1.0
        look: dict[str, Any] = {"cmap": RELEVANCE_COLORS, "norm": Normalize(-limit, limit), "interpolation": "nearest"}
        image = ax.imshow(100 * shares[shown], aspect="auto", **look)
        for place, cluster in enumerate(clusters):
            mask = columns.others(cluster.rows)
            for line, feature in enumerate(shown):
                compared = columns.compare(feature, cluster.rows, mask)
                text = " ".join(filter(None, [_arrow(compared.direction), elide(compared.one, 20) if roomy else ""]))
                color = "white" if abs(shares[feature, place]) > 0.005 * limit else "0.2"
                ax.text(place, line, text, ha="center", va="center", fontsize=SMALL - 1, color=color, parse_math=False)
        name_lines(ax, elide_all([columns.names[feature] for feature in shown]))
        ax.set_ylim(len(shown) - 0.5, -0.5)
        names = elide_all([cluster.name for cluster in clusters], 18)
        slanted: dict[str, Any] = {} if roomy else {"rotation": 45, "ha": "left", "rotation_mode": "anchor"}
        gap = " " if slanted else "\n"
        sized = [f"{name}{gap}({cluster.size:,})" for name, cluster in zip(names, clusters, strict=True)]
        ax.set_xticks(range(len(clusters)), sized, fontsize=SMALL, parse_math=False, **slanted)
        ax.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
        ax.spines[:].set_visible(False)
        left = f" · {len(others)} other features have less" if len(others) else ""
        label_x(ax, f"relevance for the own cluster{left}")
        bar = ax.figure.colorbar(image, ax=ax, aspect=30, pad=0.02, shrink=0.9)
        bar.set_label("% of the cluster's relevance")
        bar.outline.set_visible(False)
        return ax

    def __call__(self, *which: Any, max_features: int = 15, ax: Axes | None = None) -> Axes:
        """Draw `matrix`; the other plots are methods.

        Raises
        ------
        TypeError
            If a plot is named.
        """
        if which:
            raise TypeError(
                f"plot({which[0]!r}) names no plot: they are methods, .plot.matrix(), .plot.separation(a, b) and "
                ".plot.clusters()"
            )
        return self.matrix(max_features=max_features, ax=ax)

    def separation(self, a: Any, b: Any, *, max_features: int = 8, ax: Axes | None = None) -> Axes:
        """Draw what separates two clusters, with both in raw units beside each bar.

        A bar is the mean relevance of `ClusterExplanation.separation` over the members of both, each cluster counting
        half. Red keeps the two apart; blue makes them look alike.

        Parameters
        ----------
        a, b : labels or names of clusters
        max_features : int
            Features with a line of their own.
        ax : matplotlib Axes, optional
            Where to draw; new axes by default.

        Returns
        -------
        matplotlib Axes
        """
        one, other = self._found[a], self._found[b]
        found = self._found.separation(a, b)
        relevance = np.mean([found.values[found.target == side].mean(0) for side in (0, 1)], axis=0)
        shown, others = feature_order(np.abs(relevance), max_features)
        columns = self._found.columns
        mask = ~columns.others(other.rows)
        words = [columns.compare(feature, one.rows, mask).words for feature in shown]
        ax = axes(ax, lines=len(shown) + 1)
        _bars(ax, relevance[shown], elide_all([columns.names[feature] for feature in shown]), words)
        rest = f" · {len(others)} other features: {number(relevance[others].sum(), signed=True)}" if len(others) else ""
        label_x(ax, f"mean relevance{rest}")
        title = "What separates {} from {}".format(*elide_all([one.name, other.name], 24))
        label_top(ax, title, below=f"evidence against the other cluster, in {one.size:,} and {other.size:,} rows")
        return ax

    def clusters(self, *, max_features: int = 4, max_clusters: int = 12) -> Figure:
        """Draw a panel for each cluster: the features that set it apart, in raw units against elsewhere.

        Bars are the mean relevance over its members; panels have scales of their own.

        Parameters
        ----------
        max_features : int
            Lines of a panel.
        max_clusters : int
            Panels, of the largest clusters.

        Returns
        -------
        matplotlib Figure
        """
        for option, value in (("max_features", max_features), ("max_clusters", max_clusters)):
            if value < 1:
                raise ValueError(f"{option}: expected at least 1, got {value}")
        largest = sorted(self._found.clusters, key=lambda cluster: -cluster.size)[:max_clusters]
        every = [cluster for cluster in self._found.clusters if cluster in largest]
        across = min(len(every), 2 if len(every) <= 4 else 3)
        down = -(-len(every) // across)
        lines = min(max_features, len(self._found.columns.names))
        drawn = plt.figure(figsize=(5 * across, (1.0 + 0.42 * lines) * down + 0.3), layout="constrained")
        panels = drawn.subplots(down, across, squeeze=False).ravel()
        for panel, cluster in zip(panels, every, strict=False):
            self._panel(panel, cluster, max_features)
        for panel in panels[len(every) :]:
            panel.set_axis_off()
        left = len(self._found) - len(every)
        label = "mean relevance for the own cluster; values: members against elsewhere"
        drawn.supxlabel(f"{label}{f' · {left} smaller clusters are not shown' if left else ''}", fontsize=SMALL)
        return drawn

    def _panel(self, ax: Axes, cluster: Cluster, max_features: int) -> None:
        columns = self._found.columns
        features = np.argsort(-cluster.relevance, kind="stable")[:max_features]
        mask = columns.others(cluster.rows)
        words = [columns.compare(feature, cluster.rows, mask).words for feature in features]
        axes(ax, lines=len(features))
        _bars(ax, cluster.relevance[features], elide_all([columns.names[feature] for feature in features], 22), words)
        ax.set_ylim(min(max_features, len(columns.names)) - 0.4, -0.6)  # lines of one height in all panels
        ax.tick_params(labelsize=SMALL - 1)
        ax.set_xticks([])
        ax.spines["bottom"].set_visible(False)
        title = f"{elide(cluster.name, 28)} · {cluster.size:,} rows"
        ax.set_title(title, loc="left", fontsize=SMALL + 1, weight="bold", parse_math=False)


def _bars(ax: Axes, relevance: np.ndarray, names: Sequence[str], words: Sequence[str]) -> None:
    """Bars from the top down, and words in the space to the right of them."""
    ax.axvline(0, **FAINT)
    ax.barh(range(len(relevance)), relevance, color=[RED if length >= 0 else BLUE for length in relevance], height=0.7)
    low, high = min(float(relevance.min(initial=0.0)), 0.0), max(float(relevance.max(initial=0.0)), 0.0)
    ax.set_xlim(padded(low, high, left=0.03 if low < 0 else 0.0, right=1.4))
    ax.set_xticks([tick for tick in ax.get_xticks() if low <= tick <= high])
    ax.spines["bottom"].set_bounds(low, high)
    for line, (length, text) in enumerate(zip(relevance, words, strict=True)):
        ax.annotate(
            textwrap.shorten(text, _WORDS, placeholder=" …"),
            (max(length, 0.0), line),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL,
            parse_math=False,
        )
    name_lines(ax, names)


def _shares(relevance: np.ndarray) -> np.ndarray:
    """Of the magnitude of all features together, with their signs."""
    return relevance / (np.abs(relevance).sum() or 1.0)


def _arrow(direction: str) -> str:
    first = direction.split(" ")[0]
    return "▲" if first in ("higher", "later", "more") else "▼" if first in ("lower", "earlier", "less") else ""
