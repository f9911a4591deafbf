"""Waterfall: from the base value to the prediction of one sample, feature by feature."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from neon.explanation import Explanation
from neon.explanation.as_numbers import as_numbers
from neon.explanation.text import BLUE, RED, elide_all, feature_order, number
from neon.plots._canvas import (
    FAINT,
    SMALL,
    axes,
    fitted,
    in_unit,
    label_x,
    name_lines,
    number_beside,
    numbers_room,
    others_name,
    padded,
    room,
    short_names,
    text_width,
)
from neon.plots._captions import head_of_sample
from neon.plots._colors import ink
from neon.plots._documented import documented
from neon.plots._rows import sample_of, table_of

RESIDUAL: dict[str, Any] = {"facecolor": "#e3e3e3", "edgecolor": "#7a7a7a", "hatch": "////", "linewidth": 0.8}
IMPUTED: dict[str, Any] = {"hatch": "....", "edgecolor": "white", "linewidth": 0.0}
CANCEL = 2.0  # so many times their sum residuals are in all, where they cancel


@documented
def waterfall(
    explanation: Explanation,
    row: Hashable = 0,
    *,
    max_features: int = 10,
    output: str | int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how features, then residuals, lead from the base value to the prediction of one sample.

    Read from the top down: the base value; features, most relevant first (red: up, blue: down; dotted where the
    model's imputer put a value in); the features left out, as one step; residuals by name, hatched grey, as no feature
    owns them (those that are zero take no line, nor do tokens that the document does not have and that have no
    relevance; those that are larger than any feature and cancel are one step, their net); the prediction. A step that
    is not finite has no length, but its number.

    Parameters
    ----------
    {explanation}
    {row}
    {max_features}
    {output}
    {ax}

    {drawn}
    IndexError
        If there is no row at that position.
    KeyError
        If no row has that label.
    """
    sample = table_of(sample_of(explanation, row, output))
    values, base, prediction = sample.values[0], sample.base_values[0], sample.prediction[0]
    shown, others = feature_order(np.abs(values), max_features)
    if sample.texts is not None:  # a document has few of the tokens
        shown, others = (
            part[(values[part] != 0) | (as_numbers(sample.data[0, part]) != 0)] for part in (shown, others)
        )
    residuals = _residuals(sample)
    names = [
        "base value",
        *short_names(sample, shown, row=0),
        *others_name(others),
        *elide_all(list(residuals)),
        "prediction",
    ]
    features = [*values[shown], values[others].sum()] if others.size else list(values[shown])
    steps = features + [step for step, _ in residuals.values()]
    notes = [""] * len(features) + [note for _, note in residuals.values()]
    imputed = np.zeros(len(steps), dtype=bool)
    if sample.imputed is not None:
        imputed[: len(shown)] = sample.imputed[0, shown]
    lengths = np.where(np.isfinite(steps), steps, 0.0)
    ends = np.cumsum([base if np.isfinite(base) else 0.0, *lengths])

    ax = axes(ax, lines=len(names))
    for line, (step, length) in enumerate(zip(steps, lengths, strict=True), start=1):
        look = {"color": RED if length >= 0 else BLUE} if line <= len(features) else RESIDUAL
        if imputed[line - 1]:
            look = {"facecolor": look["color"], **IMPUTED}
        ax.barh(line, length, left=ends[line - 1], height=0.7, zorder=2, **look)
        number_beside(ax, ends[line], line, number(step, signed=True) + notes[line - 1], right=length >= 0)
    for line, end in enumerate(ends):
        ax.plot([end, end], [line, line + 1], **FAINT)
    for line, end, text in ((0, ends[0], number(base)), (len(names) - 1, ends[-1], number(prediction))):
        ax.plot([end], [line], marker="D", markersize=6, color=ink(0.85), zorder=3)
        number_beside(ax, end, line, text, right=True, gap=7, fontweight="bold")
    name_lines(ax, names)
    side = numbers_room(ax)
    ax.set_xlim(padded(ends.min(), ends.max(), left=side, right=side))
    label_x(ax, in_unit("prediction", sample.unit))
    _say_base(ax, ends[0], 14 + text_width(number(base)), sample.base_in_words)
    head_of_sample(ax, sample)
    return ax


def _residuals(sample: Explanation) -> dict[str, tuple[float, str]]:
    """Residuals by name, with a note; one step where they cancel: they would dwarf the features."""
    parts = {name: float(part[0]) for name, part in sample.residuals.items() if part[0] != 0}
    steps = np.array(list(parts.values()))
    total = np.abs(steps).sum()
    if len(parts) < 2 or not total >= CANCEL * abs(steps.sum()) or not total > np.abs(sample.values).max():
        return {name: (step, "") for name, step in parts.items()}
    each = ", ".join(number(step, signed=True) for step in steps[:3]) + ", …" * (len(steps) > 3)
    return {f"{', '.join(parts)} (net)": (float(steps.sum()), f", net of {each}")}


def _say_base(ax: Axes, base: float, gap: float, words: str) -> None:
    """Say what the base value is, on the side of it that has more room."""
    low, high = ax.get_xlim()
    right = bool(high - base > base - low)
    width = (room(ax) - 10) * max(high - base, base - low) / (high - low) - (gap if right else 10)
    lines = textwrap.wrap(words, max(12, int(width / (0.52 * SMALL))))
    text = "\n".join([*lines[:1], fitted(" ".join(lines[1:]), width)] if len(lines) > 1 else lines)
    number_beside(ax, base, 0, text, right=right, gap=gap if right else 8, color=ink(0.65), linespacing=1.0)
