"""From a table of rows to a table of their explanations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from neon.explainer.columns import columns_read, present
from neon.explainer.names import Names
from neon.explanation import Explanation
from neon.explanation.layout import Layout

if TYPE_CHECKING:
    import pandas

__all__ = ["framed", "without_rows"]


def framed(
    explain: Callable[[Any, Any], Explanation],
    network: Any,
    names: Names,
    frame: pandas.DataFrame,
    target: Any,
    columns: Sequence[str],
) -> pandas.DataFrame:
    """See `Explainer.explain_frame`."""
    if not hasattr(frame, "iloc") or frame.ndim != 2:
        raise TypeError(
            f"explain_frame takes a pandas DataFrame, got {type(frame).__name__}; to_pandas() makes one of a frame of "
            "polars, and explainer(X) takes rows of any kind"
        )
    twice = sorted(map(str, frame.columns[frame.columns.duplicated()].unique()))
    if twice:
        raise ValueError(f"several columns are called {twice}: give each a name of its own")
    kept = present(list(frame.columns), columns, "columns")
    read = columns_read(network, list(frame.columns), kept)
    every = isinstance(target, str) and target == "all"
    layout = Layout(names.of_features(list(map(str, read))), tuple(kept), every)
    return layout.frame(explain(frame[read], target), frame) if len(frame) else layout.empty(frame)


def without_rows(network: Any, names: Names) -> pandas.DataFrame:
    """See `Explainer.meta`."""
    if network.feature_names is None and names.features is None:
        raise ValueError(
            "the model was fitted without names of its columns: explain_frame(frame.head(0)) has those of the frame"
        )
    return Layout(names.of_features(network.feature_names or names.features or ())).empty()
