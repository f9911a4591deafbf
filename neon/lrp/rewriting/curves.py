"""Recognise functions of one value that are spelled as a chain: ``1 / (1 + exp(-z))`` is a sigmoid.

A chain is explained as the one function that it computes, and where it computes a function that has a name it is that
function: a gate, a scale, the end of a classifier.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from neon.lrp.operations import treatment_for
from neon.lrp.operations.elementwise import ElementwiseTreatment, Identity
from neon.lrp.operations.linear import RELU
from neon.lrp.operations.table import kind_of
from neon.lrp.recording.tape import Operation, Slot, Tape
from neon.lrp.rewriting.peephole import Region, elementwise_region

__all__ = ["merge_curves"]


class _Chain(NamedTuple):
    """What leads to a value from the slot ``root``; ``curved``: more than scaling by numbers."""

    root: int
    operations: tuple[Operation, ...]
    curved: bool = False


def merge_curves(tape: Tape) -> Tape:
    """Replace the ends of chains by what the chains compute."""
    chains: dict[int, _Chain] = {}
    shifted: dict[int, _Chain] = {}  # with shifts by numbers in front, which a name alone can claim
    operations = []
    for operation in tape.operations:
        known = None
        for found, shifts in ((chains, False), (shifted, True)):
            chain = _continued(operation, found, tape, shifts=shifts)
            if chain is not None:
                found[operation.outputs[0]] = chain
                known = known or _as_named(operation, chain)
        operations.append(known or _as_region(operation, chains.get(operation.outputs[0])))
    return dataclasses.replace(tape, operations=operations)


def _continued(operation: Operation, chains: dict[int, _Chain], tape: Tape, *, shifts: bool) -> _Chain | None:
    """The chain that an operation ends; a ReLU stays where the rule of the map before it looks for it."""
    if len(operation.inputs) != 1 or len(operation.outputs) != 1 or operation.function in RELU:
        return None
    (slot,) = operation.inputs
    read, given = tape.specs[slot], tape.specs[operation.outputs[0]]
    if read.shape != given.shape or not (read.is_floating_point() and given.is_floating_point()):
        return None  # codes are no curve's values
    before = chains.get(slot, _Chain(slot, ()))
    curved = _is_curve(operation)
    if not curved and not isinstance(treatment_for(operation), Identity):
        of_numbers = kind_of(operation) == "affine" and _of_numbers([operation])
        # A shift in front is a bias: it has its own share.
        if not of_numbers or not (shifts or before.curved or operation.function in _SCALINGS):
            return None
    return _Chain(before.root, (*before.operations, operation), before.curved or curved)


def _as_named(operation: Operation, chain: _Chain) -> Operation | None:
    """The operation as the function of a name that the chain computes, if it does."""
    spelled = len(chain.operations) > 1 or operation.function is elementwise_region
    if not (spelled and chain.curved and _of_numbers(chain.operations)):
        return None
    known = _named(Region(chain.root, list(chain.operations)))
    if known is None:
        return None
    return Operation(known, (Slot(chain.root),), {}, (chain.root,), operation.outputs, operation.module)


def _as_region(operation: Operation, chain: _Chain | None) -> Operation:
    """The operation as the whole of a chain of several curves; curves that are all 0 at 0 can as well stay."""
    curves = [link for link in chain.operations if _is_curve(link)] if chain is not None else []
    if chain is None or len(curves) < 2 or operation is not curves[-1] or not any(map(_has_offset, curves)):
        return operation
    args = (Slot(chain.root), Region(chain.root, list(chain.operations)))
    return Operation(elementwise_region, args, {}, (chain.root,), operation.outputs, operation.module)


def _is_curve(operation: Operation) -> bool:
    treatment = treatment_for(operation)
    return isinstance(treatment, ElementwiseTreatment) and not isinstance(treatment, Identity)


def _has_offset(curve: Operation) -> bool:
    treatment = treatment_for(curve)
    return isinstance(treatment, ElementwiseTreatment) and treatment.offset


def _named(curve: Callable[[Tensor], Tensor]) -> Callable[..., Any] | None:
    """The function of this name, if the curve has its values."""
    grid = torch.linspace(-12, 12, 13, dtype=torch.float64)
    values = curve(grid)
    for function in _NAMED:
        if torch.allclose(values.to(grid), function(grid), rtol=1e-5, atol=1e-7):
            return function
    return None


def _of_numbers(operations: Any) -> bool:
    """Whether no argument is a tensor, which has a shape of its own."""
    for operation in operations:
        for leaf in (*operation.args, *operation.kwargs.values()):
            if (isinstance(leaf, (Tensor, list, tuple)) and not isinstance(leaf, Slot)) or (
                isinstance(leaf, Region) and not _of_numbers(leaf.operations)
            ):
                return False
    return True


T = torch.Tensor
_NAMED: tuple[Callable[..., Any], ...] = (torch.sigmoid, F.softplus, torch.tanh, torch.expm1, F.hardsigmoid)
_SCALINGS = frozenset({
    torch.mul, T.mul, T.__mul__, T.__rmul__, torch.div, T.div, T.__truediv__, torch.true_divide,
    torch.neg, T.neg, T.__neg__,
})  # fmt: skip
