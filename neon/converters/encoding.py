"""Encodings: numeric columns that scikit-learn computes from the caller's columns, each from one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

__all__ = ["Encoding"]


@dataclass(frozen=True, eq=False)
class Encoding:
    """A function of the caller's rows whose columns each depend on a single column of theirs.

    Relevance of an encoded column belongs to the column that it was made from: one-hot, ordinal, binned, imputed and
    rescaled values need no propagation rule, and strings never reach the network.

    Attributes
    ----------
    function : callable
        Rows, as the transformer takes them, -> ndarray or sparse matrix (n_samples, n_encoded).
    source : ndarray of int (n_encoded,)
        The column that each encoded column depends on; -1 for none.
    names : tuple of str
    replaced : callable, optional
        Rows -> ndarray of bool (n_samples, n_columns): entries for which an imputer puts in a value.
    """

    function: Callable[[Any], Any]
    source: np.ndarray
    names: tuple[str, ...]
    replaced: Callable[[Any], np.ndarray] | None = None

    def __call__(self, rows: Any) -> Any:
        encoded = self.function(rows)
        if sparse.issparse(encoded):
            return encoded.tocsr().astype(np.float64)
        return np.asarray(encoded, dtype=np.float64)

    def then(self, after: Encoding) -> Encoding:
        """The encoding of encoded columns."""
        source = np.where(after.source >= 0, np.append(self.source, -1)[after.source], -1)
        return dataclasses.replace(
            self, function=_Composed(self.function, after.function), source=source, names=after.names
        )

    def total(self, relevance: np.ndarray, n_columns: int) -> tuple[np.ndarray, np.ndarray]:
        """Add up relevance (n_samples, n_encoded[, n_outputs]) by column; also the part that no column owns."""
        owned = np.flatnonzero(self.source >= 0)
        members = sparse.csr_matrix(
            (np.ones(len(owned)), (self.source[owned], owned)), shape=(n_columns, len(self.source))
        )
        first = np.moveaxis(relevance, 1, 0)  # (n_encoded, ...)
        found = (members @ first.reshape(len(first), -1)).reshape(n_columns, *first.shape[1:])
        return np.moveaxis(found, 0, 1), relevance[:, self.source < 0].sum(axis=1)


@dataclass(frozen=True, eq=False)
class _Composed:
    """``second(first(rows))``, for pickle's sake not a lambda."""

    first: Callable[[Any], Any]
    second: Callable[[Any], Any]

    def __call__(self, rows: Any) -> Any:
        return self.second(self.first(rows))


def names_of(model: Any, given: Sequence[str] | None, n_outputs: int) -> tuple[str, ...]:
    """What a transformer calls its columns."""
    try:
        return tuple(map(str, model.get_feature_names_out(given)))
    except (AttributeError, ValueError, NotImplementedError, TypeError):
        return tuple(f"column {i}" for i in range(n_outputs))
