"""Whether an operation over the first axis mixes samples, or members, views or time steps of each.

Where a model keeps its samples is seen by sending NaN along the tape in their place: once for the first sample, once
for all others. What is NaN both times depends on several samples, and the operation mixes them unless its inputs do
already: nodes of a graph. Whatever hides NaN counts as mixed.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from neon.errors import UnsupportedOperationError
from neon.lrp.recording.indices import recoded
from neon.lrp.recording.tape import Operation, Tape

__all__ = ["refuse_mixing"]


def refuse_mixing(tape: Tape, operation: Operation) -> None:
    """Raise where elements of an operation's output depend on several samples, and those of its inputs did not.

    Raises
    ------
    UnsupportedOperationError
        If they do, or if that cannot be told.
    """
    if tape.mixed is None:
        tape.mixed = _mixed(tape)
    if not tape.mixed.isdisjoint(operation.outputs):
        raise UnsupportedOperationError(
            f"{operation.name} over axis 0 mixes the samples of a batch; explain one sample at a time (batch_size=1)"
        )


def _mixed(tape: Tape) -> frozenset[int]:
    n_samples = len(tape.specs[tape.inputs[0]])
    if n_samples < 2:
        return frozenset()
    first = {slot: _lost(tape, slot, slice(0, 1), n_samples) for slot in tape.inputs}
    others = {slot: _lost(tape, slot, slice(1, None), n_samples) for slot in tape.inputs}
    last_reader = {slot: operation for operation in tape.operations for slot in operation.inputs}
    mixed: set[int] = set()
    for operation in tape.operations:
        for values in (first, others):
            values.update(zip(operation.outputs, _run(tape, operation, values.__getitem__), strict=True))
        shared = {slot: first[slot].isnan() & others[slot].isnan() for slot in (*operation.inputs, *operation.outputs)}
        known = [torch.zeros_like(shared[slot]) for slot in operation.outputs]
        if any(shared[slot].any() for slot in operation.inputs):
            lost = {
                slot: torch.zeros_like(first[slot]).masked_fill(shared[slot], torch.nan) for slot in operation.inputs
            }
            known = [output.isnan() for output in _run(tape, operation, lost.__getitem__)]
        for slot, inherited in zip(operation.outputs, known, strict=True):
            seen = first[slot].isnan() | others[slot].isnan()
            if (shared[slot] & ~inherited).any() or not seen.any():
                mixed.add(slot)
        for slot in {slot for slot in operation.inputs if last_reader[slot] is operation}:
            del first[slot], others[slot]
    return frozenset(mixed)


def _lost(tape: Tape, slot: int, samples: slice, n_samples: int) -> Tensor:
    """An input without some of its samples; one that has other samples stays as it is."""
    x = tape.values[slot].detach()
    x = x.clone() if x.is_floating_point() else x.to(tape.precision, copy=True)
    if len(x) == n_samples:
        x[samples] = torch.nan
    return x


def _run(tape: Tape, operation: Operation, value: Callable[[int], Tensor]) -> tuple[Tensor, ...]:
    """The outputs, whole numbers as floating ones: all NaN where it cannot be told which of them are."""
    specs = [tape.specs[slot] for slot in operation.outputs]
    whole = [slot for slot in operation.inputs if not tape.specs[slot].is_floating_point()]
    device = value(operation.inputs[0]).device
    outputs: tuple[Tensor, ...]
    try:
        if operation.function is recoded:
            outputs = (sum((value(slot) for slot in operation.inputs), start=torch.zeros((), device=device)),)
        elif whole and any(spec.is_floating_point() for spec in specs):  # rows of a table
            lost = value(whole[0]).isnan()
            lost = lost.reshape(lost.shape + (1,) * (specs[0].ndim - lost.ndim))
            outputs = (torch.where(lost, torch.nan, 0.0).to(specs[0].dtype),)
        else:
            outputs = operation.run(value)
        return tuple(y.broadcast_to(spec.shape) for y, spec in zip(outputs, specs, strict=True))
    except (RuntimeError, TypeError, ValueError, IndexError):  # functions of whole numbers alone
        return tuple(torch.full(spec.shape, math.nan, device=device) for spec in specs)
