"""Rows that stay sparse, for those who read them as an array."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

__all__ = ["SparseRows"]


class SparseRows(np.lib.mixins.NDArrayOperatorsMixin):
    """A sparse matrix that reads like an array, (n_samples, n_features): a dense one of a text may not fit memory.

    Some of the rows, by a slice, a mask or positions, are sparse rows again. Anything else that is picked or computed
    is a plain array: ``rows[3]``, ``rows[:, 0]``, ``rows > 1``, ``rows.max()``, ``np.asarray(rows)``.

    Parameters
    ----------
    matrix : sparse matrix
        It is copied; nobody can write to the copy.
    """

    ndim = 2

    def __init__(self, matrix: Any) -> None:
        self.matrix = sparse.csr_matrix(matrix, copy=True)
        self.matrix.sum_duplicates()
        for part in (self.matrix.data, self.matrix.indices, self.matrix.indptr):
            part.flags.writeable = False

    @property
    def shape(self) -> tuple[int, int]:
        n_rows, n_columns = self.matrix.shape
        return n_rows, n_columns

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.matrix.dtype)

    def __reduce__(self) -> tuple:
        """Pickle through the constructor: arrays would come back writeable."""
        return SparseRows, (self.matrix,)

    def __getattr__(self, name: str) -> Any:
        """An array's methods and attributes, of a dense copy."""
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"SparseRows has no attribute {name!r}")
        return getattr(np.asarray(self), name)

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("sparse rows are no array without a copy: np.asarray(rows)")
        return np.asarray(self.matrix.toarray(), dtype=dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        plain = [np.asarray(part) if isinstance(part, SparseRows) else part for part in inputs]
        return getattr(ufunc, method)(*plain, **options)

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
            return self.matrix[index[0]][:, index[1]].toarray()
        return np.asarray(self)[index]

    def __repr__(self) -> str:
        return f"SparseRows(shape={self.shape}, {self.matrix.nnz} entries; np.asarray of it is dense)"
