"""Several images, and the relevance of their pixels for several outputs, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from neon.explanation import Explanation
from neon.explanation.text import elide, number
from neon.plots._canvas import SMALL, in_unit
from neon.plots._captions import row_name
from neon.plots._colors import ink
from neon.plots._images import as_array, image, pixels_of, symmetric

SIDE = 1.7  # inches of an image


def images(
    explanation: Explanation,
    rows: Sequence[int] | None = None,
    *,
    outputs: Sequence[str | int] | None = None,
    shape: tuple[int, ...] | None = None,
    data: bool = True,
    limit: float | None = None,
    colorbar: bool = True,
) -> np.ndarray:
    """Draw a grid of images: a line for each sample, with the image itself and its relevance for each output.

    Above each picture of relevance stand the output and its prediction. All have one scale of colours: red positive,
    blue negative, zero white.

    Parameters
    ----------
    explanation : Explanation
        Of images, of one output per sample or of all outputs.
    rows : sequence of int, optional
        Which samples. Default: the first four.
    outputs : sequence of str or int, optional
        Of an explanation of all outputs, which of them, by name or index. Default: for each sample the three of the
        highest predictions, highest first.
    shape : tuple of int, optional
        Shape of an image whose pixels are the features, such as (8, 8).
    data : bool
        Whether the first column shows the images.
    limit : float, optional
        The relevance with the strongest colour; by default the largest magnitude of the grid.
    colorbar : bool
        Whether to add the legend of relevance.

    Returns
    -------
    ndarray of matplotlib Axes (n_rows, n_columns)

    Raises
    ------
    ValueError
        If the features are no pixels, or there is no such output or nothing to draw.
    """
    if not isinstance(explanation, Explanation):
        raise TypeError(f"expected a neon.Explanation, got {type(explanation).__name__}")
    drawn = explanation[np.arange(min(4, len(explanation))) if rows is None else np.asarray(rows, dtype=int)]
    if 0 in drawn.values.shape:
        raise ValueError(f"nothing to draw: values have shape {drawn.values.shape}")
    cells = [_cells(drawn, row, outputs, shape) for row in range(len(drawn))]
    scale = symmetric(np.concatenate([pixels.ravel() for line in cells for _, pixels in line]), limit).vmax
    pictures = [_picture(drawn.data[row], shape) for row in range(len(drawn))] if data else []
    columns = len(cells[0]) + bool(pictures)
    figure, axes = plt.subplots(
        len(cells),
        columns,
        figsize=(SIDE * columns + 0.9 * colorbar, (SIDE + 0.4) * len(cells) + 0.3),
        squeeze=False,
        layout="constrained",
    )
    for row, line in enumerate(cells):
        if pictures:
            _show(axes[row, 0], pictures[row], row_name(drawn, row))
        for ax, (title, pixels) in zip(axes[row, bool(pictures) :], line, strict=True):
            image(pixels, limit=scale, ax=ax)
            _title(ax, title)
    if colorbar:
        bar = figure.colorbar(axes[0, -1].images[-1], ax=axes, aspect=30, pad=0.02, shrink=min(1.0, 2 / len(cells)))
        bar.set_label(in_unit("relevance", drawn.unit))
        bar.outline.set_visible(False)
    figure.suptitle(elide(drawn.explains, 20 * columns), fontsize=SMALL, color=ink(0.65), parse_math=False)
    return axes


def _cells(
    explanation: Explanation, row: int, outputs: Sequence[str | int] | None, shape: tuple[int, ...] | None
) -> list[tuple[str, np.ndarray]]:
    """Title and relevance of each picture of a line."""
    names, values, predictions = explanation.output_names, explanation.values[row], explanation.prediction[row]
    if explanation.target is not None:
        if outputs is not None:
            raise ValueError("outputs= picks of an explanation of all outputs: explain with target='all'")
        return [(_named(names[explanation.target[row]], predictions), pixels_of(values, shape, np.sum))]
    picked = np.argsort(-predictions, kind="stable")[:3] if outputs is None else [_place(o, names) for o in outputs]
    return [(_named(names[k], predictions[k]), pixels_of(values[..., k], shape, np.sum)) for k in picked]


def _place(output: str | int, names: Sequence[str]) -> int:
    place = list(names).index(output) if isinstance(output, str) and output in names else output
    if isinstance(place, str) or not -len(names) <= place < len(names):
        raise ValueError(f"no output {output!r}; expected an index below {len(names)} or one of {list(names)}")
    return int(place)


def _named(output: str, prediction: float) -> str:
    return f"{elide(output, 18)}\n{number(prediction)}"


def _picture(data: Any, shape: tuple[int, ...] | None) -> np.ndarray:
    """An image from 0 to 1: in colour, where it has three channels."""
    array = as_array(data) if shape is None else as_array(data).reshape(shape)
    if array.ndim == 3 and array.shape[0] == 3:
        array = np.moveaxis(array, 0, -1)
    elif not (array.ndim == 3 and array.shape[-1] == 3):
        array = pixels_of(array, None, np.mean)
    low, high = np.nanmin(array), np.nanmax(array)
    return np.nan_to_num((array - low) / (high - low or 1.0))


def _show(ax: Axes, picture: np.ndarray, title: str) -> None:
    ax.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    _title(ax, elide(title, 18))


def _title(ax: Axes, text: str) -> None:
    ax.set_title(text, fontsize=SMALL, parse_math=False)
