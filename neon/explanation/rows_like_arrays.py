"""Rows that are held in less memory than an array of them would take, for those who read them as one."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from neon.explanation.fields import frozen
from neon.explanation.memory import check_fits

__all__ = ["MixedRows", "SparseRows", "finite_rows", "without_infinite"]


class _LikeArray(np.lib.mixins.NDArrayOperatorsMixin):
    """What is computed with, or asked of, the rows, is so of an array of them."""

    ndim = 2
    shape: tuple[int, int]

    def __getattr__(self, name: str) -> Any:
        """An array's methods and attributes, of a dense copy."""
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(np.asarray(self), name)

    def __len__(self) -> int:
        return self.shape[0]

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        plain = [np.asarray(part) if isinstance(part, _LikeArray) else part for part in inputs]
        return getattr(ufunc, method)(*plain, **options)


class SparseRows(_LikeArray):
    """A sparse matrix that reads like an array, (n_samples, n_features): a dense one of a text may not fit memory.

    Some of the rows or columns, by slices, masks or positions, are sparse rows again, and so is what functions make of
    each number, and give 0 for 0: ``abs(rows)``, ``2 * rows``, ``np.maximum(rows, 0)``. Sums and means are computed
    from the entries. Anything else that is picked or computed is a plain array: ``rows[3]``, ``rows[:, 0]``,
    ``rows > 1``, ``np.asarray(rows)``.

    Parameters
    ----------
    matrix : sparse matrix
        Nobody can write to what is held.
    copy : bool
        Whether it is copied. If not, it must be nobody else's.
    """

    def __init__(self, matrix: Any, *, copy: bool = True) -> None:
        self.matrix = sparse.csr_matrix(matrix, copy=copy)
        self.matrix.sum_duplicates()
        self._freeze()

    def _freeze(self) -> None:
        for part in (self.matrix.data, self.matrix.indices, self.matrix.indptr):
            part.flags.writeable = False

    def with_entries(self, entries: np.ndarray) -> SparseRows:
        """Other numbers in the same places, (n_entries,), which are not copied: the places are held once."""
        found = SparseRows.__new__(SparseRows)
        found.matrix = sparse.csr_matrix((entries, self.matrix.indices, self.matrix.indptr), self.shape, copy=False)
        found._freeze()
        return found

    @property
    def shape(self) -> tuple[int, int]:  # type: ignore[override]
        n_rows, n_columns = self.matrix.shape
        return n_rows, n_columns

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.matrix.dtype)

    def sum(
        self, axis: Any = None, dtype: Any = None, out: None = None, *, keepdims: bool = False
    ) -> np.ndarray | np.floating:
        """As of an array; axis : None, 0, 1, or several."""
        axes = _axes(axis)
        if axes == {0, 1}:
            return self.matrix.data.sum(dtype=dtype, keepdims=keepdims).reshape((1, 1) if keepdims else ())[()]
        (along,) = axes
        total = np.asarray(self.matrix.sum(axis=along, dtype=dtype))
        return np.expand_dims(total.ravel(), along) if keepdims else total.ravel()

    def mean(
        self, axis: Any = None, dtype: Any = None, out: None = None, *, keepdims: bool = False
    ) -> np.ndarray | np.floating:
        """As of an array."""
        axes = _axes(axis)
        count = np.prod([self.shape[each] for each in axes])
        return self.sum(axis, dtype or np.float64, keepdims=keepdims) / count

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """Where 0 stays 0, what the function makes of the entries alone."""
        alone = method == "__call__" and not options and ufunc.nout == 1
        if alone and all(part is self or np.ndim(part) == 0 for part in inputs):

            def at(rows: Any) -> Any:
                return ufunc(*(rows if part is self else part for part in inputs))

            with np.errstate(all="ignore"):
                zero = at(np.zeros(1, self.dtype))
            if zero.dtype.kind == "f" and zero[0] == 0:
                return self.with_entries(at(self.matrix.data))
        return super().__array_ufunc__(ufunc, method, *inputs, **options)

    def __reduce__(self) -> tuple:
        """Pickle through the constructor: arrays would come back writeable."""
        return SparseRows, (self.matrix,)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("sparse rows are no array without a copy: np.asarray(rows)")
        check_fits(self.shape, "a dense array of sparse rows", "pick rows, or read rows.matrix, which stays sparse")
        return np.asarray(self.matrix.toarray(), dtype=dtype)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice) or (isinstance(index, np.ndarray | list) and np.ndim(index) == 1):
            return SparseRows(self.matrix[index])
        if isinstance(index, int | np.integer):
            return self.matrix[[index]].toarray()[0]
        if isinstance(index, tuple) and len(index) == 2 and isinstance(index[0], int | np.integer):
            return self[index[0]][index[1]]
        if isinstance(index, tuple) and len(index) == 2 and isinstance(index[1], int | np.integer):
            return self.matrix[:, [index[1]]].toarray()[:, 0][index[0]]
        if isinstance(index, tuple) and len(index) == 2 and isinstance(index[0], slice):
            return SparseRows(self.matrix[index[0]][:, index[1]])
        return np.asarray(self)[index]

    def __repr__(self) -> str:
        return f"SparseRows(shape={self.shape}, {self.matrix.nnz} entries; np.asarray of it is dense)"


