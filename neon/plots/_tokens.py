"""Text, token by token, on colours of relevance."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from neon.explanation.text import number
from neon.plots._canvas import NAMES, ROW, SMALL, label_top
from neon.plots._captions import sample_words
from neon.plots._colors import ink_on, relevance_colors
from neon.plots._documented import documented
from neon.plots._images import as_array, symmetric
from neon.plots._rows import sample_of

if TYPE_CHECKING:
    from neon.explanation import Explanation

WIDTH = 7.5  # inches of new axes
SIZE = 11.0  # font size; it, and what follows, in points
MARGIN = 3.0  # between a word and the ends of its box
GAP = 2.0  # between boxes
BOX, LINE = 17.0, 21.0  # height of a box, and of a line with the space below it
SCALE = 28.0  # height of the colour scale, with the space above it


@documented
def text(
    explanation: Explanation,
    row: Hashable = 0,
    *,
    limit: float | None = None,
    output: str | int | None = None,
    colorbar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw a document with the relevance of each word behind it: red positive, blue negative, zero white.

    What is explained and the prediction stand above it.

    Parameters
    ----------
    {explanation}
    {row}
    {limit}
    {output}
    {colorbar}
    {text_ax}

    {drawn}
        If the model read no text, or features were picked or grouped.
    """
    sample = sample_of(explanation, row, output)
    pieces, relevance = sample.text(0)
    return _draw(pieces, relevance, limit, colorbar, sample_words(sample), sample.explains, ax)


@documented
def tokens(
    tokens: Sequence[str],
    relevance: Any,
    *,
    limit: float | None = None,
    colorbar: bool = True,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a text with the relevance of each token behind it: red positive, blue negative, zero white.

    Parameters
    ----------
    tokens : sequence of str (n_tokens,)
        Words or pieces of words, drawn in this order, in as many lines as they take.
    relevance : array or Tensor (n_tokens,)
        Not finite: grey.
    {limit}
    {colorbar}
    title : str
        What stands above the text.
    {text_ax}

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        If there are no tokens, or not one relevance for each.
    """
    return _draw(tokens, relevance, limit, colorbar, title, "", ax)


def _draw(
    tokens: Sequence[str],
    relevance: Any,
    limit: float | None,
    colorbar: bool,
    title: str,
    explains: str,
    ax: Axes | None,
) -> Axes:
    words = [" ".join(str(token).split()) for token in tokens]
    values = as_array(relevance)
    if values.shape != (len(words),):
        raise ValueError(f"expected one relevance for each of {len(words)} tokens, got shape {values.shape}")
    if not words:
        raise ValueError("nothing to draw: there are no tokens")
    width = 72 * WIDTH if ax is None else 72 * ax.get_window_extent().width / ax.figure.dpi
    places, widths = _lay_out(words, width)
    below = LINE * (places[-1][1] + 1)
    height = below + SCALE * colorbar
    above = (NAMES + 10) * bool(title) + ROW * bool(explains)
    if ax is None:
        figure = plt.figure(figsize=(WIDTH, (height + above) / 72))
        ax = figure.add_axes((0.0, 0.0, 1.0, height / (height + above)))
    else:
        height = max(height, 72 * ax.get_window_extent().height / ax.figure.dpi)
    ax.set_axis_off()
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    if title:
        label_top(ax, title, below=explains)
    norm, colors = symmetric(values, limit), relevance_colors()
    if colorbar:
        _scale(ax, below, norm.vmax or 1.0, ScalarMappable(norm, colors))
    _boxes(ax, words, places, widths, colors(norm(values)))
    return ax


def _boxes(
    ax: Axes, words: Sequence[str], places: list[tuple[float, int]], widths: list[float], colors: np.ndarray
) -> None:
    """Words on their colours of relevance; places : the left end, and the line."""
    left, line = np.array(places).T
    top, right = LINE * line + (LINE - BOX) / 2, left + np.array(widths)
    corners = [[left, top], [right, top], [right, top + BOX], [left, top + BOX]]
    ax.add_collection(PolyCollection(list(np.array(corners).transpose(2, 0, 1)), facecolors=colors, linewidths=0))
    for word, start, end, above, color in zip(words, left, right, top, colors, strict=True):
        ax.text(
            (start + end) / 2,
            above + 0.74 * BOX,  # from the baseline, so that words stand level whatever letters they are made of
            word,
            fontsize=SIZE,
            color=ink_on(color[:3]),
            ha="center",
            va="baseline",
            parse_math=False,
        )


def _scale(ax: Axes, top: float, limit: float, colors: ScalarMappable) -> None:
    """A legend of relevance below the text, whose axes are in points, downwards."""
    width, height = ax.get_xlim()[1], ax.get_ylim()[0]
    inset = ax.inset_axes((30 / width, 1 - (top + 12) / height, 140 / width, 6 / height))
    scale = ax.figure.colorbar(colors, cax=inset, orientation="horizontal")
    ends = [-limit, 0.0, limit]
    scale.set_ticks(ends, labels=[number(end, signed=True) for end in ends])
    scale.outline.set_visible(False)
    inset.tick_params(length=0, pad=2, labelsize=SMALL)
    inset.text(1.17, 0.5, "relevance", transform=inset.transAxes, va="center", fontsize=SMALL)


def _lay_out(words: Sequence[str], width: float) -> tuple[list[tuple[float, int]], list[float]]:
    """The left end and line of each word's box, and the widths, in points; a word that is too long has its own line."""
    font = FontProperties(size=SIZE)
    widths = [2 * MARGIN + text_to_path.get_text_width_height_descent(word, font, ismath=False)[0] for word in words]
    places, left, line = [], 0.0, 0
    for wide in widths:
        if left > 0 and left + wide > width:
            left, line = 0.0, line + 1
        places.append((left, line))
        left += wide + GAP
    return places, widths
