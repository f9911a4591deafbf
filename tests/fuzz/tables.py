"""Tables with all that is wrong with tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars
import torch
from hypothesis import strategies as st
from scipy import sparse

__all__ = ["rows_of", "tables"]

NAMES = ["age", "größe", "面积", "a b", "<b>x</b>", "x\n\t\x1b[31m"]
# Columns, of numbers drawn around 0, that tables are made of.
COLUMNS = {
    "numbers": lambda x: x,
    "far away": lambda x: 1e6 + x,
    "large": lambda x: 1e12 * x,
    "tiny": lambda x: 1e-12 * x,
    "denormal": lambda x: 1e-310 * x,
    "constant": lambda x: np.full_like(x, 3.0),
    "zeros": lambda x: 0.0 * x,
    "whole": lambda x: np.round(2 * x),
    "booleans": lambda x: (x > 0).astype(float),
}
# The same as frames hold them.
KINDS = {
    "float32": lambda x: x.astype(np.float32),
    "int": lambda x: np.round(3 * x).astype(np.int64),
    "int8": lambda x: np.round(3 * x).astype(np.int8),
    "bool": lambda x: x > 0,
    "text": lambda x: np.where(x > 0, "ja", "nein 🙈").astype(object),
    "category": lambda x: pd.Categorical(np.where(x > 0.5, "a", np.where(x > -0.5, "b", "c"))),
    "missing": lambda x: np.where(np.abs(x) > 1.2, np.nan, x),
    "nullable": lambda x: pd.array(np.round(x).astype(int)).astype("Int64"),
}


@st.composite
def tables(draw: st.DrawFn, *, numeric: bool = False) -> Any:
    """An array or a frame of 2 to 30 rows to fit on, 1 to 5 columns, some of its rows twice."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    n, width = draw(st.sampled_from([2, 6, 12, 30])), draw(st.integers(1, 5))
    X = rng.normal(size=(n, width))
    if draw(st.booleans()):
        X[n // 2 :] = X[: n - n // 2]
    framed = draw(st.booleans())
    columns: list[Any] = []
    for column in X.T:
        kinds = COLUMNS | KINDS if framed and not numeric else COLUMNS
        columns.append(kinds[draw(st.sampled_from(sorted(kinds)))](column))
    if framed:
        names = [NAMES[(draw(st.integers(0, 5)) if numeric else i) % len(NAMES)] for i in range(width)]
        names = names if len(set(names)) == width else NAMES[:width]
        return pd.DataFrame(dict(zip(names, columns, strict=True)))
    return np.stack(columns, axis=1).astype(draw(st.sampled_from([np.float64, np.float32, np.float64])))


def _numbers(change: Any) -> Any:
    """A change of the numbers in rows."""

    def changed(rows: Any, rng: np.random.Generator) -> Any:
        if isinstance(rows, np.ndarray):
            return change(rows.astype(float), rng) if rows.dtype.kind in "fiub" else rows
        rows = rows.copy()
        for place in range(rows.shape[1]):
            column = rows.iloc[:, place]
            if isinstance(column.dtype, np.dtype) and column.dtype.kind in "f" and len(rows):
                rows.isetitem(place, change(column.to_numpy(float), rng))
        return rows

    return changed


def _some(value: float) -> Any:
    def change(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.where(rng.random(x.shape) < 0.3, value, x)

    return change


def _frame(rows: Any) -> pd.DataFrame:
    return rows.copy() if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows)


def _twice(rows: Any, rng: Any) -> pd.DataFrame:
    frame = _frame(rows)
    frame.columns = [frame.columns[0]] * frame.shape[1]
    return frame


def _dates(rows: Any, rng: Any) -> pd.DataFrame:
    frame = _frame(rows)
    frame.isetitem(0, pd.date_range("2024-01-01", periods=len(frame)))
    return frame


def _text(rows: Any, rng: Any) -> pd.DataFrame:
    frame = _frame(rows)
    frame.isetitem(0, np.full(len(frame), "été\x00", dtype=object))
    return frame


def _polars(rows: Any, rng: Any) -> Any:
    plain = isinstance(rows, pd.DataFrame) and not any(isinstance(kind, pd.CategoricalDtype) for kind in rows.dtypes)
    return polars.from_pandas(rows.reset_index(drop=True)) if plain and rows.columns.is_unique else rows


def _reordered(rows: Any, rng: Any) -> Any:
    """The columns the other way round: by their names they are the same."""
    return rows.iloc[:, ::-1] if isinstance(rows, pd.DataFrame) else rows


def _wider(rows: Any, rng: Any) -> pd.DataFrame:
    return _frame(rows).assign(further=0.0)


def _renamed(rows: Any, rng: Any) -> pd.DataFrame:
    frame = _frame(rows)
    frame.columns = [f"列{i}" for i in range(frame.shape[1])]
    return frame


def _as_array(make: Any) -> Any:
    def changed(rows: Any, rng: Any) -> Any:
        return make(rows) if isinstance(rows, np.ndarray) and rows.dtype.kind in "fiub" else rows

    return changed


ORDINARY = {
    "as they are": lambda rows, rng: rows,
    "moved": _numbers(lambda x, rng: x + 0.1 * rng.normal(size=x.shape)),
    "float32": _as_array(lambda x: x.astype(np.float32)),
    "frame": _as_array(pd.DataFrame),
    "list": _as_array(lambda x: x.tolist()),
    "tensor": _as_array(torch.as_tensor),
    "sparse": _as_array(sparse.csr_matrix),
    "fortran": _as_array(np.asfortranarray),
    "read only": _as_array(lambda x: np.broadcast_to(x[:1], x.shape)),
    "polars": _polars,
    "objects": _as_array(lambda x: x.astype(object)),
    "index": lambda rows, rng: _frame(rows).set_axis([0] * len(rows)) if hasattr(rows, "columns") else rows,
}
FAULTS = {
    "missing": _numbers(_some(np.nan)),
    "all missing": _numbers(lambda x, rng: np.full_like(x, np.nan)),
    "infinite": _numbers(_some(np.inf)),
    "huge": _numbers(_some(1e200)),
    "largest": _numbers(lambda x, rng: np.full_like(x, np.finfo(float).max)),
    "beyond float32": _numbers(_some(-1e39)),
    "denormal": _numbers(_some(5e-324)),
    "minus zero": _numbers(_some(-0.0)),
    "twice": _twice,
    "dates": _dates,
    "text": _text,
    "renamed": _renamed,
    "reordered": _reordered,
    "wider": _wider,
    "complex": _as_array(lambda x: x + 1j),
    "booleans": _as_array(lambda x: x > 0),
    "a column less": lambda rows, rng: rows.iloc[:, 1:] if hasattr(rows, "columns") else rows[..., 1:],
    "one row": lambda rows, rng: rows.iloc[0] if hasattr(rows, "iloc") and len(rows) else rows,
    "nothing": lambda rows, rng: None,
}


def rows_of(draw: st.DrawFn, table: Any, *, faults: bool = True) -> tuple[str, Any]:
    """Rows to explain: 0, 1, a few or all of the table's, in another container, or with a fault."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    n = draw(st.sampled_from([0, 1, 2, 7, 7, 70] if faults else [1, 2, 7, 70]))
    index = rng.integers(0, len(table), size=n)
    rows = table.iloc[index] if hasattr(table, "iloc") else table[index]
    pool = ORDINARY | FAULTS if faults else ORDINARY
    kind = draw(st.sampled_from(sorted(pool)))
    if rows.ndim == 1 and kind != "nothing":  # documents
        return "as they are", rows
    return kind, pool[kind](rows, rng)
