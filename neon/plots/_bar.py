"""Bars: how much relevance each feature gets."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from neon.explanation import Explanation
from neon.explanation.rows_like_arrays import finite_rows
from neon.explanation.text import BLUE, RED, elide, elide_all, feature_order, number
from neon.plots._canvas import (
    FAINT,
    SMALL,
    axes,
    color_scale,
    in_unit,
    label_x,
    legend_above,
    name_features,
    name_lines,
    number_beside,
    numbers_room,
    others_name,
    padded,
    short_names,
)
from neon.plots._captions import head_of_sample, head_of_samples
from neon.plots._colors import group_color, magnitude_colors
from neon.plots._documented import documented
from neon.plots._rows import By, Group, groups_of, targets_of

BARS = 8  # groups, up to which each feature has a bar for each; a matrix shows more


@documented
def bar(
    explanation: Explanation,
    *,
    max_features: int = 10,
    output: str | int | None = None,
    by: By = "target",
    ax: Axes | None = None,
) -> Axes:
    """Draw the mean |relevance| of each feature; the relevance itself where there is only one sample.

    Each bar is as long as the mean |relevance|; its red part is what positive relevance adds to it, its blue
    part what negative relevance does. Where samples explain different outputs, or `by` says, each group has a bar of
    its own; more than eight groups are the columns of a matrix. The other features are added up as a number on the
    last line.

    Parameters
    ----------
    {of_several}
    {max_features}
    {output}
    {by}
    {ax}

    {drawn_apart}
    """
    explanation, groups = groups_of(explanation, by, output)
    finite, left_out = zip(*map(_finite, groups), strict=True)
    notes = f"without {sum(left_out)} rows that are not finite" if any(left_out) else ""
    if len(explanation) == 1 and len(groups) == 1:
        return _one_sample(explanation, max_features, ax)
    if len(groups) == 1:
        return _all_samples(explanation, finite[0], max_features, notes, ax)
    title = "" if isinstance(by, str) and by == "target" else by if isinstance(by, str) else "samples"
    draw = _grouped if len(groups) <= BARS else _matrix
    return draw(explanation, groups, finite, max_features, title, notes, ax)


def _all_samples(explanation: Explanation, values: np.ndarray, max_features: int, notes: str, ax: Axes | None) -> Axes:
    positive, negative = (_mean(np.maximum(sign * values, 0)) for sign in (1, -1))
    magnitude = positive + negative
    shown, others = feature_order(magnitude, max_features)
    lines = range(len(shown))
    ax = axes(ax, lines=len(shown) + 1)
    ax.barh(lines, positive[shown], color=RED)
    ax.barh(lines, negative[shown], left=positive[shown], color=BLUE)
    for line, end in enumerate(magnitude[shown]):
        number_beside(ax, end, line, number(end), right=True)
    name_features(ax, explanation, shown, others, magnitude)
    label_x(ax, in_unit("mean |relevance|", explanation.unit))
    ax.set_xlim(0, padded(0, magnitude.max() or 1.0, right=0.12)[1])
    above = 0.0
    if positive.any() and negative.any():
        own = " for each row's own target" if len(np.unique(targets_of(explanation))) > 1 else ""
        signs = [Patch(color=RED), Patch(color=BLUE)]
        above = legend_above(ax, signs, [f"positive{own}", f"negative{own}"])
    head_of_samples(ax, explanation, notes, above=above)
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
    side = numbers_room(ax)
    ax.set_xlim(padded(low, high, left=side if low < 0 else 0.0, right=side if high > 0 else 0.0))
    label_x(ax, in_unit("relevance", explanation.unit))
    head_of_sample(ax, explanation)
    return ax


def _grouped(
    explanation: Explanation,
    groups: list[Group],
    finite: tuple[np.ndarray, ...],
    max_features: int,
    title: str,
    notes: str,
    ax: Axes | None,
) -> Axes:
    """A bar for each feature and group."""
    means, magnitude = _magnitudes(finite)
    shown, others = feature_order(magnitude, max_features)
    height = 0.84 / len(groups)
    ax = axes(ax, lines=len(shown) * max(1.0, 0.35 * len(groups)) + bool(others.size))
    bars = []
    for place, lengths in enumerate(means[:, shown]):
        lines = np.arange(len(shown)) + (place - (len(groups) - 1) / 2) * height
        bars.append(ax.barh(lines, lengths, height=0.92 * height, color=group_color(place, len(groups))))
    name_features(ax, explanation, shown, others, magnitude)
    label_x(ax, in_unit("mean |relevance|", explanation.unit))
    ax.set_xlim(0, padded(0, means.max() or 1.0, right=0.05)[1])
    names = elide_all([group.name for group in groups], 24)
    if explanation.target is not None:
        names = [f"{name} ({len(rows)})" for name, rows in zip(names, finite, strict=True)]
    above = legend_above(ax, bars, names, title=elide(title, 58))
    head_of_samples(ax, explanation, notes, above=above)
    return ax


def _matrix(
    explanation: Explanation,
    groups: list[Group],
    finite: tuple[np.ndarray, ...],
    max_features: int,
    title: str,
    notes: str,
    ax: Axes | None,
) -> Axes:
    """Features downwards, groups to the right: bars of so many groups are not told apart."""
    means, magnitude = _magnitudes(finite)
    shown, others = feature_order(magnitude, max_features)
    ax = axes(ax, lines=len(shown) + bool(others.size) + 2, width=min(16.0, max(7.5, 3.6 + 0.22 * len(groups))))
    image = ax.imshow(means[:, shown].T, cmap=magnitude_colors(), vmin=0.0, aspect="auto", interpolation="nearest")
    image.set_clim(0.0, means.max() or 1.0)
    name_features(ax, explanation, shown, others, magnitude)
    ax.set_ylim(len(shown) - 0.5 + bool(others.size), -0.5)
    ax.set_xlim(-0.5, len(groups) - 0.5)
    every = -(-len(groups) // 60)  # names that would overlap are left out
    names = elide_all([group.name for group in groups], 20)[::every]
    ax.set_xticks(range(0, len(groups), every), names, rotation=90, fontsize=SMALL, parse_math=False)
    ax.tick_params(length=0)
    ax.spines["bottom"].set_visible(False)
    label_x(ax, title)
    head_of_samples(ax, explanation, notes)
    color_scale(ax, image, in_unit("mean |relevance|", explanation.unit))
    return ax


def _magnitudes(finite: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Mean |relevance| of each group (n_groups, n_features), and over all groups."""
    means = np.stack([_mean(np.abs(values)) for values in finite])
    sizes = np.array([len(values) for values in finite])
    return means, (means * sizes[:, None]).sum(axis=0) / max(sizes.sum(), 1)


def _finite(group: Group) -> tuple[Any, int]:
    """Rows that can be averaged, and how many cannot."""
    finite = finite_rows(group.values)
    count = int(len(finite) - finite.sum())
    return group.values if count == 0 else group.values[finite], count


def _mean(rows: np.ndarray) -> np.ndarray:
    """Average the rows; zeros if there is none."""
    return rows.sum(axis=0) / max(len(rows), 1)
