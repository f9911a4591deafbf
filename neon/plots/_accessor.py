"""`explanation.plot`: the plots as methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neon import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neon.explanation import Explanation


class PlotAccessor:
    """The plots of one explanation; every method passes its options on and returns the axes."""

    def __init__(self, explanation: Explanation) -> None:
        self._explanation = explanation

    def bar(self, **options: Any) -> Axes:
        """Mean |relevance| of each feature; for one sample, signed. See `neon.plots.bar`."""
        return plots.bar(self._explanation, **options)

    def beeswarm(self, **options: Any) -> Axes:
        """Relevance of each feature in each sample, as dots. See `neon.plots.beeswarm`."""
        return plots.beeswarm(self._explanation, **options)

    def waterfall(self, row: int = 0, **options: Any) -> Axes:
        """From the base value to the prediction of one sample. See `neon.plots.waterfall`."""
        return plots.waterfall(self._explanation, row, **options)

    def heatmap(self, row: int = 0, **options: Any) -> Axes:
        """Relevance of the pixels of one image, or of a whole table. See `neon.plots.heatmap`."""
        return plots.heatmap(self._explanation, row, **options)

    def text(self, row: int = 0, **options: Any) -> Axes:
        """Relevance of the words of one document, in place. See `neon.plots.tokens`."""
        pieces, relevance = self._explanation.text(row)
        if relevance.ndim > 1:
            raise ValueError("explanation of all outputs: pick one by explanation.select(output).plot.text(row)")
        return plots.tokens(pieces, relevance, **options)

    def __repr__(self) -> str:
        return f"<plots of {self._explanation!r}: .bar(), .beeswarm(), .waterfall(row), .heatmap(), .text(row)>"
