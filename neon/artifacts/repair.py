"""``project_out`` and ``replace_columns``: models that no longer see an artifact, beside those that do."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from neon.artifacts.columns import ColumnReplacer, DirectionRemover, check_columns
from neon.artifacts.projection import Pool, projected

__all__ = ["project_out", "replace_columns"]


def project_out(
    model: Any,
    artifact_rows: Any,
    clean_rows: Any,
    *,
    layer: str | None = None,
    direction: Any = "mean_difference",
    only_found: bool = False,
    classes: Sequence[int] | None = None,
    pool: Pool | None = None,
    axis: int = 1,
) -> Any:
    """A model without the direction of an artifact: ``h - v vᵀ (h - z)`` at one of its layers.

    P-ClArC, Anders et al. 2022, Finding and Removing Clever Hans: v is the direction from rows without the artifact to
    rows with it, z the mean of the former. Nothing is trained. It takes from a row whatever lies along v, signal too:
    compare rows that differ in the artifact alone, such as two clusters of `neon.spray` within one class, or the same
    rows with and without it, and measure the accuracy on clean and on attacked rows before and after.

    Parameters
    ----------
    model : torch.nn.Module or fitted estimator
        It is not changed; what is returned holds a copy.
    artifact_rows, clean_rows : rows as the model takes them
        With and without the artifact.
    layer : str, optional
        Of a torch module: the name of the submodule whose output is corrected. Default: the input.
    direction : "mean_difference", "svm" or array-like
        The difference of the two means, which is the pattern of Pahde et al. 2025 where rows have an artifact or not;
        the weights of a linear support vector machine, which also point at what tells rows apart without being the
        artifact; or a vector of your own.
    only_found : bool
        Reactive (Bareeva et al. 2024): correct only rows in which the artifact is found, those whose component along v
        is nearer to that of the rows with it.
    classes : sequence of int, optional
        Reactive: correct only rows that the model predicts to be one of these (with ``only_found``: for which both are
        so). Of torch modules, which then run twice. Explain them without reference rows: their classes are not known.
    pool : "mean" or "max", optional
        Of torch modules: by default v has a number for each of the layer's, for artifacts that are always in one place.
        Else it has one for each channel, found among activations pooled over places, and is taken out everywhere.
    axis : int
        Which axis channels are, with ``pool``: 1, of tokens (n_rows, n_tokens, n_channels) -1.

    Returns
    -------
    torch.nn.Module or Pipeline
        A `Projected` module in evaluation mode, or a pipeline of a `DirectionRemover` and a copy of the estimator; neon
        explains either like any other model. At a layer, and with ``only_found``, a unit has the relevance of what is
        left of it; what the correction adds is the residual ``correction``.

    Raises
    ------
    ValueError
        If there is no such layer, rows do not fit, or do not differ there.

    Examples
    --------
    >>> found = neon.spray(neon.explain(net, X, target=3))
    >>> repaired = neon.project_out(net, X[found.rows(0)], X[found.rows(1)], layer="features.4")
    >>> neon.explain(repaired, X, target=3)
    """
    if isinstance(model, torch.nn.Module):
        return projected(
            model,
            artifact_rows,
            clean_rows,
            layer=layer,
            direction=direction,
            only_found=only_found,
            classes=classes,
            pool=pool,
            axis=axis,
        )
    given = {"layer": layer, "classes": classes, "pool": pool}
    wrong = [name for name, value in given.items() if value is not None]
    if wrong:
        raise ValueError(f"{wrong[0]}= is of torch modules; of a fitted model the direction is one of its input's")
    _check_rows(model, artifact_rows=artifact_rows, clean_rows=clean_rows)
    remover = DirectionRemover(direction, only_found)
    marks = np.repeat([True, False], [_count(artifact_rows), _count(clean_rows)])
    return _behind(remover.fit(_stacked(artifact_rows, clean_rows), marks), model)


def replace_columns(model: Any, columns: Sequence[str | int] | str | int, clean_rows: Any) -> Pipeline:
    """A fitted model in front of which columns are replaced by one value: it no longer sees a leak.

    Parameters
    ----------
    model : fitted estimator
        It is not changed; what is returned holds a copy.
    columns : str, int or sequence of them
        By name or position.
    clean_rows : array-like (n_rows, n_features) or DataFrame
        Where values come from: the mean of numbers, else the most frequent value. It stands for "nothing known", so
        take rows that the leak does not tell apart.

    Returns
    -------
    Pipeline
        A `ColumnReplacer` and the copy. neon explains it; what the model makes of the fixed values is the residual
        ``constant``.

    Raises
    ------
    ValueError
        If there is no such column, or it has no value, or the rows are none that the model takes.
    """
    _check_rows(model, clean_rows=clean_rows)
    return _behind(ColumnReplacer(columns).fit(clean_rows), model)


def _check_rows(model: Any, **given: Any) -> None:
    check_is_fitted(model)
    for name, rows in given.items() if hasattr(model, "n_features_in_") else ():
        try:
            check_columns(model, rows)
        except ValueError as error:
            raise ValueError(f"{name} do not fit the model: {error}") from None


def _behind(step: Any, model: Any) -> Pipeline:
    return Pipeline([(type(step).__name__.lower(), step), ("model", copy.deepcopy(model))])


def _count(rows: Any) -> int:
    return int(rows.shape[0]) if hasattr(rows, "shape") else len(rows)


def _stacked(first: Any, second: Any) -> Any:
    """Rows of both, frames as a frame."""
    if hasattr(first, "iloc") and hasattr(second, "iloc"):
        import pandas as pd

        if list(first.columns) != list(second.columns):
            raise ValueError("artifact_rows and clean_rows must have the same columns in the same order")
        return pd.concat([first, second], ignore_index=True)
    parts = [part.toarray() if sparse.issparse(part) else np.asarray(part) for part in (first, second)]
    return np.concatenate(parts)
