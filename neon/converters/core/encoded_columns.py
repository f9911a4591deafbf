"""Encodings: numeric columns that scikit-learn computes from the caller's columns, each from one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.exceptions import NotFittedError

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
        The column that each encoded column depends on; -1 for none, or several.
    names : tuple of str
    joint : mapping of int to tuple of int
        The encoded columns that depend on several columns of theirs, which share the relevance equally.
    replaced : callable, optional
        Rows -> ndarray of bool (n_samples, n_columns): entries for which an imputer puts in a value.
    records : bool
        Whether a row is one thing, such as a document or a dict, and no row of columns: then the encoded columns are
        the features.
    texts : callable, optional
        Rows -> list of `Text`, one for each row.
    takes_sparse : bool
        Whether sparse rows mean something else than dense ones: what they do not hold is missing, not 0.
    stays_sparse : bool
        Whether of sparse rows it reads the entries alone, and gives sparse rows.
    keeps : bool
        Whether arrays mean something else than data frames of the same entries: a category's code, not its label.
    states : tuple of str
        What is held fixed where a column does not depend on one column alone, in words. Layers of `neon.nn` that hold
        something fixed have the same attribute.
    declared : bool
        Whether someone said so of a transformer of their own, which is compared with what it does.
    """

    function: Callable[[Any], Any]
    source: np.ndarray
    names: tuple[str, ...]
    replaced: Callable[[Any], np.ndarray] | None = None
    records: bool = False
    texts: Callable[[Any], list[Text]] | None = None
    states: tuple[str, ...] = ()
    takes_sparse: bool = False
    keeps: bool = False
    declared: bool = False
    joint: Mapping[int, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    stays_sparse: bool = False

    def __call__(self, rows: Any) -> Any:
        encoded = self.function(rows)
        if sparse.issparse(encoded):
            return encoded.tocsr().astype(np.float64)
        try:
            return np.ascontiguousarray(encoded, dtype=np.float64)
        except (TypeError, ValueError) as error:  # strings, dates
            raise ValueError(
                f"what the encoders give is not numeric: {error}. Explain them with the steps after them that make "
                "numbers of it, as one pipeline"
            ) from error

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
            stays_sparse=self.stays_sparse and after.stays_sparse,
            declared=self.declared or after.declared,
            joint=_joint_after(self, after),
        )

    @classmethod
    def beside(cls, encodings: Sequence[Encoding], names: tuple[str, ...]) -> Encoding:
        """The columns of several encodings of the same rows, one after the other, under these names."""
        parts = tuple(encodings)
        starts = np.cumsum([0, *(len(part.source) for part in parts)]).tolist()
        return cls(
            _Beside(parts),
            np.concatenate([part.source for part in parts]) if parts else np.zeros(0, dtype=np.int64),
            names,
            _ReplacedInAny(parts) if any(part.replaced for part in parts) else None,
            any(part.records for part in parts),
            _TextsOfAll(parts) if any(part.texts for part in parts) else None,
            tuple(dict.fromkeys(state for part in parts for state in part.states)),
            declared=any(part.declared for part in parts),
            joint={
                start + i: held for part, start in zip(parts, starts, strict=False) for i, held in part.joint.items()
            },
        )

    def total(self, relevance: Any, n_columns: int) -> tuple[Any, np.ndarray]:
        """Add up relevance (n_samples, n_encoded[, n_outputs]) by column; also the part that no column owns."""
        if not self.joint and np.array_equal(self.source, np.arange(n_columns)):  # as they are
            return relevance, np.zeros((len(relevance), *relevance.shape[2:]))
        relevance = np.asarray(relevance)
        order = np.argsort(self.source, kind="stable")
        unowned, order = np.split(order, [np.count_nonzero(self.source < 0)])
        columns, starts = np.unique(self.source[order], return_index=True)
        found = np.zeros((len(relevance), n_columns, *relevance.shape[2:]))
        if len(columns):  # encoded columns mostly stand in the order of their sources: then nothing is copied
            ordered = relevance if np.array_equal(order, np.arange(relevance.shape[1])) else relevance[:, order]
            found[:, columns] = np.add.reduceat(ordered, starts, axis=1)
        for encoded, owners in self.joint.items():
            found[:, list(owners)] += relevance[:, [encoded]] / len(owners)
        return found, relevance[:, np.setdiff1d(unowned, list(self.joint))].sum(axis=1)


