"""What the plots share: axes, what stands above and below them, lines, numbers beside bars, legends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from neon.explanation.rows_like_arrays import SparseRows, without_infinite
from neon.explanation.text import elide, elide_all, named_value, number
from neon.plots._colors import ink

if TYPE_CHECKING:
    from neon.explanation import Explanation

SMALL = 9  # font size in points, for numbers beside bars
NAMES = 10  # of the names on the left
ROW = 14.0  # height of a line of small text, in points
FAINT: dict[str, Any] = {"color": "0.6", "linewidth": 0.8, "zorder": 0.5}


def figure(width: float, height: float) -> Axes:
    """The axes of a new figure of this size, in inches."""
    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def axes(ax: Axes | None, *, lines: float, width: float = 7.5) -> Axes:
    """Take the given axes, or make a figure of a height that fits the number of lines."""
    ax = figure(width, 1.5 + 0.36 * lines) if ax is None else ax
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax


def text_width(text: str, size: float = SMALL) -> float:
    """How wide a line of text is, in points."""
    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size), ismath=False)
    return 1.06 * float(width)  # hinting makes it wider on screens


def fitted(text: str, width: float, size: float = SMALL) -> str:
    """A text, shortened in the middle to so many points; at least a few letters of it."""
    text = " ".join(text.split())
    letters = len(text)
    while letters > 4 and (wide := text_width(elide(text, letters), size)) > width:
        letters = max(4, min(letters - 1, int(letters * width / wide)))
    return elide(text, letters)


def begun(text: str, width: float) -> str:
    """A sentence, or as many words of its beginning as so many points hold."""
    words = text.split()
    for count in range(len(words), 0, -1):
        start = " ".join(words[:count]).rstrip(",;:(") + "…" * (count < len(words))
        if text_width(start) <= width:
            return start
    return fitted(text, width)


def room(ax: Axes) -> float:
    """Points between the left end of the axes and the end of the figure, or of axes that have neighbours.

    Before the layout is computed: the names of the lines on the left must be there already.
    """
    if len(ax.figure.axes) > 1:
        return 72 * ax.get_window_extent().width / ax.figure.dpi
    names = [label.get_text() for label in ax.get_yticklabels()]
    beside = 40 * bool(ax.get_ylabel())  # and numbers, which have no text yet
    return (
        72 * ax.figure.bbox.width / ax.figure.dpi
        - max((text_width(name, NAMES) for name in names), default=0)
        - 26
        - beside
    )


def label_x(ax: Axes, text: str) -> None:
    """Label the axis below, in one line. It is no formula either."""
    ax.set_xlabel(fitted(text, room(ax), NAMES), parse_math=False)


def label_top(ax: Axes, text: str, *, below: str = "", above: float = 0.0) -> None:
    """Write above the axes, from the left: a line, and a fainter one below it; `above` leaves points free for more."""
    width = room(ax)
    if not text:
        text, below = below, ""
    if below:
        line = ax.annotate(
            begun(below, width),
            (0, 1),
            xycoords="axes fraction",
            xytext=(0, above + 5),
            textcoords="offset points",
            fontsize=SMALL,
            color=ink(0.65),
            parse_math=False,
            gid="explains",
        )
        line.set_in_layout(False)  # as titles: its width takes nothing from the axes
    pad = above + 6 + ROW * bool(below)
    ax.set_title(fitted(text, width, NAMES), loc="left", fontsize=NAMES, color=ink(), pad=pad, parse_math=False)


def in_unit(name: str, unit: str) -> str:
    """A name of an axis with its unit, where there is one."""
    return f"{name} ({unit})" if unit and name else name


def short_names(explanation: Explanation, features: np.ndarray, *, row: int | None = None) -> list[str]:
    """Names of features, short enough for their lines; with the values that one row has."""
    names = elide_all([explanation.feature_names[feature] for feature in features])
    if row is None:
        return names
    imputed = explanation.imputed
    return [
        f"{name}: missing (imputed)" if imputed is not None and imputed[row, feature] else named_value(name, value)
        for name, feature, value in zip(names, features, explanation.data[row, features], strict=True)
    ]


def name_lines(ax: Axes, names: Sequence[str]) -> None:
    """Name the lines of a plot from the top down. Names are no formulas, even with a "$" in them."""
    ax.set_yticks(range(len(names)), names, parse_math=False, fontsize=NAMES)
    ax.set_ylim(len(names) - 0.4, -0.6)


def magnitudes(values: np.ndarray | SparseRows) -> np.ndarray:
    """Mean |relevance| of each feature, (n_features,); what is not finite counts as none."""
    mean: np.ndarray = np.abs(without_infinite(values)).mean(axis=0)
    return mean


def name_features(
    ax: Axes, explanation: Explanation, shown: np.ndarray, others: np.ndarray, magnitude: np.ndarray
) -> None:
    """Name the lines of features, and on a last one say how much the others have: a bar of it would dwarf the rest."""
    name_lines(ax, short_names(explanation, shown) + others_name(others))
    if others.size:
        ax.annotate(
            f"{number(magnitude[others].sum())} mean |relevance| together",
            (0, len(shown)),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL,
            color=ink(0.6),
        )


def others_name(others: np.ndarray) -> list[str]:
    """Name the last line, if there are other features."""
    return [f"{others.size} other features"] if others.size else []


def legend(ax: Axes, drawn: Sequence[Any], names: Sequence[str], *, title: str, **place: Any) -> None:
    """Say which group each colour stands for. Names are no formulas."""
    place = {"loc": "upper left", "bbox_to_anchor": (1, 1)} | place
    texts = ax.legend(drawn, names, title=title, frameon=False, fontsize=SMALL, title_fontsize=SMALL, **place)
    for text in (texts.get_title(), *texts.get_texts()):
        text.set_parse_math(False)


def legend_above(ax: Axes, drawn: Sequence[Any], names: Sequence[str], *, title: str = "") -> float:
    """Say it in rows above the axes, from the left; how high these are, in points, for `label_top`."""
    width = max(map(text_width, names)) + 40
    columns = max(1, min(len(names), int(room(ax) / width)))
    legend(
        ax,
        drawn,
        names,
        title=title,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        alignment="left",
        borderaxespad=0.2,
        borderpad=0.2,
        handlelength=1.2,
    )
    return ROW * (-(-len(names) // columns) + bool(title)) + 6


def color_scale(ax: Axes, image: Any, name: str) -> None:
    """Add the legend of an image's colours beside the axes."""
    bar = ax.figure.colorbar(image, ax=ax, aspect=30, pad=0.02, shrink=0.9)
    bar.set_label(name)
    bar.outline.set_visible(False)


def number_beside(ax: Axes, at: float, line: float, text: str, *, right: bool, gap: float = 3, **look: Any) -> None:
    """Write a number to the right or left of the end of a bar."""
    ax.annotate(
        text,
        (at, line),
        xytext=(gap if right else -gap, 0),
        textcoords="offset points",
        ha="left" if right else "right",
        va="center",
        **{"fontsize": SMALL, "parse_math": False} | look,
    )


def numbers_room(ax: Axes) -> float:
    """Room for the numbers at one end of the bars, for `padded` to leave at both: as a part of the range."""
    return min(0.6, 54 / max(room(ax) - 2 * 54, 54))


def padded(low: float, high: float, *, left: float = 0.0, right: float = 0.0) -> tuple[float, float]:
    """Limits with room for numbers, as parts of the range; any limits where the range is empty."""
    width = high - low
    if not width > 1e-9 * max(abs(low), abs(high)):
        width = abs(low) or 1.0
        low, high = low - width / 2, low + width / 2
    return low - left * width, high + right * width
