"""A fitted model's own search for neighbours, and the distances that it goes by."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from neon.nn.neighbors.search import Search

__all__ = ["KNearest", "WithinRadius", "as_fitted", "asking", "model_search", "nameless", "padded", "untouched"]


def untouched(model: Any) -> Any:
    """The model, to be asked without a trace: search trees count their queries."""
    model = copy.copy(model)
    for name in ("_tree", "tree_", "nn_fit", "nbrs_"):
        if getattr(model, name, None) is not None:
            setattr(model, name, copy.deepcopy(getattr(model, name)))
    return model


def nameless(model: Any) -> Any:
    """The model, to be asked without a trace for arrays, which have no column names."""
    model = untouched(model)
    vars(model).pop("feature_names_in_", None)
    return model


def asking(model: Any, method: str) -> Callable[..., Any]:
    """A method that leaves no trace, of rows as the model was fitted: distances of sparse rows round otherwise."""
    asked = untouched(model)
    return lambda X, *rest: getattr(asked, method)(as_fitted(X, asked._fit_X), *rest)


def as_fitted(X: Any, points: Any) -> Any:
    """Sparse, if the points that the model was fitted on are."""
    return sparse.csr_matrix(X) if sparse.issparse(points) else X


def model_search(model: Any, weigh: Callable[[Any], Any] | None = None) -> Search:
    """The neighbours that a model of scikit-learn's neighbours votes or averages over, each with its weight.

    weigh : takes distances, as the model has them, to weights. Default: the distances themselves.
    """
    model = nameless(model)
    if "Radius" in type(model).__name__:
        return WithinRadius(model, weigh)
    return KNearest(model, int(getattr(model, "n_neighbors_", model.n_neighbors)), weigh)


@dataclass(frozen=True, eq=False)
class KNearest:
    """``model.kneighbors``."""

    model: Any
    n_neighbors: int
    weigh: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        n = int(self.model.n_samples_fit_)
        if self.n_neighbors > n:
            raise ValueError(
                f"{type(self.model).__name__} with n_neighbors={self.n_neighbors} was fitted on {n} rows and cannot "
                f"predict: fit it with n_neighbors of at most {n}"
            )

    def __call__(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        d, index = self.model.kneighbors(as_fitted(X, self.model._fit_X), self.n_neighbors)
        return index, d if self.weigh is None else np.asarray(self.weigh(d), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class WithinRadius:
    """``model.radius_neighbors``."""

    model: Any
    weigh: Callable[[Any], Any] | None = None

    def __call__(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        d, index = self.model.radius_neighbors(as_fitted(X, self.model._fit_X))
        return padded(index, -1), padded(d if self.weigh is None else self.weigh(d), 0.0)


def padded(rows: Any, blank: float) -> np.ndarray:
    """Lists of unequal length as the rows of one array of at least one column."""
    out = np.full((len(rows), max(1, max(map(len, rows), default=1))), blank, dtype=np.float64)
    for n, row in enumerate(rows):
        out[n, : len(row)] = row
    return out
