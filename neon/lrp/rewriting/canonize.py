"""Rewrite the tape so that the rules see the maps that the network computes, not the way it was written down."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from neon.lrp.operations import treatment_for
from neon.lrp.operations.elementwise import Identity
from neon.lrp.operations.linear_functions import batch_norm_affine
from neon.lrp.operations.pooling import WinnerTakesAll
from neon.lrp.operations.shape import Movement
from neon.lrp.operations.table import Call, kind_of
from neon.lrp.recording.indices import RECODING, recoded
from neon.lrp.recording.tape import Operation, Tape
from neon.lrp.rewriting.peephole import elementwise_region
from neon.lrp.rewriting.softmaxes import shifted_exp, softmax_region

__all__ = [
    "factor_slots",
    "gate_slots",
    "merge_batch_norm",
    "merge_recodings",
    "mixed_slots",
    "nonnegative_slots",
    "relevant_operations",
    "scale_slots",
]

_Functions = frozenset[Callable[..., Any]]
_GATES: _Functions = frozenset(
    {
        *(torch.sigmoid, torch.Tensor.sigmoid, F.sigmoid, F.hardsigmoid),
        *(torch.softmax, torch.Tensor.softmax, F.softmax, softmax_region),
    }
)
_SCALES: _Functions = frozenset({torch.exp, torch.Tensor.exp, torch.exp2, torch.Tensor.exp2, F.softplus, shifted_exp})
_ADDITIONS: _Functions = frozenset({torch.add, torch.Tensor.add, torch.Tensor.__add__, torch.Tensor.__radd__})
_SHIFTS: _Functions = frozenset({
    *_ADDITIONS, torch.sub, torch.Tensor.sub, torch.Tensor.__sub__, torch.Tensor.__rsub__, torch.rsub,
    F.batch_norm, torch.batch_norm, torch.addcmul, torch.Tensor.addcmul,
})  # fmt: skip
_MIXING = ("dense", "convolution", "sum", "pooling", "normalization")
_BATCH_NORM = (F.batch_norm, torch.batch_norm)
_CHANNEL_AXIS = {
    F.linear: 0,
    torch.conv1d: 0,
    torch.conv2d: 0,
    torch.conv3d: 0,
    torch.conv_transpose1d: 1,
    torch.conv_transpose2d: 1,
    torch.conv_transpose3d: 1,
}


def relevant_operations(tape: Tape) -> list[Operation]:
    """The operations on a way from an input to the output, in order."""
    wanted = {tape.output}
    kept = []
    for operation in reversed(tape.operations):
        if wanted.intersection(operation.outputs):
            wanted.update(operation.inputs)
            kept.append(operation)
    return kept[::-1]


def merge_recodings(tape: Tape) -> Tape:
    """Let floating codes be codes before they are cast: ``(x + 0.2).floor().long()`` shares nothing with its 0.2."""
    readers, operations = tape.consumers(), []
    coding: set[int] = set()  # operations by id whose outputs only serve as codes
    for operation in reversed(tape.operations):
        whole = not any(tape.specs[slot].is_floating_point() for slot in operation.outputs)
        if whole or all(
            slot != tape.output and all(id(reader) in coding for reader in readers[slot]) for slot in operation.outputs
        ):
            coding.add(id(operation))
            (first, *_), (out, *_) = operation.inputs, operation.outputs
            same = len(operation.inputs) == 1 and tape.specs[first].shape == tape.specs[out].shape
            if not whole and same and operation.name in RECODING:
                operation = dataclasses.replace(operation, function=recoded, args=(operation.function, *operation.args))
        operations.append(operation)
    return dataclasses.replace(tape, operations=operations[::-1])


def nonnegative_slots(tape: Tape) -> frozenset[int]:
    """Slots whose values are ≥ 0 for certain: after a ReLU, and what keeps the sign from there on."""
    known: set[int] = set()
    for operation in tape.operations:
        treatment = treatment_for(operation)
        if treatment is not None and treatment.is_nonnegative(Call(operation, tape, nonnegative=frozenset(known))):
            known.update(operation.outputs)
    return frozenset(known)


def gate_slots(tape: Tape) -> frozenset[int]:
    """Slots that a sigmoid or softmax gave, or a scale."""
    return _made_of(_GATES | _SCALES, tape)


def scale_slots(tape: Tape) -> frozenset[int]:
    """Slots that an exponential gave: decays, step sizes, weights that are not normalized yet."""
    return _made_of(_SCALES, tape)


def mixed_slots(tape: Tape) -> frozenset[int]:
    """Slots whose values may be 0 because parts cancel: sums, shifts and what is made of them element by element.

    A distance is 0 at one point alone; its spelling as a sum of squares counts as a sum.
    """
    nonnegative, known = nonnegative_slots(tape), set[int]()
    for operation in tape.operations:
        kind = kind_of(operation)
        mixes = kind in _MIXING or (kind == "affine" and operation.function in _SHIFTS)
        if mixes or (kind in ("", "affine") and known.intersection(operation.inputs)):
            known.update(slot for slot in operation.outputs if slot not in nonnegative)
    return frozenset(known)


def factor_slots(tape: Tape) -> frozenset[int]:
    """Slots that are multiplied by another explained value, once they were moved, scaled or shifted by a constant."""
    known: set[int] = set()
    for operation in reversed(tape.operations):
        kind = kind_of(operation)
        carried = kind == "affine" or isinstance(treatment_for(operation), (Movement, Identity))
        if kind == "product" or (carried and known.intersection(operation.outputs)):
            known.update(operation.inputs)
    return frozenset(known)


def _made_of(sources: _Functions, tape: Tape) -> frozenset[int]:
    """Slots that these functions gave, moved, picked out, scaled or shifted by a constant (``1 - z``).

    Their sums, products and quotients among themselves are of the same kind.
    """
    known: set[int] = set()
    for operation in tape.operations:
        # A chain is what it ends in: exp of whatever is a scale.
        function = _last_of(operation)
        if function in sources or (known.issuperset(operation.inputs) and _carries(operation)):
            known.update(operation.outputs)
    return frozenset(known)


def _last_of(operation: Operation) -> Callable[..., Any]:
    while operation.function is elementwise_region:
        operation = operation.args[1].operations[-1]
    return operation.function


def _carries(operation: Operation) -> bool:
    if isinstance(treatment_for(operation), (Movement, Identity, WinnerTakesAll)):
        return True
    kind = kind_of(operation)
    return kind in ("affine", "pooling", "product") or (kind == "sum" and operation.function in _ADDITIONS)


def merge_batch_norm(tape: Tape) -> Tape:
    """Merge batch normalization with fixed statistics into the linear map before it, or else after it.

    ``BN(W x + b) = (g W) x + (g b + h)``, and ``W BN(x) + b = (W g) x + (W h + b)`` where h enters the second map
    as a signal of its own (its response varies at padded borders). A normalization with neither neighbour stays
    an elementwise affine map.
    """
    consumers, producers = tape.consumers(), tape.producers()
    merged: dict[int, Operation | None] = {}
    for operation in tape.operations:
        if operation.function not in _BATCH_NORM or _bound(operation)["training"]:
            continue
        before = producers.get(operation.inputs[0])
        readers = consumers.get(operation.outputs[0], [])
        if (
            before is not None
            and before.function in _CHANNEL_AXIS
            and id(before) not in merged
            and len(consumers[before.outputs[0]]) == 1
        ):
            merged[id(before)] = None
            merged[id(operation)] = _after(before, operation)
        elif (
            len(readers) == 1
            and readers[0].function in _CHANNEL_AXIS
            and id(readers[0]) not in merged
            and _group_count(readers[0]) == 1
        ):
            merged[id(operation)] = None
            merged[id(readers[0])] = _before(operation, readers[0], tape)
    if not merged:
        return tape
    operations = [merged.get(id(operation), operation) for operation in tape.operations]
    return Tape(
        [op for op in operations if op is not None], tape.inputs, tape.output, tape.specs, tape.values, tape.closed
    )


def _after(linear: Operation, norm: Operation) -> Operation:
    scale, shift = _affine(norm)
    weight, bias = linear.args[1], linear.args[2] if len(linear.args) > 2 else linear.kwargs.get("bias")
    axis = _CHANNEL_AXIS[linear.function]
    if axis == 1:  # transposed convolutions hold their output channels in groups along axis 1
        scale_w = scale.reshape(_group_count(linear), 1, -1).expand(-1, weight.shape[0] // _group_count(linear), -1)
        weight = weight * scale_w.reshape(weight.shape[0], -1, *(1,) * (weight.ndim - 2))
    else:
        weight = weight * scale.reshape(-1, *(1,) * (weight.ndim - 1))
    bias = shift if bias is None else shift + bias * scale
    both = _with(linear, weight, bias, inputs=linear.args[:1], outputs=norm.outputs)
    both.merged = norm.module
    return both


def _before(norm: Operation, linear: Operation, tape: Tape) -> Operation:
    scale, shift = _affine(norm)
    weight, bias = linear.args[1], linear.args[2] if len(linear.args) > 2 else linear.kwargs.get("bias")
    spec = tape.specs[norm.inputs[0]]
    axis = 1 - _CHANNEL_AXIS[linear.function]
    shape = [1] * weight.ndim
    shape[axis] = -1
    signal = shift.reshape(1, -1, *(1,) * (spec.ndim - 2)).expand(1, *spec.shape[1:])
    plain = Operation(linear.function, linear.args, linear.kwargs, linear.inputs, linear.outputs, linear.module)
    (response,) = _with(plain, weight, None).run(lambda _: signal)
    if bias is not None:
        response = response + bias.reshape(-1, *(1,) * (weight.ndim - 2))
    new = _with(linear, weight * scale.reshape(shape), None, inputs=norm.args[:1])
    new.extra_bias = response
    return new


def _with(
    linear: Operation,
    weight: Tensor,
    bias: Tensor | None,
    inputs: tuple[Any, ...] | None = None,
    outputs: tuple[int, ...] | None = None,
) -> Operation:
    inputs = linear.args[:1] if inputs is None else inputs
    kwargs = {key: value for key, value in linear.kwargs.items() if key != "bias"}
    args = (*inputs, weight, bias, *linear.args[3:])
    slots = (inputs[0].index,)
    return Operation(linear.function, args, kwargs, slots, outputs or linear.outputs, linear.module)


def _affine(norm: Operation) -> tuple[Tensor, Tensor]:
    b = _bound(norm)
    return batch_norm_affine(b["running_mean"], b["running_var"], b["weight"], b["bias"], b["eps"])


def _bound(norm: Operation) -> dict[str, Any]:
    if norm.function is torch.batch_norm:
        names = ["input", "weight", "bias", "running_mean", "running_var", "training", "momentum", "eps"]
    else:
        names = ["input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"]
    defaults = {"weight": None, "bias": None, "training": False, "momentum": 0.1, "eps": 1e-5}
    return defaults | dict(zip(names, norm.args, strict=False)) | norm.kwargs


def _group_count(linear: Operation) -> int:
    if linear.function is F.linear:
        return 1
    return int(linear.kwargs.get("groups", linear.args[6] if len(linear.args) > 6 else 1))
