"""Recognise what models spell out in several operations: one elementwise function, or a normalization.

``0.5 x (1 + tanh(...))`` is an activation, and ``x * rsqrt(mean(x²) + ε)`` a scaling by a statistic that is held
constant, whatever operations they are written with.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neon.lrp.operations import treat, treatment_for
from neon.lrp.operations.elementwise import ElementwiseTreatment, Identity
from neon.lrp.operations.shape import Movement
from neon.lrp.operations.table import kind_of, widened
from neon.lrp.recording.tape import Operation, Slot, Tape, carriers

__all__ = ["DIVISIONS", "Region", "elementwise_region", "held_constant", "merge_spelled_out", "region"]


class _Origin(NamedTuple):
    """What a value is made of: elementwise functions of one slot, and (``reduced``) means, sums or norms of it."""

    slot: int
    reduced: bool


def merge_spelled_out(tape: Tape, *, hold: bool = True) -> Tape:
    """Replace the two-input operations that end an elementwise function or apply a statistic.

    hold : whether statistics are held constant; at reference rows they would have other values.
    """
    origins = {slot: _Origin(slot, False) for slot in tape.inputs}
    made_of: dict[int, int] = {}  # slots computed from one other slot alone, such as x - mean(x)
    operations: list[Operation] = []
    for operation in tape.operations:
        found = [origins.get(slot, _Origin(slot, False)) for slot in operation.inputs]
        (out, *others) = operation.outputs
        origins[out] = _Origin(out, False)
        single = not others and len({origin.slot for origin in found}) == 1
        if single and len(found) == 1 and (_keeps_elements(operation, tape) or _moves_statistic(operation, found[0])):
            origins[out] = found[0]
        elif single and len(found) == 1 and operation.function in _REDUCTIONS:
            origins[out] = _Origin(found[0].slot, True)
        elif len(found) == 2 and not others and _combines(operation):
            a, b = found
            if single and not a.reduced and not b.reduced and _same_shape(tape, out, a.slot):
                whole = region(operation, a.slot, operations)
                if not all(map(_adds, whole.operations)):
                    operation = _elementwise(whole)
                origins[out] = a
            elif single and a.reduced and b.reduced:
                origins[out] = a
            elif single:
                made_of[out] = a.slot
            statistic = _statistic(operation, a, b, made_of)
            if statistic is not None and hold:
                operation = held_constant(operation, {operation.inputs[statistic]}, tape)
        operations.append(operation)
    return dataclasses.replace(tape, operations=operations)


@dataclasses.dataclass(frozen=True, eq=False)
class Region:
    """Recorded operations that compute one value from the slot ``root``."""

    root: int
    operations: list[Operation]

    def __call__(self, x: Tensor) -> Tensor:
        """The value at another x, differentiably."""
        values = {self.root: x}
        for operation in self.operations:
            args, kwargs = operation.arguments(values.__getitem__, lambda leaf: widened(leaf, x.dtype))
            values.update(zip(operation.outputs, carriers(operation.function(*args, **kwargs)), strict=True))
        return values[self.operations[-1].outputs[0]]


def region(last: Operation, root: int, before: list[Operation]) -> Region:
    """The operations that lead from a slot to the output of ``last``."""
    wanted, kept = set(last.inputs) - {root}, [last]
    for operation in reversed(before):
        if wanted.intersection(operation.outputs):
            wanted = (wanted - set(operation.outputs)) | (set(operation.inputs) - {root})
            kept.append(operation)
    return Region(root, kept[::-1])


def elementwise_region(x: Tensor, region: Region) -> Tensor:
    """Several recorded operations that together are one elementwise function of x."""
    return region(x)


def _elementwise(region: Region) -> Operation:
    last = region.operations[-1]
    return Operation(elementwise_region, (Slot(region.root), region), {}, (region.root,), last.outputs, last.module)


def _adds(operation: Operation) -> bool:
    """Whether it is part of ``(h + c) + h``, which shares with the constant as a sum does, unlike an activation."""
    return isinstance(treatment_for(operation), Identity) or kind_of(operation) in ("sum", "affine")


def _statistic(operation: Operation, a: _Origin, b: _Origin, made_of: dict[int, int]) -> int | None:
    """The input that is a statistic of what the other one is made of."""
    if operation.function not in _PRODUCTS or a.reduced == b.reduced:
        return None
    whole, reduced = (b, a) if a.reduced else (a, b)
    slots, slot = {whole.slot}, whole.slot
    while slot in made_of:
        slot = made_of[slot]
        slots.add(slot)
    if reduced.slot not in slots:
        return None
    position = 0 if a.reduced else 1
    return None if operation.function in DIVISIONS and position == 0 else position


def held_constant(operation: Operation, slots: set[int], tape: Tape) -> Operation:
    """The operation with some of its inputs taken for constants."""
    if slots.isdisjoint(operation.inputs):
        return operation
    tape.closed = False
    args, kwargs = operation.arguments(lambda slot: tape.value(slot) if slot in slots else Slot(slot))  # type: ignore[arg-type,return-value]
    kept = tuple(slot for slot in operation.inputs if slot not in slots)
    return dataclasses.replace(operation, args=args, kwargs=kwargs, inputs=kept)


def _keeps_elements(operation: Operation, tape: Tape) -> bool:
    elementwise = isinstance(treatment_for(operation), ElementwiseTreatment) or kind_of(operation) == "affine"
    return elementwise and _same_shape(tape, operation.outputs[0], operation.inputs[0])


def _moves_statistic(operation: Operation, origin: _Origin) -> bool:
    """Whether a statistic is given axes or copies: ``mean(-1)[:, None]``, ``expand_as``."""
    return origin.reduced and isinstance(treatment_for(operation), Movement)


def _combines(operation: Operation) -> bool:
    return operation.function in _PRODUCTS or kind_of(operation) in ("sum", "affine", "product")


def _same_shape(tape: Tape, one: int, other: int) -> bool:
    return tape.specs[one].shape == tape.specs[other].shape


T = torch.Tensor
_Functions = frozenset[Callable[..., Any]]
DIVISIONS: _Functions = frozenset({torch.div, T.div, T.__truediv__, torch.true_divide, T.true_divide})
_PRODUCTS: _Functions = frozenset({torch.mul, T.mul, T.__mul__, T.__rmul__, *DIVISIONS})
_REDUCTIONS: _Functions = frozenset({
    torch.mean, T.mean, torch.sum, T.sum, torch.var, T.var, torch.std, T.std, torch.norm, T.norm,
    torch.linalg.norm, torch.linalg.vector_norm, torch.amax, T.amax, torch.logsumexp, T.logsumexp,
    torch.max, T.max, torch.amin, T.amin, torch.min, T.min,
})  # fmt: skip
treat(elementwise_region, by=ElementwiseTreatment(offset=True))
