"""The fields of an explanation: arrays that nobody can write to, and that fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from neon.explanation import Explanation

__all__ = ["as_labels", "check_fields", "frozen", "labels_of", "row_labels"]


def frozen(array: Any, *, as_float: bool = False) -> np.ndarray:
    """Make an array that nobody can write to; a copy, unless it is one already."""
    array = np.asarray(array)
    if as_float and array.dtype.kind != "f":
        array = array.astype(np.float64)
    if array.dtype.kind in "mM":  # as objects, nanoseconds would be whole numbers
        array = np.array(list(array.flat), dtype=object).reshape(array.shape)
    elif array.dtype.kind not in "biuf":
        array = array.astype(object, copy=False)
    owner = array
    while isinstance(owner.base, np.ndarray) and not owner.flags.writeable:
        owner = owner.base
    if owner.flags.writeable or owner.base is not None:
        array = array.copy()
        array.flags.writeable = False
    return array


def row_labels(X: Any) -> Any:
    """The index of a pandas frame or series; None where it only counts the rows, or there is none."""
    if not hasattr(X, "iloc"):
        return None
    import pandas as pd

    counted = isinstance(X.index, pd.RangeIndex) and X.index.equals(pd.RangeIndex(len(X)))
    return None if counted else X.index


def as_labels(index: Any) -> np.ndarray:
    """Labels of rows, one entry each: numbers, or else objects, such as timestamps or tuples of several levels."""
    array = np.asarray(index)
    return array if array.dtype.kind in "biuf" and array.ndim == 1 else np.fromiter(index, dtype=object)


def labels_of(explanation: Explanation) -> np.ndarray:
    """What each row is called: its label, or its position where there are none."""
    return np.arange(len(explanation)) if explanation.index is None else explanation.index


def check_fields(explanation: Explanation) -> None:
    """Raise ValueError where shapes, names and targets do not fit together."""
    shape, target = explanation.values.shape, explanation.target
    n_outputs, names = len(explanation.output_names), explanation.feature_names
    if target is not None and len(shape) < 2:
        raise ValueError(f"values: expected shape (n_samples, n_features), got {shape}")
    if target is None and (len(shape) < 3 or shape[-1] != n_outputs):
        expected = f"(n_samples, n_features, {n_outputs} outputs)"
        raise ValueError(f"values: with target None, expected shape {expected}, got {shape}")
    features = explanation.feature_shape
    each = (shape[0],) if target is not None else (shape[0], n_outputs)  # a number for every sample and output
    parts = [
        ("base_values", explanation.base_values, each),
        ("prediction", explanation.prediction, each),
        *((f"residuals[{name!r}]", part, each) for name, part in explanation.residuals.items()),
        ("data", explanation.data, (shape[0], *features)),
    ]
    if explanation.interactions is not None:
        axes = 3 * len(features) + len(each)  # of three features; otherwise of two
        times = 3 if explanation.interactions.ndim == axes else 2
        parts.append(("interactions", explanation.interactions, (shape[0], *features * times, *each[1:])))
    if explanation.index is not None:
        parts.append(("index", explanation.index, shape[:1]))
    for name, array, wanted in parts:
        if array.shape != wanted:
            raise ValueError(f"{name}: expected shape {wanted}, got {array.shape}")
    n_features = int(np.prod(features))
    if (names or len(features) == 1) and len(names) != n_features:
        raise ValueError(f"feature_names: expected {n_features} names, got {len(names)}")
    unknown = [name for name in explanation.feature_units if name not in names]
    if unknown:
        raise ValueError(f"feature_units: no feature is called {unknown[0]!r}; expected some of {list(names)}")
    if target is None:
        return
    if target.dtype.kind not in "iu" or target.shape != (shape[0],):
        given = f"{target.dtype} of shape {target.shape}"
        raise ValueError(f"target: expected integers of shape ({shape[0]},), got {given}")
    if target.size and not (target.min() >= 0 and target.max() < n_outputs):
        given = f"values from {target.min()} to {target.max()}"
        raise ValueError(f"target: expected indices into the {n_outputs} output_names, got {given}")
