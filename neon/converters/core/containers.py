"""Rows in the containers that callers have, read into arrays of numbers; what cannot be read is refused with advice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

__all__ = [
    "as_numpy",
    "as_records",
    "as_rows",
    "check_container",
    "check_finite",
    "column_names",
    "entries",
    "in_parts",
    "numeric",
    "take",
    "widened",
]

_PREPARED = ("DMatrix", "QuantileDMatrix", "ExtMemQuantileDMatrix", "Dataset", "Pool")
_PREPARED_BY = ("xgboost", "lightgbm", "catboost", "_catboost")


def take(rows: Any, index: np.ndarray | slice) -> Any:
    """Some rows of an array, CSR matrix or data frame."""
    if hasattr(rows, "iloc"):
        return rows.iloc[index]
    return rows[index]


def in_parts(rows: Any, n_bytes: int) -> Iterator[Any]:
    """Sparse rows, as many at a time as take so many bytes once they are made dense; one part of no rows."""
    size = max(1, n_bytes // (8 * max(rows.shape[1], 1)))
    yield from (rows[start : start + size] for start in range(0, max(rows.shape[0], 1), size))


def numeric(X: Any) -> Any:
    """Rows as a float64 array or CSR matrix; missing entries are NaN.

    Raises
    ------
    ValueError
        If they are no numbers.
    """
    check_container(X)
    given = X
    if isinstance(X, Tensor):
        X = as_numpy(X)
    if not sparse.issparse(X):
        try:
            X = np.asarray(X if column_names(X) is None else entries(X))
        except (TypeError, ValueError) as error:  # rows of several lengths, columns of kinds that do not go together
            raise ValueError(f"X must be numeric; {_no_number(given) or error}. {_TO_NUMBERS}") from error
    if X.dtype.kind == "c":
        raise ValueError("X holds complex numbers, of which a model reads one part at most; pass X.real or both parts")
    if X.dtype.kind in "mM":
        raise ValueError(f"X must be numeric; it holds dates or times ({X.dtype}). {_TO_NUMBERS}")
    if sparse.issparse(X):
        return X.tocsr().astype(np.float64, copy=False)
    try:
        return X.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"X must be numeric; {_no_number(given) or error}. {_TO_NUMBERS}") from error


def _no_number(X: Any) -> str:
    """Which column of a frame holds what is no number."""
    for place, name in enumerate(column_names(X) or ()):
        column = X.iloc[:, place] if hasattr(X, "iloc") else X[:, place]
        for value in np.asarray(column, dtype=object):
            try:
                float(value)
            except (TypeError, ValueError):
                if value is not None and str(value) not in ("NaT", "<NA>"):
                    return f"the column {name!r} holds {str(value)[:40]!r}, a {type(value).__name__}"
    return ""


_TO_NUMBERS = "Encode strings, dates and the like inside the model's pipeline"


def as_numpy(tensor: Tensor) -> np.ndarray:
    """A tensor's numbers; numpy has no bfloat16."""
    tensor = tensor.detach().cpu()
    return tensor.float().numpy() if tensor.dtype == torch.bfloat16 else tensor.numpy()


def as_rows(X: Any) -> np.ndarray:
    """Rows in lists as scikit-learn takes them: where some entries are strings, numbers among them stay numbers.

    Raises
    ------
    ValueError
        If rows differ in length.
    """
    try:
        rows = np.asarray(X)
    except ValueError as error:
        raise ValueError(f"X must be numeric, or rows of one length; {error}") from error
    return np.asarray(X, dtype=object) if rows.dtype.kind in "US" and not hasattr(X, "dtype") else rows


def widened(rows: Any) -> Any:
    """Rows with floating-point numbers in double precision at least."""
    if hasattr(rows, "iloc"):
        plain = [
            getattr(dtype, "subtype", dtype) if str(dtype).startswith("Sparse") else dtype for dtype in rows.dtypes
        ]
        wide = [np.dtype(np.float64) if dtype in (np.float32, np.float16) else dtype for dtype in plain]
        changed = {name: new for name, old, new in zip(rows.columns, rows.dtypes, wide, strict=True) if new != old}
        return rows.astype(changed) if changed else rows
    if getattr(rows, "dtype", None) in (np.float32, np.float16):
        return rows.astype(np.float64)
    return rows


