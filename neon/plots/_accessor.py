"""`explanation.plot`: the plots as methods."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, TypeVar

from neon.plots import bar, beeswarm, heatmap, images, interactions, scatter, waterfall
from neon.plots._tokens import text
from neon.plots._tokens_html import text_html

if TYPE_CHECKING:
    from neon.explanation import Explanation

P = ParamSpec("P")
R = TypeVar("R")


def _method(draw: Callable[Concatenate[Explanation, P], R]) -> Callable[Concatenate[PlotAccessor, P], R]:
    """A plot as a method: with the signature and the docstring of the function, less its explanation."""
    signature = inspect.signature(draw)
    _, *parameters = signature.parameters.values()
    options = [parameter.name for parameter in parameters]

    @functools.wraps(draw)
    def method(self: PlotAccessor, /, *args: P.args, **given: P.kwargs) -> R:
        unknown = [name for name in given if name not in options]
        if unknown:
            raise TypeError(f"plot.{draw.__name__} has no option {unknown[0]!r}; its options: {', '.join(options)}")
        return draw(self._explanation, *args, **given)

    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    # A keyword-only parameter may follow positional-only `self` and positional ones.
    method.__signature__ = signature.replace(parameters=[own, *parameters])  # type: ignore[attr-defined]
    method.__qualname__ = f"PlotAccessor.{draw.__name__}"
    method.__doc__ = re.sub(r"\nexplanation : .*(\n .*)*", "", inspect.getdoc(draw) or "")
    return method


class PlotAccessor:
    """The plots of one explanation; each returns the axes that it drew on, `text_html` a str."""

    def __init__(self, explanation: Explanation) -> None:
        self._explanation = explanation

    bar = _method(bar)
    beeswarm = _method(beeswarm)
    waterfall = _method(waterfall)
    heatmap = _method(heatmap)
    scatter = _method(scatter)
    interactions = _method(interactions)
    images = _method(images)
    text = _method(text)
    text_html = _method(text_html)

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """Name the plots: which one fits depends on the question."""
        raise TypeError(
            "explanation.plot() draws nothing by itself; choose .plot.beeswarm() or .plot.bar() for all rows, "
            ".plot.waterfall(0) for one row, .plot.scatter(feature) for one feature, or .plot.heatmap(), "
            ".plot.interactions(), .plot.images(), .plot.text(0)"
        )

    def __repr__(self) -> str:
        names = ".bar(), .beeswarm(), .waterfall(row), .heatmap(), .scatter(feature), .interactions()"
        return f"<plots of {self._explanation!r}: {names}, .images(), .text(row), .text_html(row)>"
