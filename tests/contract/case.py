"""What the contract test needs to know of an estimator."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn

__all__ = ["SKLEARN", "Case", "unseen"]

SKLEARN = tuple(map(int, sklearn.__version__.split(".")[:2]))


@dataclass(frozen=True, eq=False)
class Case:
    """An estimator to fit, and what is special about it.

    Attributes
    ----------
    estimator : estimator
        Not fitted; deterministic.
    X, y
        What it is fitted on and explained for: an array or a data frame.
    relu, layers : bool
        Whether it has these forms; without one, asking for it is a ValueError that says why.
    options : mapping
        For `neon.Explainer` and `neon.neuralize`: ``output``, ``composite``, ``reference``.
    labelled : bool
        Whether it is a clustering without ``predict``, which is explained by the rows X that it was fitted on.
    tolerance : float
        Of equivalence, relative to the largest output; above 1e-9 only with a reason beside it.
    """

    estimator: Any
    X: Any
    y: Any = None
    relu: bool = False
    layers: bool = True
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    labelled: bool = False
    tolerance: float = 1e-9


def unseen(X: Any) -> Any:
    """Rows that no model was fitted on: numbers moved up, the other columns shuffled."""
    random = np.random.default_rng(0)
    if isinstance(X, np.ndarray):
        return X + 0.1 * np.nanstd(X, axis=0) * np.abs(random.normal(size=X.shape))
    if not hasattr(X, "columns"):  # documents, dictionaries
        return X.iloc[::-1]
    moved = X.copy()
    for name in X.columns:
        column = X[name]
        if column.dtype.kind == "f":
            moved[name] = column + 0.1 * column.std() * np.abs(random.normal(size=len(X)))
        else:
            moved[name] = column.to_numpy()[random.permutation(len(X))]
            moved[name] = moved[name].astype(column.dtype)
    return moved
