"""Heatmaps: relevance of the pixels of an image, or of all samples and features of a table."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from neon.explanation import Explanation
from neon.explanation.text import elide_all, feature_order
from neon.plots._canvas import (
    SMALL,
    axes,
    color_scale,
    documented,
    figure,
    label_x,
    magnitudes,
    name_features,
    table_of,
    targets_of,
    what,
)
from neon.plots._colors import RELEVANCE_COLORS


@documented
def heatmap(
    explanation: Explanation | Any,
    row: int = 0,
    *,
    shape: tuple[int, ...] | None = None,
    data: Any = None,
    limit: float | None = None,
    max_features: int = 20,
    colorbar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw relevance as colours: red positive, blue negative, zero white, on a symmetrical scale.

    An image is drawn where samples have several axes, or `shape` gives them some; channels are summed. A
    table is drawn otherwise: features downwards, by mean |relevance|; samples to the right, by explained
    output, then by prediction.

    Parameters
    ----------
    explanation : Explanation or array
        Of one output per sample. An array (or tensor) of shape (height, width), (channels, height, width) or
        (height, width, channels) is one image; four axes are several, and so are the rows of a matrix where
        `shape` is given.
    row : int
        Which sample, where one is drawn.
    shape : tuple of int, optional
        Shape of an image whose pixels are the features, such as (8, 8).
    data : bool or array, optional
        The image itself, in faint grey where there is no relevance. True takes it from the explanation.
    {limit}
    max_features : int
        Features of a table that are drawn; the others are added up as a number on the last line.
    {colorbar}
    {ax}

    {drawn}
        If the array is no image.
    """
    if isinstance(explanation, Explanation):
        targets_of(explanation)
        if shape is None and len(explanation.feature_shape) == 1:
            return _table(table_of(explanation), limit, max_features, colorbar, ax)
        if 0 in explanation.values.shape:
            raise ValueError(f"nothing to draw: values have shape {explanation.values.shape}")
        relevance = explanation.values[row]
        data = explanation.data[row] if data is True else data
    else:
        relevance = _array(explanation)
        if relevance.ndim > 3 or (shape is not None and relevance.ndim == 2):
            relevance = relevance[row]
    return _image(relevance, shape, data, limit, colorbar, ax)


def _image(
    relevance: np.ndarray,
    shape: tuple[int, ...] | None,
    data: Any,
    limit: float | None,
    colorbar: bool,
    ax: Axes | None,
) -> Axes:
    pixels = _pixels(relevance, shape, np.sum)
    picture = None if data is None or data is False else _faint(_pixels(_array(data), shape, np.mean))
    ax = figure(4.6, 4.0) if ax is None else ax
    norm = _norm(pixels, limit)
    alpha = None
    if picture is not None:
        ax.imshow(picture, cmap="gray", vmin=0, vmax=1)
        alpha = np.clip(np.abs(np.nan_to_num(pixels)) / norm.vmax, 0, 1)
    image = ax.imshow(pixels, cmap=RELEVANCE_COLORS, norm=norm, alpha=alpha, interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    if colorbar:
        color_scale(ax, image, "relevance")
    return ax


def _table(explanation: Explanation, limit: float | None, max_features: int, colorbar: bool, ax: Axes | None) -> Axes:
    target = targets_of(explanation)
    samples = np.lexsort((-explanation.prediction, target))
    values, target = explanation.values[samples], target[samples]
    magnitude = magnitudes(values)
    shown, others = feature_order(magnitude, max_features)
    ax = axes(ax, lines=0.8 * len(shown))
    norm = _norm(values[:, shown], limit)
    image = ax.imshow(values[:, shown].T, cmap=RELEVANCE_COLORS, norm=norm, aspect="auto", interpolation="nearest")
    name_features(ax, explanation, shown, others, magnitude)
    ax.set_ylim(len(shown) - 0.5 + bool(others.size), -0.5)
    _name_groups(ax, explanation, target, bottom=len(shown) - 0.5)
    ax.set_xlim(-0.5, len(target) - 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    label_x(ax, f"samples, by prediction · {what(explanation)}")
    if colorbar:
        color_scale(ax, image, "relevance")
    return ax


def _name_groups(ax: Axes, explanation: Explanation, target: np.ndarray, *, bottom: float) -> None:
    """Divide samples by what they explain, with the names above: slanted where they are too long for their samples."""
    bounds = [0, *(np.flatnonzero(np.diff(target)) + 1), len(target)]
    groups = list(pairwise(bounds)) if len(bounds) > 2 else []
    names = elide_all([explanation.output_names[target[start]] for start, _ in groups], 16)
    parts = [(stop - start) / len(target) for start, stop in groups]
    slanted = any(len(name) > 70 * part for name, part in zip(names, parts, strict=True))
    look: dict[str, Any] = {"rotation": 40, "ha": "left", "rotation_mode": "anchor"} if slanted else {"ha": "center"}
    last = -np.inf
    for (start, stop), name in zip(groups, names, strict=True):
        ax.plot([stop - 0.5] * 2, [-0.5, bottom], color="0.2", linewidth=0.8)
        middle = (start + stop - 1) / 2
        if middle - last > 0.035 * len(target):  # a line of text high, or it would hide the last one
            ax.text(middle, -0.6, name, va="bottom", fontsize=SMALL, parse_math=False, **look)
            last = middle


def _pixels(array: np.ndarray, shape: tuple[int, ...] | None, reduce: Callable[..., np.ndarray]) -> np.ndarray:
    """Reduce an image to (height, width).

    Channels come first, as in torch; last, if only the last axis is short.
    """
    pixels = array if shape is None else array.reshape(shape)
    if pixels.ndim == 3:
        last = pixels.shape[-1] <= 4 < pixels.shape[0]
        pixels = reduce(pixels, axis=-1 if last else 0)
    if pixels.ndim != 2:
        raise ValueError(
            f"expected an image of shape (height, width) or (channels, height, width), got {pixels.shape}; "
            "shape= gives the shape of a flat one"
        )
    return pixels


def _array(array: Any) -> np.ndarray:
    """Make an array, also of a tensor that has a gradient or is on another device."""
    if hasattr(array, "detach"):
        array = array.detach().cpu()
    return np.asarray(array, dtype=np.float64)


def _norm(pixels: np.ndarray, limit: float | None) -> Normalize:
    finite = np.abs(pixels[np.isfinite(pixels)])
    limit = finite.max(initial=0.0) if limit is None else limit
    return Normalize(-(limit or 1.0), limit or 1.0)


def _faint(pixels: np.ndarray) -> np.ndarray:
    """Move pixels between light grey and white, so that colours stay in front."""
    low, high = np.nanmin(pixels), np.nanmax(pixels)
    return 0.6 + 0.4 * (pixels - low) / (high - low or 1.0)
