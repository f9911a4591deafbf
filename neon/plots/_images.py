"""Relevance of the pixels of images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from neon.plots._canvas import color_scale, figure
from neon.plots._colors import RELEVANCE_COLORS

__all__ = ["as_array", "image", "picture", "pixels_of", "symmetric"]


def image(
    relevance: np.ndarray,
    *,
    shape: tuple[int, ...] | None = None,
    data: Any = None,
    limit: float | None = None,
    colorbar: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw the relevance of one image, over the faint image where it is given; `colorbar` is its scale's name."""
    pixels = pixels_of(relevance, shape, np.sum)
    ground = None if data is None or data is False else picture(pixels_of(as_array(data), shape, np.mean))
    ax = figure(4.6, 4.2) if ax is None else ax
    norm = symmetric(pixels, limit)
    alpha = None
    if ground is not None:
        ax.imshow(ground, cmap="gray", vmin=0, vmax=1)
        alpha = np.clip(np.abs(np.nan_to_num(pixels)) / norm.vmax, 0, 1)
    drawn = ax.imshow(pixels, cmap=RELEVANCE_COLORS, norm=norm, alpha=alpha, interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set(color="0.6", linewidth=0.6)  # white pixels end somewhere
    if colorbar:
        color_scale(ax, drawn, colorbar)
    return ax


def pixels_of(array: np.ndarray, shape: tuple[int, ...] | None, reduce: Callable[..., np.ndarray]) -> np.ndarray:
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


def as_array(array: Any) -> np.ndarray:
    """Make an array, also of a tensor that has a gradient or is on another device."""
    if hasattr(array, "detach"):
        array = array.detach().cpu()
    return np.asarray(array, dtype=np.float64)


def symmetric(values: np.ndarray, limit: float | None) -> Normalize:
    """Limits of colours around zero: the largest magnitude that is finite, or those that were given."""
    finite = np.abs(values[np.isfinite(values)])
    limit = finite.max(initial=0.0) if limit is None else limit
    return Normalize(-(limit or 1.0), limit or 1.0)


def picture(pixels: np.ndarray) -> np.ndarray:
    """Move pixels between light grey and white, so that colours stay in front."""
    known = pixels[np.isfinite(pixels)]
    low, high = known.min(initial=np.inf), known.max(initial=-np.inf)
    return 0.6 + 0.4 * (pixels - low) / (high - low or 1.0) if known.size else np.ones_like(pixels)
