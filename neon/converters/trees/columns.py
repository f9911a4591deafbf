"""Rows as boosting libraries see them: labels of categories as codes, what counts as missing as NaN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from neon.converters.encoding import Encoding
from neon.converters.intake import numeric

__all__ = ["Columns", "has_labels"]


@dataclass(frozen=True, eq=False)
class Columns:
    """Rows in, float64 array out.

    Attributes
    ----------
    labels : mapping of column to list or None, or list of lists
        The categories of each column that holds labels, in the order of their codes; None: those of the data frame at
        hand. A list: of the first, second, ... such column of a data frame. A column of numbers holds codes.
    closed : bool
        Whether an unknown category is an error, and not missing.
    low, high : float
        Values in ``low..high`` count as missing, in float32 where ``single``; none if low is NaN.
    missing : ndarray of bool (n_features,), optional
        The columns for which they do; default all.
    sparse_missing : bool
        Whether entries that a sparse matrix does not hold are missing, not 0.
    fill : float
        What stands for missing values.
    """

    labels: Mapping[int, Sequence[Any] | None] | Sequence[Sequence[Any]] = field(default_factory=dict)
    closed: bool = True
    low: float = np.nan
    high: float = np.nan
    missing: np.ndarray | None = None
    single: bool = False
    sparse_missing: bool = False
    fill: float = np.nan

    def __call__(self, rows: Any) -> np.ndarray:
        if sparse.issparse(rows):
            numbers = _dense(rows, np.nan if self.sparse_missing else 0.0)
        elif has_labels(rows):
            numbers = self._codes(rows)
        else:
            numbers = numeric(rows)
        kind = np.float32 if self.single else np.float64
        with np.errstate(over="ignore"):
            compared = numbers.astype(kind)
        absent = np.greater_equal(compared, kind(self.low)) & np.less_equal(compared, kind(self.high))
        if self.missing is not None:
            absent = absent & self.missing
        return np.where(absent | np.isnan(numbers), self.fill, numbers)

    def encoding(self, names: Sequence[str]) -> Encoding:
        return Encoding(self, np.arange(len(names)), tuple(names), takes_sparse=self.sparse_missing)

    def _codes(self, frame: Any) -> np.ndarray:
        held = [i for i, name in enumerate(frame.columns) if _is_label(frame[name].dtype)]
        labels = self.labels
        if not isinstance(labels, Mapping):
            if len(labels) != len(held):
                raise ValueError(
                    f"X has {len(held)} columns of categories, but the model was fitted with {len(labels)}"
                )
            labels = dict(zip(held, labels, strict=True))
        numbers = np.empty(frame.shape)
        for i, name in enumerate(frame.columns):
            if i in held and i in labels:
                numbers[:, i] = self._codes_of(frame[name], labels[i])
                continue
            try:
                numbers[:, i] = np.asarray(frame[name], dtype=np.float64)
            except (TypeError, ValueError) as error:
                raise ValueError(f"column {name!r} must be numeric, as when the model was fitted; {error}") from error
        return numbers

    def _codes_of(self, column: Any, labels: Sequence[Any] | None) -> np.ndarray:
        if labels is None:
            if str(column.dtype) != "category":
                raise ValueError(
                    f"column {column.name!r} must be of dtype category, as when the model, which keeps no labels, was "
                    f"fitted; got {column.dtype}"
                )
            codes = np.asarray(column.cat.codes, dtype=np.float64)
            return np.where(codes < 0, np.nan, codes)
        place = {label: float(code) for code, label in enumerate(labels)}
        values = np.asarray(column, dtype=object)
        missing = np.array([value is None or value != value for value in values], dtype=bool)
        unknown = sorted({str(value) for value in values[~missing] if value not in place})
        if unknown and self.closed:
            raise ValueError(
                f"column {column.name!r} holds categories unknown to the model: {unknown}; it knows {labels}"
            )
        return np.array(
            [np.nan if gone else place.get(value, np.nan) for value, gone in zip(values, missing, strict=True)]
        )


def has_labels(rows: Any) -> bool:
    """Whether rows are a data frame with a column of labels."""
    return hasattr(rows, "columns") and any(_is_label(rows[name].dtype) for name in rows.columns)


def _is_label(dtype: Any) -> bool:
    return str(dtype).lower().split("(")[0] in ("category", "categorical", "enum", "object", "str", "string")


def _dense(rows: Any, absent: float) -> np.ndarray:
    rows = rows.tocoo()
    rows.sum_duplicates()
    dense = np.full(rows.shape, absent)
    dense[rows.row, rows.col] = rows.data
    return dense
