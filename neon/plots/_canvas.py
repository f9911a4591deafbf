"""What the plots share: axes, lines, limits, colours of relevance, and the check of what they are given."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from neon.explanation import Explanation
from neon.explanation.algebra import SEVERAL_OUTPUTS
from neon.explanation.text import elide, elide_all, named_value, number

SMALL = 9  # font size in points, for numbers beside bars
WIDTH = 58  # letters in a line below the axes
FAINT: dict[str, Any] = {"color": "0.6", "linewidth": 0.8, "zorder": 0.5}

Draw = TypeVar("Draw", bound=Callable[..., Axes])

_SAID = {
    "explanation": """explanation : Explanation
    Of one output per sample.""",
    "max_features": """max_features : int
    Features with a line of their own, by mean |relevance|.""",
    "limit": """limit : float, optional
    The relevance with the strongest colour, the same for plots that are compared; by default the largest magnitude.""",
    "colorbar": """colorbar : bool
    Whether to add the legend of relevance.""",
    "ax": """ax : matplotlib Axes, optional
    Where to draw; new axes by default.""",
    "text_ax": """ax : matplotlib Axes, optional
    Where to draw; new axes, as high as the text, by default. Its own width at the time of the call is filled.""",
    "drawn": """Returns
-------
matplotlib Axes

Raises
------
ValueError
    If the explanation is of all outputs, or there is nothing to draw.""",
}


def documented(draw: Draw) -> Draw:
    """Put what the plots have alike into a docstring, in place of its ``{ax}``, ``{drawn}`` and so on."""
    draw.__doc__ = (inspect.getdoc(draw) or "").format(**_SAID)
    return draw


def table_of(explanation: Explanation) -> Explanation:
    """The explanation, if it can be drawn feature by feature: not of all outputs at once, of images, or empty."""
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


def figure(width: float, height: float) -> Axes:
    """The axes of a new figure of this size, in inches."""
    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def axes(ax: Axes | None, *, lines: float) -> Axes:
    """Take the given axes, or make a figure of a height that fits the number of lines."""
    ax = figure(7.5, 1.3 + 0.36 * lines) if ax is None else ax
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


def magnitudes(values: np.ndarray) -> np.ndarray:
    """Mean |relevance| of each feature, (n_features,); what is not finite counts as none."""
    mean: np.ndarray = np.abs(np.where(np.isfinite(values), values, 0.0)).mean(axis=0)
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
            color="0.45",
        )


def others_name(others: np.ndarray) -> list[str]:
    """Name the last line, if there are other features."""
    return [f"{others.size} other features"] if others.size else []


def legend(ax: Axes, drawn: Sequence[Any], names: Sequence[str], *, title: str, **place: Any) -> None:
    """Say which group each colour stands for. Names are no formulas."""
    texts = ax.legend(
        drawn, names, title=title, bbox_to_anchor=(1, 1), frameon=False, fontsize=SMALL, title_fontsize=SMALL, **place
    )
    for text in (texts.get_title(), *texts.get_texts()):
        text.set_parse_math(False)


def color_scale(ax: Axes, image: Any, name: str) -> None:
    """Add the legend of an image's colours beside the axes."""
    bar = ax.figure.colorbar(image, ax=ax, aspect=30, pad=0.02, shrink=0.9)
    bar.set_label(name)
    bar.outline.set_visible(False)


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
