"""What the docstrings of the plots have alike."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

Draw = TypeVar("Draw", bound=Callable[..., Any])

_SAID = {
    "explanation": """explanation : Explanation
    Of one output per sample, or of all outputs where `output` picks one.""",
    "of_several": """explanation : Explanation
    Of one output per sample, or of all outputs.""",
    "max_features": """max_features : int
    Features with a line of their own, by mean |relevance|.""",
    "output": """output : str or int, optional
    Draw this output alone, by its name or index: of an explanation of all outputs, or the samples that explain it.""",
    "by": """by : str, array of shape (n_samples,), or None
    Draw groups of samples apart: "target" by what they explain (the default: relevance of several outputs has no
    sign in common), the name of a feature by its values, a mask or an array by its own. Many numbers make four groups
    of equal size. None: all samples together.""",
    "limit": """limit : float, optional
    The relevance with the strongest colour, the same for plots that are compared; by default the largest magnitude.""",
    "colorbar": """colorbar : bool
    Whether to add the legend of relevance.""",
    "row": """row : int or label
    Which sample: its position, or its label in `explanation.index`.""",
    "ax": """ax : matplotlib Axes, optional
    Where to draw; new axes by default.""",
    "text_ax": """ax : matplotlib Axes, optional
    Where to draw; new axes, as high as the text, by default. Its own width at the time of the call is filled.""",
    "drawn": """Returns
-------
matplotlib Axes

Raises
------
ValueError
    If the explanation is of all outputs and none was picked, or there is nothing to draw.""",
    "drawn_apart": """Returns
-------
matplotlib Axes

Raises
------
ValueError
    If there is no such output or feature, or there is nothing to draw.""",
}


def documented(draw: Draw) -> Draw:
    """Put what the plots have alike into a docstring, in place of its ``{ax}``, ``{drawn}`` and so on."""
    draw.__doc__ = (inspect.getdoc(draw) or "").format(**_SAID)
    return draw
