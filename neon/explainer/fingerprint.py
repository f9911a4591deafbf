"""A hash of all that a model holds, the same for copies, in other processes and after use."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy import sparse

__all__ = ["fingerprint"]


def fingerprint(model: Any) -> str:
    """SHA-256 of a model's parameters, given and fitted, as hexadecimal digits.

    Arrays count by type, shape and entries, other objects by their class and what a pickle would hold. A torch module
    counts by its parameters and buffers, search trees of scikit-learn without the queries that they count.
    """
    walk = _Walk()
    walk.feed(model.state_dict() if isinstance(model, torch.nn.Module) else model)
    return walk.digest.hexdigest()


class _Walk:
    """Feeds an object, and all in it, to a digest."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self._path: list[int] = []  # of objects that hold each other

    def feed(self, value: Any) -> None:
        if value is None or isinstance(value, bool | int | float | complex | str | bytes | bytearray):
            self._say(type(value).__name__, repr(value))
        elif isinstance(value, np.ndarray | np.generic):
            self._array(np.asarray(value))
        elif isinstance(value, torch.Tensor):
            flat = value.detach().cpu().contiguous().reshape(-1)
            self._say(str(value.dtype), str(tuple(value.shape)))
            self._array(flat.view(torch.uint8).numpy())
        elif isinstance(value, type) or hasattr(value, "__qualname__"):  # classes and functions
            self._say(value.__module__ or "", value.__qualname__)
        elif id(value) in self._path:
            self._say("above", str(len(self._path) - self._path.index(id(value))))
        else:
            self._path.append(id(value))
            self._held(value)
            self._path.pop()

    def _held(self, value: Any) -> None:
        """What an object holds."""
        if isinstance(value, Mapping):
            items = sorted(value.items(), key=lambda item: repr(item[0]))
            parts: Any = [part for item in items for part in item if item[0] != "_sklearn_version"]
        elif isinstance(value, set | frozenset):
            parts = sorted(value, key=repr)
        elif isinstance(value, list | tuple):
            parts = value
        elif sparse.issparse(value):
            matrix = value.tocsr()
            parts = [matrix.shape, matrix.data, matrix.indices, matrix.indptr]
        elif hasattr(value, "get_arrays") and hasattr(value, "query"):  # a tree that is searched
            parts = [np.asarray(part) for part in value.get_arrays()]
        else:
            made = value.__reduce_ex__(4)
            parts = [made] if isinstance(made, str) else [part for part in made[:3] if part is not None]
        self._say(type(value).__name__, str(len(parts)))
        for part in parts:
            self.feed(part)

    def _array(self, array: np.ndarray) -> None:
        self._say(array.dtype.str, str(array.shape))
        if array.dtype.names is not None:  # between the fields there may be anything
            for name in array.dtype.names:
                self._array(array[name])
        elif array.dtype == object:
            for entry in array.flat:
                self.feed(entry)
        else:
            self.digest.update(np.ascontiguousarray(array).tobytes())

    def _say(self, *words: str) -> None:
        self.digest.update("\0".join((*words, "")).encode("utf-8", "surrogatepass"))
