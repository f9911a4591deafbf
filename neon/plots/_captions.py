"""What stands above a plot: which samples of which output, and what is explained of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from neon.explanation.algebra import SEVERAL_OUTPUTS
from neon.explanation.text import elide, number
from neon.plots._canvas import NAMES, fitted, label_top, room, text_width

if TYPE_CHECKING:
    from neon.explanation import Explanation

LISTED = 44  # letters of a list of outputs


def what(explanation: Explanation) -> str:
    """Say which of several outputs is explained: the same in all samples, or each sample's own; "" for the only one."""
    names = explanation.output_names
    if explanation.target is None:
        return f"all outputs ({listed(names)})"
    explained = [elide(names[target], 40) for target in np.unique(explanation.target)]
    if len(explained) > 1:
        return f"each row's own target ({listed(explained)})"
    if not explained or (len(names) == 1 and names != (SEVERAL_OUTPUTS,)):
        return ""
    return f"output {explained[0]}" if explained[0].isdecimal() else explained[0]


def head_of_samples(ax: Axes, explanation: Explanation, *notes: str, above: float = 0.0) -> None:
    """Name the output and count the samples above a plot of many, with notes; below them, what is explained."""
    count = len(explanation)
    samples = f"{count:,} sample{'s' * (count != 1)}"
    head(ax, explanation, what(explanation), samples if count > 1 else row_name(explanation, 0), *notes, above=above)


def head_of_sample(ax: Axes, sample: Explanation) -> None:
    """Name a sample, its output and its prediction above its plot; below them, what is explained."""
    head(ax, sample, *_of_sample(sample))


def sample_words(sample: Explanation) -> str:
    """A sample's name, its output and its prediction."""
    return " · ".join(filter(None, _of_sample(sample)))


def _of_sample(sample: Explanation) -> tuple[str, str, str]:
    return row_name(sample, 0), what(sample), f"prediction {number(sample.prediction[0])} {sample.unit}".rstrip()


def head(ax: Axes, explanation: Explanation, *parts: str, above: float = 0.0) -> None:
    """Write parts above a plot, after each other, the longest one shortened; below them, what is explained."""
    shown = list(filter(None, parts))
    widths = [text_width(f" · {part}", NAMES) for part in shown]
    longest = int(np.argmax(widths))  # the name of an output or the list of them, mostly
    shown[longest] = fitted(shown[longest], room(ax) - sum(widths) + widths[longest], NAMES)
    label_top(ax, " · ".join(shown), below=explanation.explains, above=above)


def row_name(explanation: Explanation, row: int) -> str:
    """What a row is called: by its label, or its position."""
    label = row if explanation.index is None else explanation.index[row]
    return elide(label if isinstance(label, str) else f"row {label}", 40)


def listed(names: Sequence[str]) -> str:
    """Names after each other; how many they are where the list is long."""
    every = ", ".join(names)
    return every if len(every) <= LISTED else f"{len(names)} outputs"
