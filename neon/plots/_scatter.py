"""Scatter: how the relevance of one feature depends on its value."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import matplotlib.dates as mdates
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from neon.explanation import Explanation
from neon.explanation.algebra import positions
from neon.explanation.as_numbers import as_numbers, date_at, days, in_words, is_date, is_duration
from neon.explanation.text import BLUE, GREY, RED, elide, elide_all
from neon.plots._canvas import FAINT, documented, figure, label_top, legend, table_of, what
from neon.plots._colors import group_color, value_colors, value_scale

SPREAD = 0.5  # of the distance between two categories, over which the dots of one are spread
LEGEND = 12  # categories that have a line in it


@documented
def scatter(
    explanation: Explanation, feature: str | int, *, color: str | int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw one dot a sample: at the feature's value and its relevance.

    Strings have a place each, in alphabetical order, over which their samples are spread; dates are on an axis of
    dates, durations on one of days; missing values are at the left.

    Parameters
    ----------
    {explanation}
    feature : str or int
        Name or position of the feature.
    color : str or int, optional
        Another feature whose value the dots are coloured by: missing values are grey. Default: red is positive
        relevance, blue is negative.
    {ax}

    {drawn}
        If there is no such feature.

    Notes
    -----
    Relevance that is not finite has no place on the axis and is left out.
    """
    explanation = table_of(explanation)
    column = _position(feature, explanation)
    other = None if color is None else _position(color, explanation)
    explanation = explanation[np.isfinite(explanation.values[:, column])]
    relevance, data = explanation.values[:, column], explanation.data
    at, categories = _places(data[:, column])
    ax = figure(6.5, 4.2) if ax is None else ax
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.axhline(0, **FAINT)
    colors = np.where(relevance >= 0, RED, BLUE) if other is None else _colored(ax, explanation, other)
    known = np.isfinite(at)
    is_time = not categories and any(map(is_date, data[:, column]))
    _name_places(ax, at[known], categories, missing=not known.all(), dates=is_time)
    low, high = ax.get_xlim()
    at = np.where(known, at, low + 0.04 * (high - low))  # in the margin that `_name_places` leaves
    ax.scatter(at, relevance, s=16, c=colors, linewidths=0, zorder=2, rasterized=len(at) > 1000)
    ax.set_xlim(low, high)
    unit = " (days)" if not categories and any(map(is_duration, data[:, column])) else ""
    ax.set_xlabel(elide(explanation.feature_names[column], 58 - len(unit)) + unit, parse_math=False)
    ax.set_ylabel("relevance")
    label_top(ax, what(explanation))
    return ax


def _position(feature: str | int, explanation: Explanation) -> int:
    if not isinstance(feature, str | int | np.integer):
        raise TypeError(f"expected the name or position of one feature, got {type(feature).__name__}")
    return int(positions(feature, explanation.feature_names)[0])


def _categories(column: np.ndarray) -> list[str]:
    """The strings among the values, and the numbers beside them as strings; none where all are numbers."""
    if not any(isinstance(value, str) for value in column):
        return []
    return sorted({_word(value) for value in column} - {""})


def _word(value: object) -> str:
    """A category's name; "" for what is missing: None, NaN, NaT, NA."""
    return (
        value if isinstance(value, str) else "" if value is None or str(value) in ("nan", "NaT", "<NA>") else str(value)
    )


def _places(column: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Where each sample is on the axis, NaN where its value is missing; and the categories, from 0 on."""
    categories = _categories(column)
    if not categories:
        return as_numbers(column), []
    words = np.array([_word(value) for value in column])
    at = np.full(len(column), np.nan)
    for place, category in enumerate(categories):
        rows = np.flatnonzero(words == category)
        at[rows] = place + SPREAD * ((np.arange(len(rows)) + 0.5) / len(rows) - 0.5)
    return at, categories


def _name_places(ax: Axes, at: np.ndarray, categories: Sequence[str], *, missing: bool, dates: bool) -> None:
    """Limits and ticks of the axis of values, with a margin at the left for what is missing."""
    low, high = (-0.5, len(categories) - 0.5) if categories else (at.min(initial=np.inf), at.max(initial=-np.inf))
    if not low < high:  # a single value, or none
        middle = low if np.isfinite(low) else 0.0
        low, high = middle - (abs(middle) or 1.0) / 2, middle + (abs(middle) or 1.0) / 2
    width = high - low
    if categories:
        ticks: Sequence[float] = range(len(categories))
        names = elide_all(categories, 20)
    elif dates:
        ticks, names = _date_ticks(low, high)
    else:
        ticks = [tick for tick in MaxNLocator(6).tick_values(low, high) if low <= tick <= high] if at.size else []
        names = [f"{tick:.6g}".replace("-", "−") for tick in ticks]
    left = low - (0.14 if missing else 0.04) * width
    right = high + 0.04 * width
    if missing:
        ax.axvline(left + 0.08 * (right - left), **FAINT | {"linestyle": ":"})
        ticks, names = [left + 0.04 * (right - left), *ticks], ["missing", *names]
    if missing or categories or dates:
        slanted = sum(map(len, names)) > 70
        look: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
        ax.set_xticks(ticks, names, parse_math=False, **look)
    ax.set_xlim(left, right)


def _date_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Round dates between two, in days since 1970, and their names."""
    start, stop = (date_at(end).astype(datetime.datetime) for end in (low, high))
    at = [mdates.num2date(tick).replace(tzinfo=None) for tick in mdates.AutoDateLocator().tick_values(start, stop)]
    shown = [tick for tick in at if low <= days(tick) <= high]
    return [days(tick) for tick in shown], [in_words(tick) for tick in shown]


def _colored(ax: Axes, explanation: Explanation, feature: int) -> np.ndarray:
    """Colours by the value of a feature, (n_samples, 4) or of str (n_samples,), with their legend beside the axes."""
    column, name = explanation.data[:, feature], elide(explanation.feature_names[feature], 40)
    categories = _categories(column)
    if not categories:
        value_scale(ax, name)
        return value_colors(as_numbers(column))
    shown = {category: group_color(place, len(categories)) for place, category in enumerate(categories)}
    lines = [Line2D([], [], marker="o", linestyle="", color=color) for color in shown.values()]
    title = name if len(categories) <= LEGEND else f"{name} ({LEGEND} of {len(categories)})"
    legend(ax, lines[:LEGEND], elide_all(categories, 24)[:LEGEND], title=title, loc="upper left")
    colors = np.empty(len(column), dtype=object)
    colors[:] = [shown.get(_word(value), GREY) for value in column]
    return colors
