"""Encodings: numeric columns that scikit-learn computes from the caller's columns, each from one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

__all__ = ["Encoding", "Text", "Transform", "names_of"]


@dataclass(frozen=True, eq=False)
class Text:
    """A document in pieces, and who owns the relevance of its tokens.

    Attributes
    ----------
    pieces : tuple of str
        In the document's order; what no token covers (punctuation, words that the model does not know) as well.
    shares : sparse matrix (n_pieces, n_encoded)
        The share of each encoded column's relevance that a piece owns; a token's shares add up to one.
    """

    pieces: tuple[str, ...]
    shares: sparse.csr_matrix


@dataclass(frozen=True, eq=False)
class Encoding:
    """A function of the caller's rows whose columns each depend on a single column of theirs.

    Relevance of an encoded column belongs to the column that it was made from: one-hot, ordinal, binned, imputed and
    rescaled values need no propagation rule, and strings never reach the network.

    Attributes
    ----------
    function : callable
        Rows, as the transformer takes them, -> ndarray, sparse matrix or frame (n_samples, n_encoded).
    source : ndarray of int (n_encoded,)
        The column that each encoded column depends on; -1 for none.
    names : tuple of str
    replaced : callable, optional
        Rows -> ndarray of bool (n_samples, n_columns): entries for which an imputer puts in a value.
    records : bool
        Whether a row is one thing, such as a document or a dict, and no row of columns: then the encoded columns are
        the features.
    texts : callable, optional
        Rows -> list of `Text`, one for each row.
    takes_sparse : bool
        Whether sparse rows mean something else than dense ones: what they do not hold is missing, not 0.
    states : tuple of str
        What is held fixed where a column does not depend on one column alone, in words.
    """

    function: Callable[[Any], Any]
    source: np.ndarray
    names: tuple[str, ...]
    replaced: Callable[[Any], np.ndarray] | None = None
    records: bool = False
    texts: Callable[[Any], list[Text]] | None = None
    states: tuple[str, ...] = ()
    takes_sparse: bool = False

    def __call__(self, rows: Any) -> Any:
        encoded = self.function(rows)
        if sparse.issparse(encoded):
            return encoded.tocsr().astype(np.float64)
        return np.ascontiguousarray(encoded, dtype=np.float64)

    def then(self, after: Encoding) -> Encoding:
        """The encoding of encoded columns."""
        return dataclasses.replace(
            self,
            function=_Composed(self.function, after.function),
            source=np.where(after.source >= 0, np.append(self.source, -1)[after.source], -1),
            names=_names_after(after, self.names),
            replaced=_ReplacedAfter(self, after) if self.replaced or after.replaced else None,
            texts=_TextsAfter(self, after) if self.texts or after.texts else None,
            states=tuple(dict.fromkeys((*self.states, *after.states))),
            takes_sparse=after.takes_sparse,
        )

    def total(self, relevance: np.ndarray, n_columns: int) -> tuple[np.ndarray, np.ndarray]:
        """Add up relevance (n_samples, n_encoded[, n_outputs]) by column; also the part that no column owns."""
        owned = np.flatnonzero(self.source >= 0)
        members = sparse.csr_matrix(
            (np.ones(len(owned)), (self.source[owned], owned)), shape=(n_columns, len(self.source))
        )
        first = np.moveaxis(relevance, 1, 0)  # (n_encoded, ...)
        flat = first.reshape(len(first), int(np.prod(first.shape[1:])))  # -1 would not do for no samples
        found = (members @ flat).reshape(n_columns, *first.shape[1:])
        return np.moveaxis(found, 0, 1), relevance[:, self.source < 0].sum(axis=1)


@dataclass(frozen=True, eq=False)
class Transform:
    """A transformer's own ``transform``, on frames with the names that it was fitted with."""

    model: Any

    def __call__(self, rows: Any) -> Any:
        names = getattr(self.model, "feature_names_in_", None)
        if names is not None and isinstance(rows, np.ndarray) and rows.ndim == 2 and rows.shape[1] == len(names):
            import pandas as pd

            rows = pd.DataFrame(rows, columns=names)
        return self.model.transform(rows)


@dataclass(frozen=True, eq=False)
class _Composed:
    """``second(first(rows))``, for pickle's sake not a lambda."""

    first: Callable[[Any], Any]
    second: Callable[[Any], Any]

    def __call__(self, rows: Any) -> Any:
        return self.second(self.first(rows))


def _names_after(after: Encoding, given: tuple[str, ...]) -> tuple[str, ...]:
    """What an encoding calls its columns when its input's columns have these names."""
    function, names = after.function, given
    steps: list[Any] = []
    while isinstance(function, _Composed):
        steps, function = [function.second, *steps], function.first
    for step in [function, *steps]:
        model = getattr(step, "model", None)
        if model is None or hasattr(model, "feature_names_in_"):
            return after.names
        try:
            names = tuple(map(str, model.get_feature_names_out(np.asarray(names, dtype=object))))
        except (AttributeError, ValueError, NotImplementedError, TypeError):
            return given if np.array_equal(after.source, np.arange(len(given))) else after.names
    return names if len(names) == len(after.source) else after.names


@dataclass(frozen=True, eq=False)
class _ReplacedAfter:
    """The caller's entries that either of two encodings replaces."""

    first: Encoding
    second: Encoding

    def __call__(self, rows: Any) -> np.ndarray:
        found = np.zeros(rows.shape, dtype=bool) if self.first.replaced is None else self.first.replaced(rows)
        if self.second.replaced is None or not len(found):
            return found
        inner = self.second.replaced(self.first.function(rows))
        for column, source in enumerate(self.first.source):
            if source >= 0:
                found[:, source] |= inner[:, column]
        return found


@dataclass(frozen=True, eq=False)
class _TextsAfter:
    """Texts in the columns of the second encoding."""

    first: Encoding
    second: Encoding

    def __call__(self, rows: Any) -> list[Text]:
        if self.second.texts is not None:
            return self.second.texts(self.first.function(rows))
        assert self.first.texts is not None
        owned = np.flatnonzero(self.second.source >= 0)
        shape = (len(self.first.source), len(self.second.source))
        routes = sparse.csr_matrix((np.ones(len(owned)), (self.second.source[owned], owned)), shape=shape)
        return [Text(text.pieces, text.shares @ routes) for text in self.first.texts(rows)]


def names_of(model: Any, given: Sequence[str] | None, n_outputs: int) -> tuple[str, ...]:
    """What a transformer calls its columns."""
    try:
        names = tuple(map(str, model.get_feature_names_out(given)))
    except (AttributeError, ValueError, NotImplementedError, TypeError):
        names = ()
    return names if len(names) == n_outputs else tuple(f"column {i}" for i in range(n_outputs))