def entries(frame: Any) -> np.ndarray:
    """A data frame as an array, whatever stands for missing values as NaN."""
    if not hasattr(frame, "iloc"):
        return _of_polars(frame)
    if all(isinstance(dtype, np.dtype) for dtype in frame.dtypes):
        return frame.to_numpy()
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    kinds = [np.float64 if is_numeric_dtype(d) or is_bool_dtype(d) else object for d in frame.dtypes]
    columns = [frame.iloc[:, i].to_numpy(dtype=kind, na_value=np.nan) for i, kind in enumerate(kinds)]
    return np.stack([column if len(set(kinds)) == 1 else column.astype(object) for column in columns], axis=1)


def _of_polars(frame: Any) -> np.ndarray:
    """Entries of a frame whose columns may be of kinds that no array but one of objects holds."""
    if len(set(frame.dtypes)) <= 1 or all(dtype.is_numeric() for dtype in frame.dtypes):
        return np.asarray(frame.to_numpy())
    rows = np.empty(frame.shape, dtype=object)
    for place, name in enumerate(frame.columns):
        column = frame[name]
        numbers = column.dtype.is_numeric() or str(column.dtype) == "Boolean"
        rows[:, place] = column.cast(float).to_numpy() if numbers else column.to_list()
    return rows


def check_container(X: Any) -> None:
    """Refuse what holds its rows in a way that they cannot be read."""
    if sparse.issparse(X):  # some of which are dicts
        return
    if isinstance(X, dict) or (isinstance(X, list) and X and isinstance(X[0], dict)):
        several = isinstance(X, list) or all(np.ndim(column) for column in X.values())
        raise ValueError(f"X holds dicts; pass a data frame: pd.DataFrame({'X' if several else '[X]'})")
    if hasattr(X, "collect"):
        raise ValueError(f"X is a {type(X).__name__}, which holds no rows yet; pass X.collect()")
    if type(X).__name__ in _PREPARED and type(X).__module__.split(".")[0] in _PREPARED_BY:
        raise ValueError(
            f"X is a {type(X).__name__}, which does not give its rows back; pass the array or frame it was made from"
        )


def as_records(rows: Any) -> np.ndarray:
    """Records as an array of objects (n_samples,), from a sequence of them or a single column.

    Raises
    ------
    ValueError
        If they are a single string, or several columns.
    """
    if isinstance(rows, (str, bytes, dict)):
        raise ValueError(f"expected a list of documents or records, got a single {type(rows).__name__}: use [it]")
    if hasattr(rows, "to_numpy"):
        rows = rows.to_numpy()
    if isinstance(rows, np.ndarray) and rows.ndim > 1:
        if min(rows.shape) > 1 or rows.ndim > 2:
            raise ValueError(f"expected documents or records, shape (n_samples,), got shape {rows.shape}")
        rows = rows.ravel()
    rows = list(rows)
    found = np.empty(len(rows), dtype=object)
    found[:] = rows
    return found


def check_finite(rows: Any, *, missing: bool = False, infinity: bool = False) -> None:
    """Refuse NaN, unless the model takes missing values, and infinity, unless it takes that."""
    held = rows.data if sparse.issparse(rows) else rows
    if np.isfinite(held).all():
        return
    for bad, taken, advice in (
        (np.isnan(held), missing, "NaN in {}; this model takes finite values only: impute or drop such rows"),
        (np.isinf(held), infinity, "infinity in {}, which cannot be explained: put a large number there, or drop them"),
    ):
        if bad.any() and not taken:
            where = np.unique(rows.tocoo().row[bad] if sparse.issparse(rows) else np.nonzero(bad)[0])
            raise ValueError(f"X contains {advice.format(f'{len(where)} rows, the first of them row {where[0]}')}")


def column_names(X: Any) -> list[str] | None:
    """A data frame's column names; None for anything else."""
    is_frame = hasattr(X, "columns") and hasattr(X, "to_numpy")
    return [str(column) for column in X.columns] if is_frame else None
