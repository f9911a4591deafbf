"""Numbers as base64 of their bytes, in the smallest type that holds them, which a browser reads at once."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from neon.explanation.as_numbers import in_words, is_date

__all__ = ["label", "packed"]

_WHOLE = (("u1", np.uint8), ("u2", np.uint16), ("i4", np.int32))


def packed(array: np.ndarray) -> dict[str, Any]:
    """``{"type": ..., "shape": ..., "bytes": ...}``; other numbers than whole ones with seven digits, as float32 has.

    Numbers of more digits than that, such as large whole ones, keep them all.
    """
    array = np.asarray(array)
    name, packed_as = _type_of(array)
    data = np.ascontiguousarray(array, dtype=np.dtype(packed_as).newbyteorder("<")).tobytes()
    return {"type": name, "shape": list(array.shape), "bytes": base64.b64encode(data).decode("ascii")}


def _type_of(array: np.ndarray) -> tuple[str, Any]:
    if array.dtype == np.int8:
        return "i1", np.int8
    if array.size and np.isfinite(array).all() and (np.round(array) == array).all():
        low, high = array.min(), array.max()
        for name, kind in _WHOLE:
            if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
                return name, kind
    known = array[np.isfinite(array)]
    whole = known[np.round(known) == known]
    large = np.abs(known).max(initial=0.0) > 1e30 or np.abs(whole).max(initial=0.0) > 2**24
    return ("f8", np.float64) if large else ("f4", np.float32)


def label(value: Any) -> str:
    """What a row is called; of several levels, one after the other."""
    if isinstance(value, tuple):
        return ", ".join(map(label, value))
    return in_words(value) if is_date(value) else str(value)
