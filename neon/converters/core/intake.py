"""What callers hand in, checked and turned into the numbers that a network reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from torch import Tensor

from neon.converters.core.containers import (
    as_numpy,
    as_records,
    as_rows,
    check_container,
    check_finite,
    column_names,
    entries,
    in_parts,
    numeric,
    take,
    widened,
)

if TYPE_CHECKING:
    from neon.converters.core.encoded_columns import Encoding, Text

__all__ = ["Intake", "Texts", "spellings"]

WIDE = 1000  # columns from which on sparse rows stay sparse where they can; narrower ones give the bits of dense rows
_DENSE = 64 * 2**20  # bytes of sparse rows that are made dense at a time


class Intake:
    """The door of a fitted model: which rows fit it, and their numbers.

    Parameters
    ----------
    n_features : int
        Columns that the model takes.
    feature_names : tuple of str, optional
        Their names, where the model was fitted with names.
    encoding : Encoding, optional
        How scikit-learn turns them into numbers. Without one they are numbers.
    missing : bool
        Whether NaN is a value that the model takes.
    takes_infinity : bool
        Whether infinity is.
    aligns : bool
        Whether the model finds its columns by name, in whatever order and among others.
    single : str
        Kinds or types of numbers, by numpy's letters, that the model reads in float32 where an array holds them.
    """

    def __init__(
        self,
        n_features: int,
        feature_names: tuple[str, ...] | None = None,
        encoding: Encoding | None = None,
        *,
        missing: bool = False,
        takes_infinity: bool = False,
        aligns: bool = False,
        single: str = "",
    ) -> None:
        self.n_features, self.feature_names, self.encoder, self.missing = n_features, feature_names, encoding, missing
        self.takes_infinity, self.aligns, self.single = takes_infinity, aligns, single
        self.records = encoding is not None and encoding.records

    @property
    def encoding(self) -> Encoding | None:
        """The encoding, where its columns belong to columns of the caller's: not the tokens of documents."""
        return None if self.records else self.encoder

    @property
    def takes_sparse(self) -> bool:
        """Whether sparse rows mean something else to the encoding than dense ones."""
        return self.encoder is not None and self.encoder.takes_sparse

    @property
    def stays_sparse(self) -> bool:
        """Whether the encoding is given sparse rows as they are, and all at once."""
        return self.encoder is not None and (self.encoder.takes_sparse or (self.encoder.stays_sparse and self.wide))

    @property
    def wide(self) -> bool:
        """Whether to make sparse rows dense costs more than it is worth."""
        return self.n_encoded >= WIDE

    @property
    def n_encoded(self) -> int:
        """Columns that the network reads."""
        return self.n_features if self.encoder is None else len(self.encoder.source)

    def given(self, X: Any) -> tuple[Any, list[str] | None]:
        """The caller's own rows, as the model itself is asked with them, and the caller's column names, if any.

        Nothing is read into them: labels, missing entries, columns of whatever kind stay as they are. Numbers narrower
        than double precision are widened, which changes no value; what is no frame, sparse matrix or record becomes an
        array.

        Raises
        ------
        ValueError
            If their columns are not those of the model.
        """
        if self.records:
            return as_records(X), None
        check_container(X)
        names = column_names(X)
        if names is not None and self.aligns and self.feature_names and set(self.feature_names) <= set(names):
            X, names = X[list(self.feature_names)], list(self.feature_names)
        if names is not None:
            self.check_names(list(X.columns))
        given = widened(self._container(X))
        if getattr(given, "ndim", len(given.shape)) == 1 and self.n_features == 1 and not sparse.issparse(given):
            given = given.reshape(-1, 1)  # as isotonic regression takes its one column
        if len(given.shape) != 2:
            advice = "a single row is " + (
                "frame.iloc[[0]] (frame.iloc[0] has no types of columns)"
                if hasattr(X, "to_frame")
                else "np.reshape(X, (1, -1))"
            )
            if len(given.shape) > 2:
                advice = (
                    "features are columns, and a model of rows of more dimensions takes np.reshape(X, (len(X), -1))"
                )
            raise ValueError(f"X must have shape (n_samples, {self.n_features}), got {given.shape}; {advice}")
        if given.shape[1] != self.n_features:
            raise ValueError(f"X has {given.shape[1]} features, but the model was fitted with {self.n_features}")
        return given, names

    def _container(self, X: Any) -> Any:
        if sparse.issparse(X):
            return X.tocsr()
        if isinstance(X, Tensor):
            return as_numpy(X)
        if column_names(X) is None:
            return as_rows(X)
        if self.single and self.encoder is None:
            return numeric(X)  # whose frames are read in double precision, unlike arrays
        if self.feature_names is None:
            return np.ascontiguousarray(entries(X))  # the order of memory is seen in rounding
        if self.encoder is None and not hasattr(X, "iloc"):
            return numeric(X)
        return X

    def rows(self, given: Any) -> Any:
        """Rows as the encoding reads them, or numbers.

        Parameters
        ----------
        given : as `given` gives them

        Returns
        -------
        array, CSR matrix or data frame
            Without an encoding: a float64 array or CSR matrix. With one: an array or data frame. Documents
            and other records: an array of objects (n_samples,).

        Raises
        ------
        ValueError
            If they are no numbers where the model takes numbers.
        """
        if self.records:
            return given
        if isinstance(given, np.ndarray) and {given.dtype.kind, given.dtype.char} & set(self.single):
            given = numeric(given).astype(np.float32)
        if self.encoder is None:
            return numeric(given)
        if sparse.issparse(given) and self.stays_sparse:
            return given
        if sparse.issparse(given):
            return self._frame(given.toarray())  # as wide as the explanation, and not all encoders take sparse rows
        return self._frame(given) if isinstance(given, np.ndarray) and not self.encoder.keeps else given

    def spread(self, given: Any) -> Iterator[Any]:
        """`rows`, of sparse ones some at a time: encoders that take dense rows are never given all of them at once."""
        whole = not sparse.issparse(given) or self.encoder is None or self.stays_sparse
        yield from map(self.rows, [given] if whole else in_parts(given, _DENSE))

    def read(self, given: Any) -> Any:
        """What the network reads: a float64 array or CSR matrix (n_samples, n_encoded).

        Raises
        ------
        ValueError
            If they are not finite, or the model's own encoders refuse the rows.
        """
        parts = [self._numbers(rows) for rows in self.spread(given)]
        read = parts[0] if len(parts) == 1 else sparse.vstack([sparse.csr_matrix(part) for part in parts], format="csr")
        check_finite(read, missing=self.missing, infinity=self.takes_infinity)
        return read

    def replaced(self, given: Any) -> np.ndarray | None:
        """Which entries an imputer puts a value in place of; None where there is none."""
        encoding = self.encoding
        if encoding is None or encoding.replaced is None:
            return None
        return np.concatenate([encoding.replaced(rows) for rows in self.spread(given)])

    def _numbers(self, rows: Any) -> Any:
        if not rows.shape[0]:
            return np.zeros((0, self.n_encoded))
        if self.encoder is None:
            return rows
        return self.encoder(rows.copy() if hasattr(rows, "copy") else rows)  # some encoders write to what they read

    def texts(self, given: Any) -> Texts | None:
        """The documents in the rows, where there are any."""
        read = None if self.encoder is None else self.encoder.texts
        return None if read is None else Texts(read, self.rows(given))

    def named(self, given: Any) -> Any:
        """A dense copy of rows as the model was fitted: a model that knows column names wants to see them."""
        if not hasattr(given, "copy"):  # a polars frame, which nobody can write to
            return given
        given = given.toarray() if sparse.issparse(given) else given.copy()
        keeps = self.records or hasattr(given, "columns") or (self.encoder is not None and self.encoder.keeps)
        return given if keeps else self._frame(given)

    def _frame(self, rows: np.ndarray) -> Any:
        """An array as the frame that the model was fitted with."""
        if self.feature_names is None or rows.ndim != 2 or rows.shape[1] != self.n_features:
            return rows
        import pandas as pd

        frame = pd.DataFrame(rows, columns=list(self.feature_names))
        return frame.infer_objects() if rows.dtype == object else frame

    def check_names(self, columns: list[Any]) -> None:
        """Refuse columns that are not those the model was fitted with, by name and in their order."""
        fitted, names = self.feature_names, [str(column) for column in columns]
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        if twice and self.encoder is not None:
            raise ValueError(f"several columns of X are called {twice}; name them apart, or pass X.to_numpy()")
        if fitted is None:
            return
        spelled = next((s for s in map(list, spellings(columns)) if set(s) == set(fitted)), names)
        if list(fitted) == spelled:
            return
        missing = [name for name in fitted if name not in spelled]
        unknown = [name for name in spelled if name not in fitted]
        if missing or unknown:
            raise ValueError(
                f"X's columns do not match those the model was fitted with; missing: {missing}, unknown: {unknown}"
            )
        ordered = [columns[spelled.index(name)] for name in fitted]
        raise ValueError(f"X's columns are in another order than at fit; use X[{ordered}]")


def spellings(columns: Sequence[Any]) -> Iterator[Iterator[str]]:
    """Columns as the caller, LightGBM and XGBoost (of several levels) write them."""
    yield (str(column) for column in columns)
    yield (str(column).replace(" ", "_") for column in columns)
    yield (" ".join(map(str, column)) if isinstance(column, tuple) else str(column) for column in columns)


@dataclass(frozen=True, eq=False)
class Texts:
    """The documents of some rows, taken to pieces when asked."""

    read: Callable[[Any], list[Text]]
    rows: Any

    def __getitem__(self, index: Any) -> Texts:
        return Texts(self.read, take(self.rows, index))

    def of(self, row: int) -> Text:
        """One row's document."""
        return self.read(take(self.rows, np.array([row])))[0]
