"""The plot of a shift."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes

from neon.explanation.text import BLUE, RED, feature_order, number
from neon.plots._canvas import SMALL, axes, label_x, name_features, number_beside, padded

if TYPE_CHECKING:
    from neon.shift.explained import Shift

__all__ = ["bars"]


def bars(shift: Shift, max_features: int, ax: Axes | None) -> Axes:
    """A bar a feature, as long as its relevance: red what comes from values that are larger in B, blue smaller."""
    falling = shift.relevance - shift.rising
    shown, others = feature_order(shift.relevance, max_features)
    lines = range(len(shown))
    ax = axes(ax, lines=len(shown) + 1)
    ax.barh(lines, shift.rising[shown], color=RED, label="larger in B")
    ax.barh(lines, falling[shown], left=shift.rising[shown], color=BLUE, label="smaller in B")
    for line, end in enumerate(shift.relevance[shown]):
        number_beside(ax, end, line, number(end), right=True)
    name_features(ax, shift.of_a, shown, others, shift.relevance)
    ax.set_xlim(0, padded(0, shift.relevance.max() or 1.0, right=0.12)[1])
    label_x(ax, f"relevance · {shift.explains}")
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=SMALL)
    return ax
