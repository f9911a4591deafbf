"""What the plots share: axes, lines, limits, colours of relevance, and the check of what they are given."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from neon.explanation import Explanation
from neon.explanation.algebra import SEVERAL_OUTPUTS
from neon.explanation.text import BLUE, RED, elide, elide_all, named_value, number

SMALL = 9  # font size in points, for numbers beside bars
WIDTH = 58  # letters in a line below the axes
FAINT: dict[str, Any] = {"color": "0.6", "linewidth": 0.8, "zorder": 0.5}

# 257 colours: with symmetrical limits, zero falls on the middle one, white. What is no number is grey.
RELEVANCE_COLORS = LinearSegmentedColormap.from_list(
    "neon_relevance", ["#0d2c54", BLUE, "#ffffff", RED, "#5c0a14"], N=257
).with_extremes(bad="0.85")


def table_of(explanation: Explanation) -> Explanation:
    """Return the explanation if it can be drawn feature by feature.

    Raises
    ------
    TypeError
        If it is no explanation.
    ValueError
        If it explains all outputs at once, has no rows or features, or is of images.
    """
    if not isinstance(explanation, Explanation):
        raise TypeError(f"expected a neon.Explanation, got {type(explanation).__name__}")
    targets_of(explanation)
    if len(explanation.feature_shape) > 1:
        raise ValueError(f"no plot for features of shape {explanation.feature_shape} but plot.heatmap(row)")
    if 0 in explanation.values.shape:
        raise ValueError(f"nothing to draw: values have shape {explanation.values.shape}")
    return explanation


def targets_of(explanation: Explanation) -> np.ndarray:
    """Return which output each sample explains; raise if it explains all of them."""
    if explanation.target is None:
        first = (explanation.output_names or (0,))[0]
        raise ValueError(f"select an output first: explanation.select({first!r})")
    return explanation.target


def what(explanation: Explanation) -> str:
    """Say what is explained, and of which of several outputs: the same in all samples, or each sample's own."""
    names = explanation.output_names
    explained = [elide(names[target], 40) for target in np.unique(targets_of(explanation))]
    if len(explained) > 1:
        output = f": each row's own target ({_listed(explained)})"
    else:
        output = f": {explained[0]}" if explained and (len(names) > 1 or names == (SEVERAL_OUTPUTS,)) else ""
    return " ".join(textwrap.wrap(explanation.explains, WIDTH, max_lines=3, placeholder=" …")) + output


def _listed(names: Sequence[str]) -> str:
    """Names after each other, the middle ones left out of a long list."""
    first = next((count for count in range(len(names)) if len(", ".join(names[: count + 1])) > WIDTH), len(names))
    if first == len(names):
        return ", ".join(names)
    return f"{', '.join(names[: max(1, first - 1)])}, …, {names[-1]}"


def axes(ax: Axes | None, *, lines: float) -> Axes:
    """Take the given axes, or make a figure of a height that fits the number of lines."""
    if ax is None:
        _, ax = plt.subplots(figsize=(7.5, 1.3 + 0.36 * lines), layout="constrained")
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax


def label_x(ax: Axes, text: str, *, width: int = WIDTH) -> None:
    """Label the axis below, in as many lines as it takes beside the names on the left. It is no formula either."""
    ax.set_xlabel(textwrap.fill(text, width), parse_math=False)


def label_top(ax: Axes, text: str, *, width: int = 80) -> None:
    """Write above the axes, from the left, in lines of so many letters."""
    ax.set_title(textwrap.fill(text, width), loc="left", fontsize=SMALL, color="0.3", parse_math=False)


def short_names(explanation: Explanation, features: np.ndarray, *, row: int | None = None) -> list[str]:
    """Names of features, short enough for their lines; with the values that one row has."""
    names = elide_all([explanation.feature_names[feature] for feature in features])
    if row is None:
        return names
    return [named_value(name, value) for name, value in zip(names, explanation.data[row, features], strict=True)]


def name_lines(ax: Axes, names: Sequence[str]) -> None:
    """Name the lines of a plot from the top down. Names are no formulas, even with a "$" in them."""
    ax.set_yticks(range(len(names)), names, parse_math=False)
    ax.set_ylim(len(names) - 0.4, -0.6)


def others_name(others: np.ndarray) -> list[str]:
    """Name the last line, if there are other features."""
    return [f"{others.size} other features"] if others.size else []


def note_others(ax: Axes, line: int, magnitude: float) -> None:
    """Say how much the other features have together: one bar for all of them would dwarf the rest."""
    ax.annotate(
        f"{number(magnitude)} mean |relevance| together",
        (0, line),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=SMALL,
        color="0.45",
    )


def number_beside(ax: Axes, at: float, line: float, text: str, *, right: bool, gap: int = 3, **look: Any) -> None:
    """Write a number to the right or left of the end of a bar."""
    ax.annotate(
        text,
        (at, line),
        xytext=(gap if right else -gap, 0),
        textcoords="offset points",
        ha="left" if right else "right",
        va="center",
        fontsize=SMALL,
        **look,
    )


def padded(low: float, high: float, *, left: float = 0.0, right: float = 0.0) -> tuple[float, float]:
    """Limits with room for numbers, as parts of the range; any limits where the range is empty."""
    width = high - low
    if not width > 1e-9 * max(abs(low), abs(high)):
        width = abs(low) or 1.0
        low, high = low - width / 2, low + width / 2
    return low - left * width, high + right * width
