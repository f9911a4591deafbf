"""Beeswarm: the relevance of each feature in each sample."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from neon.explanation import Explanation
from neon.explanation.as_numbers import as_numbers
from neon.explanation.text import GREY, elide_all, feature_order
from neon.plots._canvas import FAINT, SMALL, axes, in_unit, label_x, magnitudes, name_features, padded
from neon.plots._captions import head_of_samples
from neon.plots._colors import ink, value_colors, value_scale
from neon.plots._documented import documented
from neon.plots._rows import By, groups_of, sampled

SPREAD, STEP, BINS = 0.42, 0.13, 120  # lines to either side, lines between two dots, piles along the axis
DRAWN = 3000  # samples that have a dot
LANES, WIDTH = 5, 0.9  # groups that have a lane on the line of each feature; how much of the line these take


@documented
def beeswarm(
    explanation: Explanation,
    *,
    max_features: int = 10,
    output: str | int | None = None,
    by: By = "target",
    ax: Axes | None = None,
    colorbar: bool = True,
) -> Axes:
    """Draw one dot a sample and feature: at its relevance, coloured by the feature's value.

    Dots pile up where many have the same relevance. Where samples explain different outputs, or `by` says, each feature
    has a lane for each group: the largest ones, if they are many. The other features are added up as a number on the
    last line.

    Parameters
    ----------
    {of_several}
    {max_features}
    {output}
    {by}
    {ax}
    colorbar : bool
        Whether to add the legend of feature values.

    {drawn_apart}

    Notes
    -----
    Colours span the 5th to 95th percentile of each feature; strings and missing values are grey, rings where the
    model's imputer put a value in. Values of relevance that are not finite have no place on the axis and are left out.
    Of more than 3,000 samples so many are drawn, at random, but the same at every call.
    """
    explanation, groups = groups_of(explanation, by, output)
    magnitude = np.average([magnitudes(g.values) for g in groups], axis=0, weights=[len(g.rows) for g in groups])
    shown, others = feature_order(magnitude, max_features)
    lanes = sorted(sorted(range(len(groups)), key=lambda place: -len(groups[place].rows))[:LANES])
    drawn = [sampled(len(groups[lane].rows), DRAWN // len(lanes))[0] for lane in lanes]
    values = [np.asarray(groups[lane].values[rows][:, shown]) for lane, rows in zip(lanes, drawn, strict=True)]
    finite = np.concatenate([part[np.isfinite(part)] for part in values])
    low, high = padded(finite.min(initial=0.0), finite.max(initial=0.0), left=0.03, right=0.03)
    each = 1.15 if len(lanes) == 1 else 0.48 * len(lanes)
    ax = axes(ax, lines=max(3, each * len(shown) + bool(others.size)))
    ax.axvline(0, **FAINT)
    for line in range(len(shown)):
        ax.axhline(line if len(lanes) == 1 else line + 0.5, **FAINT | {"color": ink(0.15), "linestyle": ":"})
    for place, (lane, rows, relevance) in enumerate(zip(lanes, drawn, values, strict=True)):
        at = (place - (len(lanes) - 1) / 2) * WIDTH / len(lanes)
        _dots(ax, explanation, groups[lane].rows[rows], shown, relevance, at, 1 / len(lanes), (low, high))
    name_features(ax, explanation, shown, others, magnitude)
    ax.set_ylim(len(shown) - 0.5 + bool(others.size) * (0.5 + 0.5 / each), -0.5)
    ax.set_xlim(low, high)
    label_x(ax, in_unit("relevance", explanation.unit))
    if len(lanes) > 1:
        _name_lanes(ax, [groups[lane].name for lane in lanes], len(shown))
    count = sum(map(len, drawn))
    notes = [f"{count:,} of them drawn, at random"] if count < sum(len(groups[lane].rows) for lane in lanes) else []
    notes += [f"the {len(lanes)} largest of {len(groups)} groups"] if len(lanes) < len(groups) else []
    head_of_samples(ax, explanation, *notes)
    if colorbar:
        value_scale(ax, "feature value")
    return ax


def _dots(
    ax: Axes,
    explanation: Explanation,
    rows: np.ndarray,
    features: np.ndarray,
    values: np.ndarray,
    at: float,
    scale: float,
    limits: tuple[float, float],
) -> None:
    """Draw the dots of some rows, on each feature's line or so far off it."""
    data = explanation.data[rows]
    for line, feature in enumerate(features):
        dots = np.isfinite(values[:, line])
        relevance = values[dots, line]
        colors = value_colors(as_numbers(np.asarray(data[:, feature])[dots]))
        place = line + at + scale * _piles(relevance, *limits)
        look: dict[str, Any] = {"zorder": 2, "rasterized": len(relevance) > 1000}  # keeps vector files small
        if explanation.imputed is not None and (put_in := explanation.imputed[rows, feature][dots]).any():
            ring: dict[str, Any] = {"c": "none", "edgecolors": GREY, "linewidths": 0.9}
            ax.scatter(relevance[put_in], place[put_in], s=12, **ring, **look)
            relevance, place, colors = relevance[~put_in], place[~put_in], colors[~put_in]
        ax.scatter(relevance, place, s=14 if scale == 1 else 9, c=colors, linewidths=0, **look)


def _name_lanes(ax: Axes, names: list[str], lines: int) -> None:
    """Name the lanes of every feature on the right."""
    for line in range(lines):
        for place, name in enumerate(elide_all(names, 14)):
            ax.annotate(
                name,
                (1, line + (place - (len(names) - 1) / 2) * WIDTH / len(names)),
                xycoords=("axes fraction", "data"),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=SMALL - 1,
                color=ink(0.65),
                parse_math=False,
            )


def _piles(relevance: np.ndarray, low: float, high: float) -> np.ndarray:
    """How far each dot moves off its line: dots in one bin pile up, in turn below and above it."""
    bins = np.minimum(((relevance - low) / (high - low) * BINS).astype(int), BINS - 1)
    order = np.argsort(bins, kind="stable")
    counts = np.bincount(bins, minlength=BINS)
    rank = np.empty(len(bins), dtype=int)
    rank[order] = np.arange(len(bins)) - np.repeat(np.cumsum(counts) - counts, counts)
    place = np.where(rank % 2, -1, 1) * ((rank + 1) // 2)
    return place * min(STEP, SPREAD / np.abs(place).max(initial=1))
