"""Value numbering: what a model computes twice stands once on the tape."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from typing import Any

from torch import Tensor

from neon.lrp.recording.tape import Operation, Slot, Tape

__all__ = ["merge_equal_values", "rewired"]


def merge_equal_values(tape: Tape) -> Tape:
    """Let every reader of a value read the first operation that computed it.

    Two operations are equal if they apply the same function, in the same module, to the same values and constants.
    Relevance is linear in what arrives, so that it adds up to the same.
    """
    first: dict[Hashable, Operation] = {}
    same: dict[int, int] = {}  # slots by the slot that holds the same value
    operations = []
    for operation in tape.operations:
        operation = rewired(operation, same)
        key = (operation.name.strip("_"), operation.module, *_arguments(operation, tape))
        earlier = first.setdefault(key, operation)
        if earlier is operation or operation.extra_bias is not None or earlier.extra_bias is not None:
            operations.append(operation)
        else:
            same.update(zip(operation.outputs, earlier.outputs, strict=True))
    return dataclasses.replace(tape, operations=operations, output=same.get(tape.output, tape.output))


def rewired(operation: Operation, same: dict[int, int]) -> Operation:
    """The operation with some of its input slots exchanged."""
    if not any(slot in same for slot in operation.inputs):
        return operation
    args, kwargs = operation.arguments(lambda slot: Slot(same.get(slot, slot)))  # type: ignore[arg-type,return-value]
    inputs = tuple(same.get(slot, slot) for slot in operation.inputs)
    return dataclasses.replace(operation, args=args, kwargs=kwargs, inputs=inputs)


def _arguments(operation: Operation, tape: Tape) -> tuple[Hashable, Hashable]:
    """The arguments of a call, the same for ``mean(-1, True)`` and ``mean(dim=(1,), keepdim=True)`` of two axes."""
    args, kwargs = operation.args, operation.kwargs
    if operation.name in _REDUCTIONS and len(args) <= 3 and args and isinstance(args[0], Slot):
        named = {"dim": None, "keepdim": False} | kwargs | dict(zip(("dim", "keepdim"), args[1:], strict=False))
        dim, n_axes = named["dim"], tape.specs[args[0].index].ndim
        if isinstance(dim, (int, tuple, list)):
            named["dim"] = sorted(axis % n_axes for axis in ([dim] if isinstance(dim, int) else dim))
        args, kwargs = args[:1], named
    return _key(args), _key(kwargs)


_REDUCTIONS = frozenset({"mean", "sum", "amax", "amin", "max", "min", "logsumexp"})


def _key(tree: Any) -> Hashable:
    """What two equal arguments have in common: slots and numbers by value, constant tensors by identity."""
    if isinstance(tree, Slot):
        return ("slot", tree.index)
    if isinstance(tree, (tuple, list)):
        return tuple(map(_key, tree))
    if isinstance(tree, dict):
        return tuple((name, _key(value)) for name, value in sorted(tree.items()))
    if isinstance(tree, slice):
        return ("slice", _key(tree.start), _key(tree.stop), _key(tree.step))
    if isinstance(tree, Tensor) or not isinstance(tree, Hashable):
        return ("object", id(tree))
    return (type(tree), tree)
