"""Images: relevance of every pixel, and the pictures themselves, a byte a pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neon.explanation.as_numbers import as_numbers
from neon.report.excerpt import Excerpt, by_output
from neon.report.overview import overview
from neon.report.packing import packed

if TYPE_CHECKING:
    from neon.explanation import Explanation

__all__ = ["pictures"]

STEPS = 127  # of relevance, to either side of zero


def pictures(explanation: Explanation, chosen: Excerpt) -> dict[str, Any]:
    """Relevance (output, row, pixel), channels added up, in steps of each image's largest; pictures (row, pixel[, 3]).

    All pictures together span black to white; red, green and blue where there are three channels.
    """
    n, (height, width) = chosen.n_rows, chosen.shape
    every = np.stack([_pixels(np.asarray(values), chosen).sum(axis=2) for values in by_output(explanation)])
    relevance = every[:, :n]
    size = np.abs(np.nan_to_num(relevance))
    limit = size.max(axis=2)
    steps = np.nan_to_num(relevance) * (STEPS / np.where(limit > 0, limit, 1.0))[:, :, None]
    given = _pixels(as_numbers(np.asarray(explanation.data[:n])), chosen)
    colors = given if given.shape[2] == 3 else given.mean(axis=2, keepdims=True)
    low, high = np.nanmin(colors), np.nanmax(colors)
    shades = np.nan_to_num((colors - low) * (255 / ((high - low) or 1.0)))
    return {
        "shape": [height, width],
        "heat": packed(np.rint(steps).astype(np.int8)),
        "limits": packed(limit),
        "pictures": packed(np.rint(shades).reshape(n, -1)),
        "channels": colors.shape[2],
        "overview": overview(list(every), explanation.target),
    }


def _pixels(rows: np.ndarray, chosen: Excerpt) -> np.ndarray:
    """Images as (row, pixel, channel)."""
    height, width = chosen.shape
    if rows.ndim == 4 and rows.shape[2:] == (height, width):
        rows = np.moveaxis(rows, 1, -1)  # channels first
    return rows.reshape(len(rows), height * width, -1)
