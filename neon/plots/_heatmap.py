"""Heatmaps: relevance of the pixels of an image, or of all samples and features of a table."""

from __future__ import annotations

import operator
from collections.abc import Hashable
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator

from neon.explanation import Explanation
from neon.explanation.text import elide_all, feature_order
from neon.plots._canvas import ROW, SMALL, axes, color_scale, in_unit, label_x, magnitudes, name_features, text_width
from neon.plots._captions import head_of_sample, head_of_samples
from neon.plots._colors import ink, relevance_colors
from neon.plots._documented import documented
from neon.plots._images import as_array, image, symmetric
from neon.plots._rows import sample_of, sampled, table_of, targets_of

DRAWN = 2000  # samples of a table, more than there are points on a screen
SLANT = 40  # degrees


@documented
def heatmap(
    explanation: Explanation | Any,
    row: Hashable = 0,
    *,
    shape: tuple[int, ...] | None = None,
    data: Any = None,
    limit: float | None = None,
    max_features: int = 20,
    output: str | int | None = None,
    colorbar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw relevance as colours: red positive, blue negative, zero white, on a symmetrical scale.

    An image is drawn where samples have several axes, or `shape` gives them some; channels are summed. A
    table is drawn otherwise: features downwards, by mean |relevance|; samples to the right, by explained
    output, then by prediction. Of more than 2,000 samples so many are drawn, at random, but the same at every call.

    Parameters
    ----------
    explanation : Explanation or array
        Of one output per sample, or of all outputs where `output` picks one. An array (or tensor) of shape (height,
        width), (channels, height, width) or (height, width, channels) is one image; four axes are several, and so are
        the rows of a matrix where `shape` is given.
    row : int or label
        Which sample, where one is drawn: its position, or its label in `explanation.index`.
    shape : tuple of int, optional
        Shape of an image whose pixels are the features, such as (8, 8).
    data : bool or array, optional
        The image itself, in faint grey where there is no relevance. True takes it from the explanation.
    {limit}
    max_features : int
        Features of a table that are drawn; the others are added up as a number on the last line.
    {output}
    {colorbar}
    {ax}

    {drawn}
        If the array is no image.
    """
    look: dict[str, Any] = {"shape": shape, "limit": limit, "colorbar": "relevance" * colorbar, "ax": ax}
    if not isinstance(explanation, Explanation):
        relevance = as_array(explanation)
        if relevance.ndim > 3 or (shape is not None and relevance.ndim == 2):
            relevance = relevance[operator.index(row)]  # type: ignore[arg-type]
        return image(relevance, data=data, **look)
    if shape is None and len(explanation.feature_shape) == 1:
        return _table(table_of(explanation, output), limit, max_features, colorbar, ax)
    sample = sample_of(explanation, row, output)
    look["colorbar"] = in_unit(look["colorbar"], sample.unit)
    drawn = image(sample.values[0], data=sample.data[0] if data is True else data, **look)
    head_of_sample(drawn, sample)
    return drawn


def _table(explanation: Explanation, limit: float | None, max_features: int, colorbar: bool, ax: Axes | None) -> Axes:
    magnitude = magnitudes(explanation.values)
    shown, others = feature_order(magnitude, max_features)
    rows, note = sampled(len(explanation), DRAWN)
    target, prediction = targets_of(explanation)[rows], explanation.prediction[rows]
    order = np.lexsort((-prediction, target))
    values, target = np.asarray(explanation.values[rows[order]][:, shown]), target[order]
    ax = axes(ax, lines=0.8 * (len(shown) + bool(others.size)) + 1)
    norm = symmetric(values, limit)
    drawn = ax.imshow(values.T, cmap=relevance_colors(), norm=norm, aspect="auto", interpolation="nearest")
    name_features(ax, explanation, shown, others, magnitude)
    ax.set_ylim(len(shown) - 0.5 + bool(others.size), -0.5)
    ax.set_xlim(-0.5, len(target) - 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6) if len(target) > 1 else FixedLocator([0]))
    label_x(ax, "samples, by prediction")
    above = _name_groups(ax, explanation, target, bottom=len(shown) - 0.5)
    head_of_samples(ax, explanation, note, above=above)
    if colorbar:
        color_scale(ax, drawn, in_unit("relevance", explanation.unit))
    return ax


def _name_groups(ax: Axes, explanation: Explanation, target: np.ndarray, *, bottom: float) -> float:
    """Divide samples by what they explain, with the names above; return how high these are, in points.

    Slanted where they are too long for their samples.
    """
    bounds = [0, *(np.flatnonzero(np.diff(target)) + 1), len(target)]
    groups = list(pairwise(bounds)) if len(bounds) > 2 else []
    names = elide_all([explanation.output_names[target[start]] for start, _ in groups], 16)
    parts = [(stop - start) / len(target) for start, stop in groups]
    widths = [text_width(name) for name in names]
    slanted = any(width > 270 * part for width, part in zip(widths, parts, strict=True))
    look: dict[str, Any] = {"rotation": SLANT, "ha": "left", "rotation_mode": "anchor"} if slanted else {"ha": "center"}
    last = -np.inf
    for (start, stop), name in zip(groups, names, strict=True):
        ax.plot([stop - 0.5] * 2, [-0.5, bottom], color=ink(0.8), linewidth=0.8)
        middle = (start + stop - 1) / 2
        if middle - last > 0.05 * len(target):  # a slanted line of text wide, or it would hide the last one
            at = ((middle + 0.5) / len(target), 1)
            place: dict[str, Any] = {"xycoords": "axes fraction", "xytext": (0, 4), "textcoords": "offset points"}
            ax.annotate(name, at, va="bottom", fontsize=SMALL, parse_math=False, **place, **look)
            last = middle
    if not groups:
        return 0.0
    return ROW + max(widths) * np.sin(np.radians(SLANT)) * slanted
