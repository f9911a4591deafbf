"""Bars: how much relevance each feature gets."""

from __future__ import annotations

from typing import Literal

import numpy as np
from matplotlib.axes import Axes

from neon.explanation import Explanation
from neon.explanation.text import BLUE, RED, elide_all, feature_order, number
from neon.plots._canvas import (
    FAINT,
    SMALL,
    axes,
    documented,
    label_x,
    legend,
    name_features,
    name_lines,
    number_beside,
    others_name,
    padded,
    short_names,
    table_of,
    targets_of,
    what,
)
from neon.plots._colors import group_color


@documented
def bar(
    explanation: Explanation,
    *,
    max_features: int = 10,
    by: Literal["target"] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the mean |relevance| of each feature; the relevance itself where there is only one sample.

    Each bar is as long as the mean |relevance|; its red part is what positive relevance adds to it, its blue
    part what negative relevance does. The other features are added up as a number on the last line.

    Parameters
    ----------
    {explanation}
    {max_features}
    by : None or "target"
        "target": one bar for each explained output (class, cluster), over the samples that explain it.
    {ax}

    {drawn}
    """
    explanation = table_of(explanation)
    if by not in (None, "target"):
        raise ValueError(f"by: expected None or 'target', got {by!r}")
    if by == "target":
        return _grouped(explanation, max_features, ax)
    return (_one_sample if len(explanation) == 1 else _all_samples)(explanation, max_features, ax)


def _all_samples(explanation: Explanation, max_features: int, ax: Axes | None) -> Axes:
    values, left_out = _finite(explanation)
    positive, negative = (_mean(np.maximum(sign * values, 0)) for sign in (1, -1))
    magnitude = positive + negative
    shown, others = feature_order(magnitude, max_features)
    lines = range(len(shown))
    ax = axes(ax, lines=len(shown) + 1)
    ax.barh(lines, positive[shown], color=RED, label="positive")
    ax.barh(lines, negative[shown], left=positive[shown], color=BLUE, label="negative")
    for line, end in enumerate(magnitude[shown]):
        number_beside(ax, end, line, number(end), right=True)
    name_features(ax, explanation, shown, others, magnitude)
    label_x(ax, f"mean |relevance| · {what(explanation)}{left_out}")
    ax.set_xlim(0, padded(0, magnitude.max() or 1.0, right=0.12)[1])
    if positive.any() and negative.any():
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=SMALL)
    return ax


def _one_sample(explanation: Explanation, max_features: int, ax: Axes | None) -> Axes:
    values = explanation.values[0]
    shown, others = feature_order(np.abs(values), max_features)
    lengths = np.append(values[shown], [values[others].sum()] if others.size else [])
    drawn = np.where(np.isfinite(lengths), lengths, 0.0)
    ax = axes(ax, lines=len(lengths))
    ax.axvline(0, **FAINT)
    ax.barh(range(len(drawn)), drawn, color=[RED if length >= 0 else BLUE for length in drawn])
    for line, (end, length) in enumerate(zip(drawn, lengths, strict=True)):
        number_beside(ax, end, line, number(length, signed=True), right=end >= 0)
    name_lines(ax, short_names(explanation, shown, row=0) + others_name(others))
    low, high = min(drawn.min(), 0.0), max(drawn.max(), 0.0)
    ax.set_xlim(padded(low, high, left=0.2 if low < 0 else 0.0, right=0.2 if high > 0 else 0.0))
    label_x(ax, f"relevance · {what(explanation)}")
    return ax


def _grouped(explanation: Explanation, max_features: int, ax: Axes | None) -> Axes:
    values, left_out = _finite(explanation)
    targets = targets_of(explanation)
    target = targets[np.isfinite(explanation.values).all(axis=1)]
    magnitude = _mean(np.abs(values))
    shown, others = feature_order(magnitude, max_features)
    groups = np.unique(targets)
    height = 0.84 / len(groups)
    ax = axes(ax, lines=len(shown) * max(1.0, 0.35 * len(groups)))
    longest, bars = 0.0, []
    names = elide_all([explanation.output_names[group] for group in groups], 24)
    for place, group in enumerate(groups):
        members = np.abs(values[target == group])
        lengths = _mean(members)[shown]
        longest = max(longest, lengths.max())
        lines = np.arange(len(shown)) + (place - (len(groups) - 1) / 2) * height
        names[place] += f" ({len(members)})"
        bars.append(ax.barh(lines, lengths, height=0.92 * height, color=group_color(place, len(groups))))
    name_features(ax, explanation, shown, others, magnitude)
    label_x(ax, f"mean |relevance| · {what(explanation)}{left_out}")
    ax.set_xlim(0, padded(0, longest or 1.0, right=0.05)[1])
    columns = max(1, 60 // (max(map(len, names)) + 6))
    legend(ax, bars, names, title="explained (samples)", loc="lower right", ncols=columns)
    return ax


def _finite(explanation: Explanation) -> tuple[np.ndarray, str]:
    """Rows that can be averaged, and words for how many cannot."""
    finite = np.isfinite(explanation.values).all(axis=1)
    count = len(finite) - finite.sum()
    return explanation.values[finite], f" · without {count} rows that are not finite" if count else ""


def _mean(rows: np.ndarray) -> np.ndarray:
    """Average the rows; zeros if there is none."""
    return rows.sum(axis=0) / max(len(rows), 1)
