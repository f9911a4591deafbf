"""Whole numbers on their way to a table: token ids, shifted, packed or cast, and category codes in a float table.

They carry the relevance of the row that is looked up by them, whatever is done to them before. Elsewhere a whole
number is an index or a length, and a constant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from neon.errors import UnsupportedOperationError
from neon.lrp.recording.escapes import leaves

__all__ = ["INDEX_ARGUMENT", "RECODING", "index_leaves", "is_code", "looked_up", "lookup", "recoded"]


def recoded(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A function that gives each code another one: a cast, a shift, a bin."""
    return function(*args, **kwargs)


def looked_up(index: Tensor, table: Tensor) -> Tensor:
    """``table[index]``: rows of a constant table."""
    return table[index]


def lookup(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """The code and the constant table of a function that reads a table by explained codes.

    Raises
    ------
    UnsupportedOperationError
        If it reads along another axis than the first, or by several indices.
    """
    if name == "__getitem__" and isinstance(args[1], Tensor):
        return args[1], args[0]
    if name == "index_select" and not kwargs and args[1] == 0:
        return args[2], args[0]
    raise UnsupportedOperationError(
        f"{name} reads a constant table by explained whole numbers in a way that relevance does not follow; write "
        "torch.nn.functional.embedding(index, table) or table[index], or detach() the index if it is no input"
    )


def is_code(leaf: Any) -> bool:
    """Whether a leaf is a tensor of whole numbers."""
    return isinstance(leaf, Tensor) and not (
        leaf.is_floating_point() or leaf.is_complex() or leaf.is_quantized or leaf.dtype is torch.bool
    )


# Functions of whole numbers, or to whole numbers, that treat every element alike.
RECODING = frozenset(
    {
        *("long", "int", "short", "to", "type", "type_as", "clone", "contiguous", "bucketize", "searchsorted"),
        *("round", "floor", "ceil", "trunc", "fix", "clamp", "clip", "clamp_min", "clamp_max", "minimum", "maximum"),
        *("add", "__add__", "__radd__", "sub", "__sub__", "__rsub__", "rsub", "mul", "__mul__", "__rmul__"),
        *("remainder", "__mod__", "fmod", "floor_divide", "__floordiv__", "div", "__truediv__", "neg", "abs"),
    }
)
# Where functions that pick or put elements take the places: there a whole number is an index.
INDEX_ARGUMENT = {
    "__getitem__": 1,
    "assigned": 1,
    "index_put": 1,
    "take_along_dim": 1,
    "gather": 2,
    "index_select": 2,
    "index_fill": 2,
    "index_copy": 2,
    "index_add": 2,
    "scatter": 2,
    "scatter_add": 2,
    "scatter_reduce": 2,
    "repeat_interleave": 1,
    "_pack_padded_sequence": 1,
    "_pad_packed_sequence": 1,
}


def index_leaves(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """What a function takes as places, lengths or repeats."""
    if name == "embedding":
        return list(leaves((args, kwargs)))
    position = INDEX_ARGUMENT.get(name)
    if position is None:
        return []
    given = args[position] if len(args) > position else kwargs.get("index", kwargs.get("indices"))
    return list(leaves(given))
