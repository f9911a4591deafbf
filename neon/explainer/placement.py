"""Where to compute and in what precision, and numbers on their way there and back."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from neon.converters import Network
from neon.converters.core.containers import column_names, entries, numeric
from neon.explanation.rows_like_arrays import MixedRows, SparseRows

__all__ = ["as_array", "as_data", "as_tensor", "module_rows", "placement"]


def placement(
    network: torch.nn.Module, device: str | torch.device | None, dtype: torch.dtype | None, *, movable: bool
) -> tuple[torch.device, torch.dtype]:
    """Where to compute and in what precision; the caller's own module stays where and what it is.

    Raises
    ------
    ValueError
        If torch has no such device, the precision is not one to explain in, or the module would have to be moved.
    """
    weights = [w for w in itertools.chain(network.parameters(), network.buffers()) if w.is_floating_point()]
    own_device = weights[0].device if weights else torch.device("cpu")
    fitted = movable or isinstance(network, Network)  # without a weight, as of trees, no dtype was chosen
    own_dtype = weights[0].dtype if weights else torch.float64 if fitted else torch.float32
    if dtype is not None and dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        raise ValueError(f"dtype must be a floating torch dtype such as torch.float32, got {dtype!r}")
    if movable and dtype in (torch.float16, torch.bfloat16):
        raise ValueError(f"dtype={dtype}: fitted models are explained in torch.float32 or torch.float64")
    try:
        asked = own_device if device is None else torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device={device!r} is unknown to torch; use 'cpu' or 'cuda'") from error
    try:
        torch.empty(0, device=asked)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        if asked.type != "cuda":
            raise ValueError(f"device={str(device)!r}: torch cannot compute there; use 'cpu'") from error
    if asked.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={str(device)!r} was asked for, but torch finds no CUDA device; use device='cpu'")
    if not movable and weights and (asked.type != own_device.type or dtype not in (None, own_dtype)):
        raise ValueError(
            f"the module is on {own_device} in {own_dtype}; to explain it on {asked} in {dtype or own_dtype} move a "
            "copy of it there yourself: module.to(device, dtype)"
        )
    return asked, dtype or own_dtype


def module_rows(module: torch.nn.Module, X: Any) -> Any:
    """Rows of an array or frame for a torch module: whole numbers are ids where it has a table to look them up."""
    looks_up = any(isinstance(part, (torch.nn.Embedding, torch.nn.EmbeddingBag)) for part in module.modules())
    whole = np.asarray(X) if looks_up and not sparse.issparse(X) else None
    if whole is not None and whole.dtype.kind in "iu":
        return torch.tensor(whole.astype(np.int64))
    return numeric(X)


def as_tensor(rows: Any, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Rows of an array, sparse matrix or tensor as a network reads them."""
    rows = rows.toarray() if sparse.issparse(rows) else rows
    if isinstance(rows, Tensor):  # token ids stay integers
        return rows.to(device=device, dtype=dtype if rows.is_floating_point() else None)
    # torch wants memory that it could write to, in ascending order; it is only read.
    rows = rows if rows.flags.writeable and min(rows.strides, default=0) >= 0 else rows.copy()
    return torch.as_tensor(rows).to(device=device, dtype=dtype)


def as_array(rows: Any) -> np.ndarray:
    """Rows of whatever kind as an array."""
    if isinstance(rows, Tensor):
        return rows.cpu().float().numpy() if rows.dtype == torch.bfloat16 else rows.cpu().numpy()
    if sparse.issparse(rows):
        return np.asarray(rows.toarray())
    return np.asarray(rows if hasattr(rows, "iloc") or column_names(rows) is None else entries(rows))


def as_data(rows: Any) -> np.ndarray | SparseRows:
    """Rows of whatever kind as an explanation holds them."""
    return SparseRows(rows) if sparse.issparse(rows) else as_array(rows)


def with_booleans(data: np.ndarray | SparseRows, boolean: np.ndarray | None) -> np.ndarray | SparseRows | MixedRows:
    """Rows of numbers, with booleans in the columns that are marked, (n_features,)."""
    if boolean is None or isinstance(data, SparseRows) or data.shape[1:] != boolean.shape:
        return data
    return data.astype(bool) if boolean.all() and not np.isnan(data).any() else MixedRows(data, boolean)


def boolean_columns(X: Any) -> np.ndarray | None:
    """Which columns of the caller's rows are of booleans, (n_features,); None where none is."""
    if hasattr(X, "columns") and hasattr(X, "dtypes"):
        found = np.array([str(kind) == "Boolean" or getattr(kind, "kind", "") == "b" for kind in X.dtypes], dtype=bool)
    elif isinstance(X, np.ndarray) and X.dtype == bool and X.ndim == 2:
        found = np.ones(X.shape[1], dtype=bool)
    else:
        return None
    return found if found.any() else None
