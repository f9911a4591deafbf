"""Scatter: how the relevance of one feature depends on its value."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from numbers import Real
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
from neon.plots._canvas import FAINT, NAMES, figure, fitted, in_unit, legend, room, text_width
from neon.plots._captions import head_of_samples
from neon.plots._colors import group_color, value_colors, value_scale
from neon.plots._documented import documented
from neon.plots._rows import sampled, table_of, targets_of

SPREAD = 0.5  # of the distance between two categories, over which the dots of one are spread
DRAWN = 10_000  # samples that have a dot
LEGEND = 8  # categories that have a colour, and a line in the legend; the others are grey


@documented
def scatter(
    explanation: Explanation,
    feature: str | int,
    *,
    color: str | int | None = None,
    output: str | int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one dot a sample: at the feature's value and its relevance.

    Strings have a place each, in alphabetical order, over which their samples are spread, and so do booleans and
    numbers of which there are two; dates are on an axis of dates, durations on one of days; missing values are at the
    left.

    Parameters
    ----------
    {explanation}
    feature : str or int
        Name or position of the feature.
    color : str or int, optional
        Another feature whose value the dots are coloured by: missing values are grey. "target": what each sample
        explains, which is also the default where samples explain different outputs. Otherwise, red is positive
        relevance, blue is negative.
    {output}
    {ax}

    {drawn}
        If there is no such feature.

    Notes
    -----
    Relevance that is not finite has no place on the axis and is left out. Of more than 10,000 samples so many are
    drawn, at random, but the same at every call.
    """
    explanation = table_of(explanation, output)
    column = _position(feature, explanation)
    if color is None and len(np.unique(targets_of(explanation))) > 1:
        color = "target"
    other = None if color is None or color == "target" else _position(color, explanation)
    finite = np.flatnonzero(np.isfinite(explanation.values[:, column]))
    rows, note = sampled(len(finite), DRAWN)
    whole, explanation = explanation, explanation[finite[rows]]
    relevance, values = explanation.values[:, column], np.asarray(explanation.data[:, column])
    at, categories = _places(values)
    ax = figure(6.5, 4.2) if ax is None else ax
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.axhline(0, **FAINT)
    name = explanation.feature_names[column]
    days = not categories and any(map(is_duration, values))
    unit = explanation.feature_units.get(name, "days" if days else "")
    beside = 60 if color is None else 190
    label = fitted(name, room(ax) - beside - text_width(in_unit(" ", unit), NAMES), NAMES)
    ax.set_xlabel(in_unit(label, unit), parse_math=False)
    ax.set_ylabel(in_unit("relevance", explanation.unit), parse_math=False)
    head_of_samples(ax, whole, note)
    if color == "target":
        outputs = np.array([explanation.output_names[target] for target in targets_of(explanation)], dtype=object)
        colors = _colored(ax, outputs, "target", explanation.output_names)
    elif other is not None:
        colors = _colored(ax, np.asarray(explanation.data[:, other]), explanation.feature_names[other])
    else:
        colors = np.select([relevance > 0, relevance < 0], [RED, BLUE], GREY)
    known = np.isfinite(at)
    is_time = not categories and any(map(is_date, values))
    imputed = explanation.imputed is not None and bool(explanation.imputed[~known, column].all())
    missing = "" if known.all() else "imputed" if imputed else "missing"
    _name_places(ax, at[known], categories, missing=missing, dates=is_time)
    low, high = ax.get_xlim()
    at = np.where(known, at, low + 0.04 * (high - low))  # in the margin that `_name_places` leaves
    ax.scatter(at, relevance, s=16, c=colors, linewidths=0, zorder=2, rasterized=len(at) > 1000)
    ax.set_xlim(low, high)
    return ax


def _position(feature: str | int, explanation: Explanation) -> int:
    if not isinstance(feature, str | int | np.integer):
        raise TypeError(f"expected the name or position of one feature, got {type(feature).__name__}")
    return int(positions(feature, explanation.feature_names)[0])


def _categories(column: np.ndarray) -> list[str]:
    """The names of the values that have a place each: strings, and numbers beside them, or two numbers; or none."""
    if not any(isinstance(value, str) for value in column):
        values = np.unique(numbers := as_numbers(column))[:3]
        is_pair = len(values := values[np.isfinite(values)]) == 2 and not any(map(is_date, column))
        return list(dict.fromkeys(_word(column[numbers == value][0]) for value in values)) if is_pair else []
    return sorted({_word(value) for value in column} - {""})


def _word(value: object) -> str:
    """A category's name; "" for what is missing: None, NaN, NaT, NA."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if value is None or str(value) in ("nan", "NaT", "<NA>"):
        return ""
    return f"{value:.6g}".replace("-", "−") if isinstance(value, Real) else str(value)


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


def _name_places(ax: Axes, at: np.ndarray, categories: Sequence[str], *, missing: str, dates: bool) -> None:
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
        ticks, names = [left + 0.04 * (right - left), *ticks], [missing, *names]
    if missing or categories or dates:
        slanted = sum(map(len, names)) > 70
        look: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
        ax.set_xticks(ticks, names, parse_math=False, **look)
    elif at.size and (at == np.round(at)).all():
        ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
    ax.set_xlim(left, right)


def _date_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Round dates between two, in days since 1970, and their names."""
    start, stop = (date_at(end).astype(datetime.datetime) for end in (low, high))
    at = [mdates.num2date(tick).replace(tzinfo=None) for tick in mdates.AutoDateLocator().tick_values(start, stop)]
    shown = [tick for tick in at if low <= days(tick) <= high]
    return [days(tick) for tick in shown], [in_words(tick) for tick in shown]


def _colored(ax: Axes, column: np.ndarray, name: str, order: Sequence[str] = ()) -> np.ndarray:
    """Colours by the values of a column, (n_samples, 4) or of str (n_samples,), with their legend beside the axes.

    Categories are in alphabetical order, or in a given one; the most frequent have a colour.
    """
    categories, name = _categories(column), elide(name, 40)
    if not categories:
        numbers = as_numbers(column)
        value_scale(ax, name, numbers, dates=any(map(is_date, column)))
        return value_colors(numbers)
    words = [_word(value) for value in column]
    often = [word for word, _ in Counter(filter(None, words)).most_common(LEGEND)]
    kept = [category for category in order or categories if category in often]
    shown = {category: group_color(place, len(kept)) for place, category in enumerate(kept)}
    lines = [Line2D([], [], marker="o", linestyle="", color=color) for color in shown.values()]
    names = elide_all(kept, 24)
    if others := len(categories) - len(kept):
        lines, names = [*lines, Line2D([], [], marker="o", linestyle="", color=GREY)], [*names, f"{others} others"]
    legend(ax, lines, names, title=name, alignment="left")
    colors = np.empty(len(column), dtype=object)
    colors[:] = [shown.get(word, GREY) for word in words]
    return colors
