"""Relevance as one of scikit-learn's displays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from neon.explainer import Explainer
from neon.explanation import Explanation
from neon.lrp.composites import Rules
from neon.plots._bar import bar
from neon.plots._beeswarm import beeswarm
from neon.plots._heatmap import heatmap
from neon.plots._scatter import scatter
from neon.plots._waterfall import waterfall

KINDS: dict[str, Callable[..., Axes]] = {
    "bar": bar,
    "beeswarm": beeswarm,
    "heatmap": heatmap,
    "scatter": scatter,
    "waterfall": waterfall,
}


class RelevanceDisplay:
    """Relevance of the features of a fitted model, drawn as scikit-learn's displays draw.

    Made by `from_estimator` or `from_explanation`; `plot` draws it again, of another kind or on other axes.

    Parameters
    ----------
    explanation : Explanation

    Attributes
    ----------
    explanation : Explanation
    ax_ : matplotlib Axes
        Where it was drawn last.
    figure_ : matplotlib Figure
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def __init__(self, explanation: Explanation) -> None:
        self.explanation = explanation

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        kind: str = "bar",
        target: Any = None,
        composite: Rules | None = None,
        output: str | None = None,
        reference: Any = None,
        data: Any = None,
        ax: Axes | None = None,
        **options: Any,
    ) -> RelevanceDisplay:
        """Explain the rows of X and draw their relevance.

        Parameters
        ----------
        estimator : estimator or Pipeline
            Fitted.
        X : array-like (n_samples, n_features), DataFrame or sparse matrix
        kind : "bar", "beeswarm", "heatmap", "scatter" or "waterfall"
            Which of `neon.plots`.
        target : optional
            As for a call of `neon.Explainer`.
        composite, output, reference, data : optional
            As for `neon.Explainer`.
        ax : matplotlib Axes, optional
            Where to draw; new axes by default.
        **options
            Of the plot: ``max_features=5``, ``row=3``, ``feature="age"``, ...

        Raises
        ------
        ValueError
            If there is no such kind; as `neon.Explainer` and the plot.
        """
        _check_kind(kind)
        explainer = Explainer(estimator, composite=composite, output=output, reference=reference, data=data)
        return cls(explainer(X, target)).plot(kind=kind, ax=ax, **options)

    @classmethod
    def from_explanation(
        cls, explanation: Explanation, *, kind: str = "bar", ax: Axes | None = None, **options: Any
    ) -> RelevanceDisplay:
        """Draw an explanation; options as for `from_estimator`."""
        return cls(explanation).plot(kind=kind, ax=ax, **options)

    def plot(self, *, kind: str = "bar", ax: Axes | None = None, **options: Any) -> RelevanceDisplay:
        """Draw; options as for `from_estimator`. Returns the display itself."""
        _check_kind(kind)
        self.ax_ = KINDS[kind](self.explanation, ax=ax, **options)
        self.figure_ = self.ax_.figure
        return self


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(map(repr, KINDS))}; got {kind!r}")
