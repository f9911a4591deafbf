"""What a reader must be able to read: every text on the figure, none over another."""

from __future__ import annotations

from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.text import Text


def assert_readable(axes: Axes) -> None:
    """Raise AssertionError if a text leaves the figure, or names on an axis or lines above it hide each other."""
    figure = axes.figure
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    inside = figure.bbox.padded(2)
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if not (text.get_visible() and text.get_text().strip()) or _is_hidden_tick(text, figure.axes):
            continue
        box = text.get_window_extent(renderer)
        fits = inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
        assert fits, f"{text.get_text()!r} leaves the figure: {box} of {figure.bbox}"
    for ax in figure.axes:
        for axis, across in ((ax.xaxis, "x"), (ax.yaxis, "y")):
            labels = [label for label in axis.get_ticklabels() if _shown(label, ax)]
            if any(label.get_rotation() not in (0.0, 90.0) for label in labels):
                continue  # boxes of slanted texts overlap, the texts do not
            ends = sorted(tuple(getattr(label.get_window_extent(renderer), f"interval{across}")) for label in labels)
            for one, other in pairwise(ends):
                assert one[1] <= other[0] + 1, f"tick labels overlap: {[label.get_text() for label in labels]}"
    above = [axes._left_title, *(text for text in axes.texts if text.get_gid() == "explains")]  # type: ignore[attr-defined]
    boxes = [text.get_window_extent(renderer) for text in above if text.get_text()]
    if legend := axes.get_legend():
        boxes.append(legend.get_window_extent(renderer))
    boxes += [label.get_window_extent(renderer) for label in axes.get_yticklabels()[:1]]
    for place, box in enumerate(boxes):
        for other in boxes[:place]:
            assert not box.padded(-1).overlaps(other.padded(-1)), [text.get_text() for text in above]


def _shown(label: Text, ax: Axes) -> bool:
    if not label.get_text().strip() or not label.get_visible():
        return False
    x, y = label.get_window_extent().x0, label.get_window_extent().y0
    return bool(ax.axison) and x == x and y == y and not _is_hidden_tick(label, [ax])


def _is_hidden_tick(text: Text, every: list[Axes]) -> bool:
    """Matplotlib keeps labels of ticks outside the limits, and draws none of them."""
    for ax in every:
        for axis, at in ((ax.xaxis, 0), (ax.yaxis, 1)):
            labels = [tick.label1 for tick in axis.get_major_ticks()] + [tick.label2 for tick in axis.get_major_ticks()]
            if text in labels:
                low, high = sorted(axis.get_view_interval())
                slack = 1e-9 * (high - low)
                return not (ax.axison and low - slack <= text.get_position()[at] <= high + slack)
    return False
