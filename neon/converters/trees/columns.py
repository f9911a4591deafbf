"""Rows as boosting libraries see them: labels of categories as codes, what counts as missing as NaN."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from neon.converters.core import Encoding
from neon.converters.core.containers import entries, numeric

__all__ = ["Columns"]

_CATEGORIES = ("category", "categorical", "enum")


@dataclass(frozen=True, eq=False)
class Columns:
    """Rows in, float64 array out.

    Attributes
    ----------
    labels : mapping of column to list or None, or list of lists
        The categories of each column that holds labels, in the order of their codes; None: those of the data frame at
        hand, numbers are codes. A list: of the first, second, ... such column of a data frame. An array holds codes.
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
        elif hasattr(rows, "columns"):
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
        return Encoding(self, np.arange(len(names)), tuple(names), takes_sparse=self.sparse_missing, keeps=True)

    def with_labels(self, frame: Any) -> Any:
        """A data frame whose columns of labels are categories, as the model's library wants them."""
        changed = {}
        for i, labels in self._labels_of(frame).items():
            name, column = frame.columns[i], frame[frame.columns[i]]
            if labels is not None and not str(column.dtype).lower().startswith(_CATEGORIES):
                import pandas as pd

                codes = self._codes_of(column, labels)
                codes = np.where(np.isnan(codes), -1, codes).astype(np.int64)
                changed[name] = pd.Categorical.from_codes(codes, categories=pd.Index(labels))
        if not changed:
            return frame
        frame = (frame if hasattr(frame, "iloc") else frame.to_pandas()).copy(deep=False)
        for name, column in changed.items():
            frame[name] = column
        return frame

    def _codes(self, frame: Any) -> np.ndarray:
        labels, numbers = self._labels_of(frame), np.empty(frame.shape)
        for i, name in enumerate(frame.columns):
            column = frame[name]
            if i in labels and (labels[i] is not None or _is_label(column.dtype)):
                numbers[:, i] = self._codes_of(column, labels[i])
                continue
            try:
                numbers[:, i] = np.asarray(entries(frame[[name]])[:, 0], dtype=np.float64)
            except (TypeError, ValueError) as error:
                raise ValueError(f"column {name!r} must be numeric, as when the model was fitted; {error}") from error
        return numbers

    def _labels_of(self, frame: Any) -> Mapping[int, Sequence[Any] | None]:
        """The categories of each of a data frame's columns that hold labels."""
        if isinstance(self.labels, Mapping):
            return self.labels
        held = [i for i, name in enumerate(frame.columns) if _is_label(frame[name].dtype)]
        if len(self.labels) != len(held):
            raise ValueError(
                f"X has {len(held)} columns of categories, but the model was fitted with {len(self.labels)}"
            )
        return dict(zip(held, self.labels, strict=True))

    def _codes_of(self, column: Any, labels: Sequence[Any] | None) -> np.ndarray:
        is_category = str(column.dtype) == "category"
        if labels is None and not is_category:
            raise ValueError(
                f"column {column.name!r} must be of dtype category, as when the model, which keeps no labels, was "
                f"fitted; got {column.dtype}"
            )
        if labels is None or (is_category and _cut(column.cat.categories) == labels):
            codes = np.asarray(column.cat.codes, dtype=np.float64)
            return np.where(codes < 0, np.nan, codes)
        place = {label: float(code) for code, label in enumerate(labels)}
        values = entries(column.to_frame())[:, 0].astype(object)
        missing = np.array([value is None or value != value for value in values], dtype=bool)
        if all(isinstance(label, str) for label in labels):  # numbers, as files without types have them, by their text
            values = np.array([_text(value) for value in values], dtype=object)
        unknown = sorted({str(value) for value in values[~missing] if value not in place})
        if unknown and self.closed:
            advice = ""
            if not all(label.isascii() for label in [*unknown, *map(str, labels)]):
                advice = (
                    ". XGBoost 3 cut labels that are not ASCII: hand in the column as category, with the categories of "
                    "the fit in their order"
                )
            raise ValueError(
                f"column {column.name!r} holds categories unknown to the model: {unknown}; it knows "
                f"{[str(label) for label in labels]}{advice}"
            )
        return np.array(
            [np.nan if gone else place.get(value, np.nan) for value, gone in zip(values, missing, strict=True)]
        )


def _cut(labels: Any) -> list[Any]:
    """Labels as XGBoost keeps them: texts one after the other as bytes, but cut by their numbers of characters."""
    if not all(isinstance(label, str) for label in labels):
        return list(labels)
    bounds = np.cumsum([0, *map(len, labels)])
    held = "".join(labels).encode()
    return [held[a:b].decode("utf-8", "surrogateescape") for a, b in itertools.pairwise(bounds)]


def _text(value: Any) -> Any:
    """A number as text, whole ones without a decimal point; anything else as it is."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        return value
    return str(int(value)) if np.isfinite(value) and value == int(value) else str(value)


def _is_label(dtype: Any) -> bool:
    return str(dtype).lower().split("(")[0].split("[")[0] in (*_CATEGORIES, "object", "str", "string")


def _dense(rows: Any, absent: float) -> np.ndarray:
    rows = rows.tocoo()
    rows.sum_duplicates()
    dense = np.full(rows.shape, absent)
    dense[rows.row, rows.col] = rows.data
    return dense
