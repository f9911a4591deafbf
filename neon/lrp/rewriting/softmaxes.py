"""Recognise softmax however it is spelled: ``exp(s - max s) / Σ exp(s - max s)``, over an axis or over groups.

A softmax does not change when all scores of an axis, or of a group (the neighbours of a node), are shifted: the shift,
whatever it is computed from, neither takes nor gives relevance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from neon.lrp.message import Ledger, Message, divide
from neon.lrp.operations import treat, treatment_for
from neon.lrp.operations.elementwise import ElementwiseTreatment, Identity
from neon.lrp.operations.normalization import Softmax
from neon.lrp.operations.pooling import WinnerTakesAll
from neon.lrp.operations.shape import Movement
from neon.lrp.operations.table import Call, kind_of, widened
from neon.lrp.recording.tape import Operation, Slot, Tape
from neon.lrp.rewriting.equal_values import rewired
from neon.lrp.rewriting.peephole import DIVISIONS, Region, held_constant, region
from neon.lrp.rules import Rule

__all__ = ["merge_softmax", "shifted_exp", "softmax_region"]


def merge_softmax(tape: Tape) -> Tape:
    """Replace spelled-out softmaxes, take shifts away from in front of all, and hold maxima in front of ``exp``."""
    producers = tape.producers()
    operations: list[Operation] = []
    held: set[int] = set()  # what is made of maxima alone
    for place, operation in enumerate(tape.operations):
        scores = _scores(operation, producers)
        if scores is not None:
            operation = _unshifted(operation, scores, tape.operations[:place], tape, producers)
        elif operation.function in _EXP:
            operation = _stabilized(operation, tape, producers)
        operation = held_constant(operation, held, tape)
        if operation.inputs:
            operations.append(operation)
        else:
            held.update(operation.outputs)
    return dataclasses.replace(tape, operations=operations)


def softmax_region(x: Tensor, region: Region) -> Tensor:
    """Several recorded operations that together are a softmax of x."""
    return region(x)


def shifted_exp(x: Tensor, region: Region) -> Tensor:
    """``exp(x - m)`` with a maximum m that is held constant."""
    return region(x)


class _SpelledSoftmax(Softmax):
    """`Softmax` by whatever operations: ``R = x ⊙ Jᵀ (R / p)``, with J the derivative of the probabilities p."""

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        x, p, r = call.value(call.inputs[0]), call.value(call.output), message.relevance
        with torch.enable_grad():
            probe = x.detach().requires_grad_()
            again = call.operation.args[1](probe)
        (slope,) = torch.autograd.grad(again, probe, divide(r, p).to(again.dtype))
        spread = slope.mul_(x.masked_fill(p == 0, 0.0))
        if ledger.enabled:
            ledger.absorb("softmax", r - spread)
        return Message.of_relevance(spread)


def _scores(operation: Operation, producers: dict[int, Operation]) -> int | None:
    """The slot of which an operation gives the softmax, shifts included."""
    if operation.function in _SOFTMAX:
        return operation.inputs[0]
    if operation.function in _EXP:  # of a log-softmax
        before = producers.get(operation.inputs[0])
        if before is not None and before.function in _LOG_SOFTMAX:
            return before.inputs[0]
        if before is not None and before.function in _SUB and len(before.inputs) == 2:
            whole = [op for op in _through(before.inputs[1], producers, _moves) if op.function in _LOG_SUM_EXP]
            return before.inputs[0] if whole and whole[0].inputs == before.inputs[:1] else None
        return None
    if len(operation.inputs) != 2:
        return None
    if operation.function in DIVISIONS:
        part, whole_slot = operation.inputs
    elif operation.function in _MUL:
        part, whole_slot = operation.inputs
        if producers[whole_slot].function not in _RECIPROCAL if whole_slot in producers else True:
            part, whole_slot = whole_slot, part
    else:
        return None
    exponentials = [op for op in _through(part, producers, _weighs) if op.function in _EXP]
    if not exponentials or not _is_sum_of(whole_slot, part, producers):
        return None
    return exponentials[0].inputs[0]


def _is_sum_of(slot: int, part: int, producers: dict[int, Operation]) -> bool:
    """Whether a value is made of sums of another one, moved, kept from 0 or inverted."""
    found = False
    for operation in _through(slot, producers, lambda op: op.outputs[0] != part and _adds(op)):
        found = found or kind_of(operation) == "pooling"
        slot = operation.inputs[0]
        if slot == part:
            return found
    return False


def _through(slot: int, producers: dict[int, Operation], passes: Callable[[Operation], bool]) -> Iterator[Operation]:
    """The operations that made a value, backwards, as long as they have one input and pass; and the one before."""
    while (operation := producers.get(slot)) is not None:
        yield operation
        if len(operation.inputs) != 1 or not passes(operation):
            return
        slot = operation.inputs[0]


def _unshifted(
    operation: Operation, scores: int, before: list[Operation], tape: Tape, producers: dict[int, Operation]
) -> Operation:
    """The softmax of scores from which shifts have been taken."""
    whole, held = region(operation, scores, before), []
    while (shift := producers.get(scores)) is not None:
        position = _shift_position(shift, tape, scores)
        if position is None or not _is_invariant(Region(whole.root, whole.operations), shift, position, tape):
            break
        held.append(held_constant(shift, {*shift.inputs} - {shift.inputs[position]}, tape))
        scores = shift.inputs[position]
    if operation.function in _SOFTMAX:
        return rewired(operation, {whole.root: scores}) if held else operation
    if tape.specs[scores].shape != tape.specs[operation.outputs[0]].shape:
        return operation
    args = (Slot(scores), Region(scores, [*held[::-1], *whole.operations]))
    return Operation(softmax_region, args, {}, (scores,), operation.outputs, operation.module)


def _shift_position(operation: Operation, tape: Tape, slot: int) -> int | None:
    """Which input of a sum or difference stands for scores, of the shape of the result; None if none does."""
    if operation.function not in _SUB | _ADD or operation.kwargs:
        return None
    places = range(1 if operation.function in _SUB else len(operation.inputs))
    fitting = [i for i in places if tape.specs[operation.inputs[i]].shape == tape.specs[slot].shape]
    if operation.function in _SUB and operation.args[0] != Slot(operation.inputs[0]):
        return None
    return fitting[0] if fitting else None


def _is_invariant(softmax: Region, shift: Operation, position: int, tape: Tape) -> bool:
    """Whether a softmax does not change when its scores are shifted: seen at scores of 0, where all of them count."""
    scores = torch.zeros_like(widened(tape.value(softmax.root)))
    others = [tape.value(slot) for slot in {*shift.inputs} - {shift.inputs[position]}]
    tape.closed &= not others  # what is seen here depends on their values
    amount = others[0] if others else next(arg for arg in shift.args if not isinstance(arg, Slot))
    amount = torch.as_tensor(widened(amount), dtype=scores.dtype, device=scores.device)
    if not scores.numel():
        return True
    size = amount.abs().max()
    if not size or not bool(size.isfinite()):
        return False  # a mask is none, also where it masks nothing
    one, other = softmax(scores), softmax(scores + amount / size)
    return bool(((one - other).abs() <= 1e3 * torch.finfo(one.dtype).eps).all())


def _stabilized(operation: Operation, tape: Tape, producers: dict[int, Operation]) -> Operation:
    """``exp(a - m)`` with a maximum m, which is there for the range of the numbers: m is held constant."""
    before = producers.get(operation.inputs[0])
    if before is None or before.function not in _SUB:
        return operation
    peaks = {slot for slot in before.inputs if _is_maximum(slot, producers)}
    if before.args[1] not in map(Slot, peaks):
        return operation
    if peaks.issuperset(before.inputs):
        return held_constant(operation, set(operation.inputs), tape)
    root = before.inputs[0]
    if tape.specs[root].shape != tape.specs[before.outputs[0]].shape:
        return operation
    args = (Slot(root), Region(root, [held_constant(before, peaks, tape), operation]))
    return Operation(shifted_exp, args, {}, (root,), operation.outputs, operation.module)


def _is_maximum(slot: int, producers: dict[int, Operation]) -> bool:
    found = list(_through(slot, producers, lambda op: _moves(op) or kind_of(op) == "affine"))
    return bool(found) and isinstance(treatment_for(found[-1]), WinnerTakesAll)


def _moves(operation: Operation) -> bool:
    return isinstance(treatment_for(operation), (Movement, Identity))


def _weighs(operation: Operation) -> bool:
    """Masks, by which exponentials are multiplied, and movements."""
    return _moves(operation) or operation.function in _MUL


def _adds(operation: Operation) -> bool:
    return _moves(operation) or kind_of(operation) in ("pooling", "affine") or operation.function in _FROM_ZERO


T = torch.Tensor
_Functions = frozenset[Callable[..., Any]]
_EXP: _Functions = frozenset({torch.exp, T.exp})
_SOFTMAX: _Functions = frozenset({F.softmax, torch.softmax, T.softmax})
_LOG_SOFTMAX: _Functions = frozenset({F.log_softmax, torch.log_softmax, T.log_softmax})
_LOG_SUM_EXP: _Functions = frozenset({torch.logsumexp, T.logsumexp, torch.special.logsumexp})
_SUB: _Functions = frozenset({torch.sub, T.sub, T.__sub__})
_ADD: _Functions = frozenset({torch.add, T.add, T.__add__, T.__radd__})
_MUL: _Functions = frozenset({torch.mul, T.mul, T.__mul__, T.__rmul__})
_RECIPROCAL: _Functions = frozenset({torch.reciprocal, T.reciprocal, T.__rtruediv__})
_FROM_ZERO: _Functions = frozenset({
    torch.clamp, T.clamp, torch.clamp_min, T.clamp_min, torch.maximum, T.maximum, *_RECIPROCAL
})  # fmt: skip
treat(softmax_region, by=_SpelledSoftmax())
treat(shifted_exp, by=ElementwiseTreatment(nonnegative=True, offset=True))
