"""Waterfall: from the base value to the prediction of one sample, feature by feature."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from neon.explanation import Explanation
from neon.explanation.as_numbers import as_numbers
from neon.explanation.fields import labels_of
from neon.explanation.picking import row_position
from neon.explanation.text import BLUE, RED, elide, elide_all, feature_order, number
from neon.plots._canvas import (
    FAINT,
    axes,
    documented,
    label_top,
    label_x,
    name_lines,
    number_beside,
    others_name,
    padded,
    short_names,
    table_of,
    what,
)

RESIDUAL: dict[str, Any] = {"facecolor": "#e3e3e3", "edgecolor": "#7a7a7a", "hatch": "////", "linewidth": 0.8}


@documented
def waterfall(explanation: Explanation, row: Hashable = 0, *, max_features: int = 10, ax: Axes | None = None) -> Axes:
    """Draw how features, then residuals, lead from the base value to the prediction of one sample.

    Read from the top down: the base value; features, most relevant first (red: up, blue: down); the features
    left out, as one step; residuals by name, hatched grey, as no feature owns them (those that are zero take
    no line, nor do tokens that the document does not have and that have no relevance); the prediction. A step
    that is not finite has no length, but its number.

    Parameters
    ----------
    {explanation}
    row : int or label
        Which sample: by position, or by its label if that is no whole number.
    {max_features}
    {ax}

    {drawn}
    IndexError
        If there is no row at that position.
    KeyError
        If no row has that label.
    """
    sample = table_of(explanation)[row_position(explanation, row)]
    values, base, prediction = sample.values[0], sample.base_values[0], sample.prediction[0]
    shown, others = feature_order(np.abs(values), max_features)
    if sample.texts is not None:  # a document has few of the tokens
        shown, others = (
            part[(values[part] != 0) | (as_numbers(sample.data[0, part]) != 0)] for part in (shown, others)
        )
    residuals = {name: part[0] for name, part in sample.residuals.items() if part[0] != 0}
    names = [
        "base value",
        *short_names(sample, shown, row=0),
        *others_name(others),
        *elide_all(list(residuals)),
        "prediction",
    ]
    features = [*values[shown], values[others].sum()] if others.size else list(values[shown])
    steps = features + list(residuals.values())
    lengths = np.where(np.isfinite(steps), steps, 0.0)
    ends = np.cumsum([base if np.isfinite(base) else 0.0, *lengths])

    ax = axes(ax, lines=len(names))
    for line, (step, length) in enumerate(zip(steps, lengths, strict=True), start=1):
        look = {"color": RED if length >= 0 else BLUE} if line <= len(features) else RESIDUAL
        ax.barh(line, length, left=ends[line - 1], height=0.7, zorder=2, **look)
        number_beside(ax, ends[line], line, number(step, signed=True), right=length >= 0)
    for line, end in enumerate(ends):
        ax.plot([end, end], [line, line + 1], **FAINT)
    for line, end, text in ((0, ends[0], number(base)), (len(names) - 1, ends[-1], number(prediction))):
        ax.plot([end], [line], marker="D", markersize=6, color="#333333", zorder=3)
        number_beside(ax, end, line, text, right=True, gap=7, fontweight="bold")
    name_lines(ax, names)
    ax.set_xlim(padded(ends.min(), ends.max(), left=0.2, right=0.2))
    label_x(ax, what(sample))
    if explanation.index is not None:
        label_top(ax, elide(labels_of(sample)[0], 60))
    return ax
