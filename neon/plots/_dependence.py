"""Partial dependence: the mean prediction over a feature's values, and what two features do together."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from neon.dependence import Effect, PartialDependence
from neon.explanation.as_numbers import as_numbers
from neon.explanation.text import elide, elide_all
from neon.plots._canvas import FAINT, color_scale, figure, label_top
from neon.plots._colors import group_color, ink, relevance_colors
from neon.plots._documented import documented

FEW = 6  # points that each have a mark
DECILES = np.linspace(10, 90, 9)


@documented
def dependence(
    found: PartialDependence, features: str | tuple[str, str] | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw the mean prediction over the values of one feature, or what two do beyond each by itself.

    Of one feature a line, or a dot for each label; a grey line at the mean prediction of the rows, small strokes at
    the deciles of the rows' own values. Of two their effect: red is more than both by themselves, blue is less. Grid
    points that are missing values have no place.

    Parameters
    ----------
    found : PartialDependence
        Of `neon.partial_dependence`.
    features : str or pair of str, optional
        Which of its effects. Default: the first one.
    {ax}

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    KeyError
        If that was not asked for.
    """
    effect = found.effects[0] if features is None else found[features]
    return _curve(found, effect, ax) if len(effect.features) == 1 else _square(found, effect, ax)


def _curve(found: PartialDependence, effect: Effect, ax: Axes | None) -> Axes:
    ax = figure(6.0, 3.8) if ax is None else ax
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    (name,), (grid,) = effect.features, effect.grid
    ax.axhline(found.base, **FAINT)
    order = _in_order(grid)
    at, average = _places(grid)[order], effect.average[order]
    if _is_labels(grid):
        ax.plot(at, average, "o", color=group_color(2, 3), markersize=7)
        ax.set_xlim(-0.5, len(at) - 0.5)
    else:
        ax.plot(at, average, color=group_color(2, 3), linewidth=1.8, marker="o" if len(at) <= FEW else "")
        values = as_numbers(found.values[name])
        low, high = at.min(), at.max()
        deciles = np.percentile(values[np.isfinite(values)], DECILES)
        shown = deciles[(deciles >= low) & (deciles <= high)]
        ax.plot(
            shown, np.full(len(shown), 0.015), "|", color=ink(0.6), markersize=9, transform=ax.get_xaxis_transform()
        )
    _name(ax.xaxis, grid, name)
    ax.set_ylabel("mean prediction")
    label_top(ax, "", below=found.explains)
    return ax


def _square(found: PartialDependence, effect: Effect, ax: Axes | None) -> Axes:
    ax = figure(6.0, 4.6) if ax is None else ax
    orders = [_in_order(grid) for grid in effect.grid]
    one, other = (_edges(_places(grid)[order]) for grid, order in zip(effect.grid, orders, strict=True))
    drawn = effect.effect[np.ix_(*orders)]
    limit = np.abs(drawn).max(initial=0.0) or 1.0
    image = ax.pcolormesh(one, other, drawn.T, cmap=relevance_colors(), norm=Normalize(-limit, limit), rasterized=True)
    for axis, grid, name in zip((ax.xaxis, ax.yaxis), effect.grid, effect.features, strict=True):
        _name(axis, grid, name)
    for spine in ax.spines.values():
        spine.set_visible(False)
    color_scale(ax, image, "effect of both together")
    label_top(ax, "", below=found.explains)
    return ax


def _is_labels(grid: np.ndarray) -> bool:
    return grid.dtype.kind not in "iuf"


def _places(grid: np.ndarray) -> np.ndarray:
    """Where grid points are on an axis: numbers at themselves, labels one after the other."""
    return np.arange(len(grid), dtype=np.float64) if _is_labels(grid) else grid.astype(np.float64)


def _in_order(grid: np.ndarray) -> np.ndarray:
    """The grid points that have a place, from the lowest on."""
    at = _places(grid)
    return np.argsort(at, kind="stable")[: int(np.isfinite(at).sum())]


def _name(axis: Any, grid: np.ndarray, name: str) -> None:
    """Name an axis, and the points on it where they are few or labels."""
    points = grid[_in_order(grid)]
    if _is_labels(grid) or len(points) <= FEW:
        words = [str(p) if _is_labels(grid) else f"{p:.4g}".replace("-", "−") for p in points]
        axis.set_ticks(_places(grid)[_in_order(grid)], elide_all(words, 20), parse_math=False)
    axis.set_label_text(elide(name, 58), parse_math=False)


def _edges(at: np.ndarray) -> np.ndarray:
    """Where the cells around points end, (n_points + 1,)."""
    if len(at) == 1:
        return np.array([at[0] - 0.5, at[0] + 0.5])
    middle = (at[:-1] + at[1:]) / 2
    return np.concatenate([[2 * at[0] - middle[0]], middle, [2 * at[-1] - middle[-1]]])
