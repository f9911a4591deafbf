"""The strip plot of anomalies: their values on each feature's distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.ticker import FixedLocator
from matplotlib.transforms import blended_transform_factory

from neon.anomalies.scale import positions
from neon.explanation.text import elide, elide_all, feature_order, number
from neon.plots._canvas import FAINT, SMALL, axes, label_top, name_lines
from neon.plots._colors import ink, relevance_colors

if TYPE_CHECKING:
    from neon.anomalies.result import AnomalyExplanation

__all__ = ["AnomalyPlots"]

_DOTS = 400  # of a feature's distribution
_FAR = 8.0  # half widths from the middle: from there on the axis is logarithmic
_WIDE = 30.0


class AnomalyPlots:
    """What `AnomalyExplanation.plot` draws; called itself, `strip`."""

    def __init__(self, found: AnomalyExplanation) -> None:
        self._found = found

    def strip(self, row: int | None = None, *, max_features: int = 8, ax: Axes | None = None) -> Axes:
        """Draw each feature's distribution with the values of the most unusual rows on it.

        Grey dots are the rows that say what is usual; all features are drawn on one axis, by how far a value is from
        their median, in half widths of the middle 68 %. Categories stand in the order of how common they are. Diamonds
        are the unusual rows, the redder the more relevant the feature is to them. Of a single row: in words as well.

        Parameters
        ----------
        row : int, optional
            Its place in the ranking, from 0. Default: all of them.
        max_features : int
            Features with a line of their own, the most relevant first.
        ax : matplotlib Axes, optional
            Where to draw; new axes by default.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        ValueError
            If there is no such row.
        """
        found = self._found
        if row is not None and not (isinstance(row, int | np.integer) and -len(found) <= row < len(found)):
            raise ValueError(f"row {row!r} is no place in the ranking of {len(found)} rows, which are counted from 0")
        places = np.arange(len(found)) if row is None else np.array([row % len(found)])
        values = found.explanation.values[places]
        shown, others = feature_order(np.maximum(values, 0.0).mean(0), max_features)
        ax = axes(ax, lines=1.25 * len(shown) + 1)
        random = np.random.default_rng(0)
        limit = float(np.abs(values).max()) or 1.0
        look: dict[str, Any] = {"cmap": relevance_colors(), "norm": Normalize(-limit, limit), "edgecolors": ink()}
        look |= {"s": 44, "marker": "D", "lw": 0.7, "zorder": 3, "clip_on": False}
        ends = [0.0]
        for line, feature in enumerate(shown):
            typical = found.columns.typical(feature)
            usual, own = positions(typical, found.explanation.data[places, feature], _DOTS, random)
            ends += [float(x) for x in (*usual, *own) if np.isfinite(x)]
            ax.scatter(usual, line + random.uniform(-0.22, 0.22, len(usual)), s=5, color=ink(0.35), lw=0, zorder=1)
            ax.scatter(own, np.full(len(own), line), c=values[:, feature], **look)
            if row is not None:
                text = elide(found.words(int(places[0]), feature), 44)
                at = blended_transform_factory(ax.transAxes, ax.transData)
                ax.text(1.04, line, text, transform=at, va="center", fontsize=SMALL, parse_math=False)
        name_lines(ax, elide_all([found.columns.names[feature] for feature in shown]))
        ax.axvline(0, **FAINT)
        if max(map(abs, ends)) > _WIDE:
            ax.set_xscale("symlog", linthresh=_FAR, linscale=2.0)
            largest = int(np.log10(max(map(abs, ends))))
            powers = 10.0 ** np.arange(largest, 0, -largest // 3)  # three at most to either side
            ax.xaxis.set_major_locator(FixedLocator([*-powers, 0.0, *powers]))
        rest = f"\n{len(others)} other features: {number(values[:, others].mean(0).sum(), signed=True)} of relevance"
        unit = "from the median, in half widths of the middle 68 %"
        ax.set_xlabel(unit + (rest if len(others) else ""), parse_math=False)
        if row is None:
            title = f"The {len(found)} most unusual of {len(found.scores):,} rows"
            facts = "redder where a feature makes them so"
        else:
            title, _, facts = found.title(int(places[0])).removesuffix(")").rpartition(" (")
        label_top(ax, title, below=facts)
        return ax

    __call__ = strip
