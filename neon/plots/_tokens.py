"""Text, token by token, on colours of relevance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path

from neon.plots._canvas import RELEVANCE_COLORS
from neon.plots._heatmap import _array, _norm

WIDTH = 7.5  # inches of new axes
SIZE = 11.0  # font size; it, and what follows, in points
MARGIN = 3.0  # between a word and the ends of its box
GAP = 2.0  # between boxes
BOX, LINE = 17.0, 21.0  # height of a box, and of a line with the space below it


def tokens(tokens: Sequence[str], relevance: Any, *, limit: float | None = None, ax: Axes | None = None) -> Axes:
    """Draw a text with the relevance of each token behind it: red positive, blue negative, zero white.

    Parameters
    ----------
    tokens : sequence of str (n_tokens,)
        Words or pieces of words, drawn in this order, in as many lines as they take.
    relevance : array or Tensor (n_tokens,)
        Not finite: grey.
    limit : float, optional
        The relevance with the strongest colour, the same for texts that are compared; the largest magnitude by
        default.
    ax : matplotlib Axes, optional
        Where to draw; new axes, as high as the text, by default. Its own width at the time of the call is filled.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        If there are no tokens, or not one relevance for each.
    """
    words = [" ".join(str(token).split()) for token in tokens]
    values = _array(relevance)
    if values.shape != (len(words),):
        raise ValueError(f"expected one relevance for each of {len(words)} tokens, got shape {values.shape}")
    if not words:
        raise ValueError("nothing to draw: there are no tokens")
    width = 72 * WIDTH if ax is None else 72 * ax.get_window_extent().width / ax.figure.dpi
    places, widths = _lay_out(words, width)
    height = LINE * (places[-1][1] + 1)
    if ax is None:
        figure = plt.figure(figsize=(WIDTH, height / 72))
        ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    else:
        height = max(height, 72 * ax.get_window_extent().height / ax.figure.dpi)
    ax.set_axis_off()
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    norm = _norm(values, limit)
    for word, (left, line), wide, value in zip(words, places, widths, values, strict=True):
        red, green, blue, _ = color = RELEVANCE_COLORS(norm(value))
        top = LINE * line + (LINE - BOX) / 2
        ax.add_patch(Rectangle((left, top), wide, BOX, facecolor=color, linewidth=0))
        dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
        # From the baseline, so that words stand level whatever letters they are made of.
        ax.text(
            left + wide / 2,
            top + 0.74 * BOX,
            word,
            fontsize=SIZE,
            color="white" if dark else "0.1",
            ha="center",
            va="baseline",
            parse_math=False,
        )
    return ax


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
