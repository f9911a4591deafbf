"""Writing in place, told as what it makes of the tensors that share memory: values on a tape stay what they were."""

from __future__ import annotations

import functools
import inspect
import weakref
from typing import Any

import torch
from torch import Tensor

from neon.errors import UnsupportedOperationError
from neon.lrp.recording.aliases import ALIASES

__all__ = ["Constants", "assigned", "is_dense", "memory_of", "out_of_place", "viewed", "write_target", "written"]


def assigned(target: Tensor, index: Any, value: Any) -> Tensor:
    """``target[index] = value``, out of place."""
    result = target.clone()
    if isinstance(value, Tensor) and value.is_floating_point() and not target.is_floating_point():
        result = result.to(value.dtype)  # a probe in place of whole numbers
    result[index] = value
    return result


def written(root: Tensor, value: Tensor, shape: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Tensor:
    """A dense tensor with a value in place of one of its views."""
    result = root.clone()
    result.as_strided(shape, stride, offset).copy_(value)
    return result


def viewed(root: Tensor, shape: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Tensor:
    """A view of a dense tensor."""
    return root.as_strided(shape, stride, root.storage_offset() + offset)


def memory_of(tensor: Tensor) -> int:
    """Where a tensor's values lie; 0 of empty and of sparse ones."""
    return tensor.untyped_storage().data_ptr() if tensor.layout is torch.strided else 0


def is_dense(tensor: Tensor) -> bool:
    """Whether its elements fill its memory once each, in whatever order: a clone then has the same strides."""
    expected = 1
    for size, stride in sorted(zip(tensor.shape, tensor.stride(), strict=True), key=lambda axis: axis[1]):
        if size != 1:
            if stride != expected:
                return False
            expected *= size
    return True


class Constants:
    """The constants that recorded operations read, each under a tensor of our own with the values of that moment."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[weakref.ref[Tensor], Tensor]] = {}

    def hold(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        entry = self._held.get(id(leaf))
        if entry is None or entry[0]() is not leaf:
            own = leaf.clone() if leaf.is_inference() else leaf.detach()  # autograd takes no inference tensors
            # torch chooses the order of some sums by whether a gradient is wanted.
            own.requires_grad_(leaf.requires_grad)
            entry = self._held[id(leaf)] = weakref.ref(leaf), own
        return entry[1]

    def release(self, tensor: Tensor) -> None:
        """The tensor holds something else from here on; what was recorded keeps what it held."""
        self._held.pop(id(tensor), None)

    def preserve(self, memory: int) -> None:
        """Copy what is about to be overwritten."""
        for key, (_, own) in list(self._held.items()):
            if memory_of(own) == memory:
                own.data = own.clone()
                del self._held[key]


def write_target(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """The tensors that a function writes into."""
    name = getattr(func, "__name__", "")
    given = kwargs.get("out")
    targets = list(given) if isinstance(given, (tuple, list)) else [given]
    in_place = (name.endswith("_") and not name.endswith("__")) or name == "__setitem__"
    if in_place or _asks_in_place(func, args, kwargs):
        targets.append(args[0] if args else kwargs.get("input"))
    return [target for target in targets if isinstance(target, Tensor)]


def out_of_place(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, Any, Tensor | None]:
    """The function without its in-place effect, and the tensor that it would have changed.

    Raises
    ------
    UnsupportedOperationError
        If there is no such function.
    """
    name = getattr(func, "__name__", "")
    if name in ("apply_", "map_", "map2_"):
        raise UnsupportedOperationError(f"{name} runs Python on every value, which relevance does not follow")
    if kwargs.get("out") is not None:
        raise UnsupportedOperationError(f"{name}(..., out=...) writes into a given tensor; use its return value")
    if name == "__set__" and getattr(getattr(func, "__self__", None), "__name__", "") == "data":
        raise UnsupportedOperationError("setting .data of or to explained values; write `copy_` or use a new tensor")
    if name == "__setitem__":
        return assigned, args, {}, args[0]
    if _asks_in_place(func, args, kwargs):
        position = _parameters(func).index("inplace")
        args = tuple(False if i == position else a for i, a in enumerate(args))
        kwargs = {key: value for key, value in kwargs.items() if key != "inplace"}
        return func, args, kwargs, args[0] if args else kwargs[_parameters(func)[0]]
    if not name.endswith("_") or name.endswith("__") or name in _NO_WRITES or not args:
        return func, args, kwargs, None
    target, rest = args[0], args[1:]
    if name in ("copy_", "fill_", "zero_"):
        value = rest[0] if rest else kwargs.get("src", kwargs.get("value", 0.0))
        return assigned, (target, ..., value), {}, target
    if name == "fill_diagonal_":
        value, wrap = (*rest, *kwargs.values(), False)[:2]
        places = torch.zeros_like(target, dtype=torch.bool).fill_diagonal_(True, wrap=wrap)
        return torch.Tensor.masked_fill, (target, places, value), {}, target
    if name in _DRAWS:
        return assigned, (target, ..., func(torch.empty_like(target), *rest, **kwargs)), {}, target
    for owner in (torch.Tensor, torch, torch.nn.functional):
        plain = getattr(owner, name[:-1], None)
        if callable(plain):
            return ALIASES.get(plain, plain), args, kwargs, target
    raise UnsupportedOperationError(f"{name} changes explained values in place; write it out of place")


def _asks_in_place(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    parameters = _parameters(func)
    if "inplace" not in parameters:
        return False
    position = parameters.index("inplace")
    return bool(kwargs.get("inplace") or (len(args) > position and args[position]))


@functools.cache
def _parameters(func: Any) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(func).parameters) if inspect.isfunction(func) else ()
    except ValueError:  # a Python wrapper of a builtin, such as Tensor.__pow__
        return ()


_NO_WRITES = frozenset({"requires_grad_", "share_memory_"})
_DRAWS = frozenset(
    {"normal_", "uniform_", "random_", "bernoulli_", "exponential_", "cauchy_", "log_normal_", "geometric_"}
)