@dataclass(frozen=True, eq=False)
class Transform:
    """A transformer's own ``transform``, on frames with the names that it was fitted with."""

    model: Any

    def __call__(self, rows: Any) -> Any:
        names = getattr(self.model, "feature_names_in_", None)
        if names is not None and isinstance(rows, np.ndarray) and rows.ndim == 2 and rows.shape[1] == len(names):
            import pandas as pd

            rows = pd.DataFrame(rows, columns=names)
        try:
            return self.model.transform(rows)
        except AttributeError as error:
            if error.obj is not self.model:
                raise
            raise NotFittedError(f"{type(self.model).__name__} has no {error.name}: it is not fitted") from error


@dataclass(frozen=True, eq=False)
class _Composed:
    """``second(first(rows))``, for pickle's sake not a lambda."""

    first: Callable[[Any], Any]
    second: Callable[[Any], Any]

    def __call__(self, rows: Any) -> Any:
        return self.second(self.first(rows))


@dataclass(frozen=True, eq=False)
class _Beside:
    """The columns of several encodings of the same rows."""

    encodings: tuple[Encoding, ...]

    def __call__(self, rows: Any) -> Any:
        parts = [encoding(rows) for encoding in self.encodings]
        if any(sparse.issparse(part) for part in parts):
            return sparse.hstack([sparse.csr_matrix(part) for part in parts], format="csr")
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True, eq=False)
class _ReplacedInAny:
    """Entries that the imputer of any branch replaces."""

    encodings: tuple[Encoding, ...]

    def __call__(self, rows: Any) -> np.ndarray:
        return np.any([e.replaced(rows) for e in self.encodings if e.replaced is not None], axis=0)


@dataclass(frozen=True, eq=False)
class _TextsOfAll:
    """The texts of all branches, one after the other; branches that read the same text share its pieces."""

    encodings: tuple[Encoding, ...]

    def __call__(self, rows: Any) -> list[Text]:
        sizes = np.cumsum([0] + [len(e.source) for e in self.encodings])
        read = [(e, start, e.texts(rows)) for e, start in zip(self.encodings, sizes, strict=False) if e.texts]
        merged: list[dict[tuple[int, tuple[str, ...]], Any]] = [{} for _ in read[0][2]]
        for e, start, texts in read:
            column = int(e.source.max(initial=-1))
            for found, text in zip(merged, texts, strict=True):
                shares = sparse.hstack(
                    [
                        sparse.csr_matrix((len(text.pieces), start)),
                        text.shares,
                        sparse.csr_matrix((len(text.pieces), sizes[-1] - start - text.shares.shape[1])),
                    ],
                    format="csr",
                )
                key = column, text.pieces
                found[key] = found[key] + shares if key in found else shares
        return [
            Text(
                tuple(piece for _, pieces in found for piece in pieces),
                sparse.vstack(list(found.values()), format="csr") if found else sparse.csr_matrix((0, sizes[-1])),
            )
            for found in merged
        ]


def _joint_after(first: Encoding, after: Encoding) -> dict[int, tuple[int, ...]]:
    """The encoded columns of the second that depend on several of the caller's columns."""
    owners = {
        **{i: (int(source),) for i, source in enumerate(after.source) if source in first.joint},
        **after.joint,
    }
    columns = {i: [first.joint.get(c, (int(first.source[c]),)) for c in held] for i, held in owners.items()}
    return {i: tuple(sorted({c for held in found for c in held if c >= 0})) for i, found in columns.items()}


def _names_after(after: Encoding, given: tuple[str, ...]) -> tuple[str, ...]:
    """What an encoding calls its columns when its input's columns have these names."""
    function, names = after.function, given
    steps: list[Any] = []
    while isinstance(function, _Composed):
        steps, function = [function.second, *steps], function.first
    for step in [function, *steps]:
        model = getattr(step, "model", None)
        if model is None or hasattr(model, "feature_names_in_"):
            return given if np.array_equal(after.source, np.arange(len(given))) else after.names
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


def names_of(model: Any, n_outputs: int) -> tuple[str, ...]:
    """What a transformer calls its columns."""
    try:
        names = tuple(map(str, model.get_feature_names_out(getattr(model, "feature_names_in_", None))))
    except (AttributeError, ValueError, NotImplementedError, TypeError):
        names = ()
    return names if len(names) == n_outputs else tuple(f"column {i}" for i in range(n_outputs))