def finite_rows(values: np.ndarray | SparseRows) -> np.ndarray:
    """Which rows hold finite numbers alone, (n_rows,)."""
    if not isinstance(values, SparseRows):
        return np.asarray(np.isfinite(values).all(axis=1))
    return np.asarray(values.with_entries((~np.isfinite(values.matrix.data)).astype(np.float64)).sum(axis=1) == 0)


def without_infinite(values: np.ndarray | SparseRows) -> Any:
    """The same with 0 for what is NaN or infinite."""
    if not isinstance(values, SparseRows):
        return np.where(np.isfinite(values), values, 0.0)
    entries = values.matrix.data
    return values.with_entries(np.where(np.isfinite(entries), entries, 0.0))


def _axes(axis: Any) -> set[int]:
    return {0, 1} if axis is None else {int(each) % 2 for each in np.atleast_1d(axis)}


class MixedRows(_LikeArray):
    """Columns of numbers and of booleans that read like an array of objects, (n_samples, n_features).

    Some of the rows or columns are such rows again, a single column is an array of its own kind. Anything else that is
    picked or computed is a plain array.

    Parameters
    ----------
    numbers : ndarray (n_samples, n_features) of float
        True is 1, False is 0, and what is missing NaN.
    boolean : ndarray (n_features,) of bool
        Which columns are of booleans.
    """

    dtype = np.dtype(object)

    def __init__(self, numbers: np.ndarray, boolean: np.ndarray) -> None:
        self.numbers, self.boolean = frozen(numbers), frozen(boolean)

    @property
    def shape(self) -> tuple[int, int]:  # type: ignore[override]
        n_rows, n_columns = self.numbers.shape
        return n_rows, n_columns

    def __reduce__(self) -> tuple:
        """Pickle through the constructor: arrays would come back writeable."""
        return MixedRows, (self.numbers, self.boolean)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("mixed rows are no array without a copy: np.asarray(rows)")
        if dtype is not None and np.dtype(dtype) != object:
            return self.numbers.astype(dtype)
        array = self.numbers.astype(object)
        for column in np.flatnonzero(self.boolean):
            array[:, column] = self._column(int(column))
        return array

    def __getitem__(self, index: Any) -> Any:
        rows: Any
        columns: Any
        rows, columns = index if isinstance(index, tuple) and len(index) == 2 else (index, slice(None))
        if isinstance(columns, int | np.integer):
            return self._column(int(columns))[rows]
        if isinstance(rows, int | np.integer):
            return np.asarray(self[[rows]])[0][columns]
        both_lists = not isinstance(rows, slice) and not isinstance(columns, slice)
        if both_lists or rows is None or rows is Ellipsis or getattr(rows, "ndim", 1) > 1:
            return np.asarray(self)[index]
        return MixedRows(self.numbers[rows][:, columns], self.boolean[columns])

    def _column(self, column: int) -> np.ndarray:
        numbers = self.numbers[:, column]
        if not self.boolean[column]:
            return numbers
        known = ~np.isnan(numbers)
        booleans = numbers.astype(bool)
        return booleans if known.all() else np.where(known, booleans.astype(object), np.nan)

    def __repr__(self) -> str:
        return f"MixedRows(shape={self.shape}, {self.boolean.sum()} columns of booleans; np.asarray of it has objects)"
