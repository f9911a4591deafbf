"""What of an explanation fits a page that a browser opens at once: which rows, and which features of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neon.explanation.rows_like_arrays import SparseRows, without_infinite

if TYPE_CHECKING:
    from neon.explanation import Explanation

__all__ = ["MOST_ROWS", "Excerpt", "by_output", "excerpt_of", "strength"]

MOST_ROWS = 50_000
MOST_NUMBERS = 6_000_000  # of relevance: some 32 MB of the file
MOST_PIXELS = 24_000_000
FEATURES = 40  # with relevance and values of every row; of rows with more features, each has its own strongest as well
STRONGEST = 12


@dataclass(frozen=True)
class Excerpt:
    """What is on the page.

    Attributes
    ----------
    kind : {"table", "text", "image"}
    n_rows : int
        The first so many rows.
    features : ndarray of int (n_chosen,)
        Features that every row shows, the strongest first; none of images.
    wide : bool
        Whether there are more features, of which each row shows its own strongest.
    shape : tuple of int
        Height and width of an image.
    why : str
        Why rows were left out, in words; empty where none were.
    """

    kind: str
    n_rows: int
    features: np.ndarray
    wide: bool
    shape: tuple[int, ...] = ()
    why: str = ""


def by_output(explanation: Explanation) -> list[np.ndarray | SparseRows]:
    """Relevance for each output that is explained, or for each row's own one, (n_rows, *feature_shape)."""
    values = explanation.values
    if explanation.target is not None:
        return [values]
    return [values[..., output] for output in range(len(explanation.output_names))]


def strength(explanation: Explanation) -> np.ndarray:
    """Mean |relevance| of each feature, (n_features,), of the output where it is the largest."""
    means = [np.abs(without_infinite(values)).mean(axis=0) for values in by_output(explanation)]
    return np.asarray(np.max(means, axis=0))


def excerpt_of(explanation: Explanation, shape: tuple[int, int] | None, max_rows: int) -> Excerpt:
    """Choose rows and features.

    Raises
    ------
    ValueError
        If `shape` does not fit the features, or an image has no height and width.
    """
    n_rows, n_outputs = min(len(explanation), max_rows), len(by_output(explanation))
    why = f"max_rows={max_rows:,}" if n_rows < len(explanation) else ""
    nothing = np.zeros(0, dtype=int)
    if shape is not None or len(explanation.feature_shape) > 1:
        pixels = _image_shape(explanation, shape)
        most = max(1, MOST_PIXELS // (pixels[0] * pixels[1] * (n_outputs + 3)))
        n_rows, why = (most, "images are large") if most < n_rows else (n_rows, why)
        return Excerpt("image", n_rows, nothing, False, pixels, why)
    order = np.argsort(-strength(explanation), kind="stable")
    wide = len(order) > FEATURES
    each = n_outputs * (FEATURES + 3 * STRONGEST if wide else len(order))
    most = max(1, MOST_NUMBERS // max(each, 1))
    n_rows, why = (most, "the file would be too large") if most < n_rows else (n_rows, why)
    kind = "text" if explanation.texts is not None else "table"
    return Excerpt(kind, n_rows, order[:FEATURES], wide, (), why)


def _image_shape(explanation: Explanation, shape: tuple[int, int] | None) -> tuple[int, int]:
    """Height and width: of `shape`, or what is left without the channels (first as in torch, or a short last axis)."""
    features = explanation.feature_shape
    if shape is not None:
        if len(shape) != 2 or np.prod(shape) != np.prod(features):
            raise ValueError(f"shape: expected (height, width) of {int(np.prod(features))} pixels, got {shape}")
        return int(shape[0]), int(shape[1])
    if len(features) == 3:
        features = features[:2] if features[-1] <= 4 < features[0] else features[1:]
    if len(features) != 2:
        raise ValueError(f"no report of features of shape {explanation.feature_shape}; shape= gives height and width")
    return features
