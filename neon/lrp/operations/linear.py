"""The treatment of operations that are linear in their explained inputs: the assigned rule does the work."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from neon.lrp.linear_maps import AffineMap, Dense, LinearMap
from neon.lrp.message import Ledger, Message
from neon.lrp.operations.table import Call, Treatment
from neon.lrp.paths.terms import Background, LinearTerms, Terms
from neon.lrp.recording.tape import Operation, Retention
from neon.lrp.rules import LinearCall, Pass, Reference, Rule

__all__ = ["RELU", "LinearTreatment"]

RELU = frozenset({F.relu, torch.relu, torch.Tensor.relu})


class LinearTreatment(Treatment):
    """An operation that is linear in its explained inputs.

    Parameters
    ----------
    build : callable
        ``build(call, *args, **kwargs)`` with the operation's own arguments gives its `LinearMap`. Explained inputs
        are handed over as blanks: only their shape, strides and dtype may be read.
    kind : str
        What composites select it by: dense, convolution, affine, pooling or sum.
    cheap : bool
        Whether its output is computed again rather than kept.
    varies : bool
        Whether its coefficients are computed from the input: the statistics of a normalization. Relative to a reference
        their change is the residual ``statistics``.
    merges : bool
        Whether it will be merged with the map before it (batch normalization): nobody asks then for what it has read.
    """

    takes_reference = True
    is_linear = True

    def __init__(
        self,
        build: Callable[..., LinearMap],
        kind: str,
        *,
        cheap: bool = False,
        varies: bool = False,
        merges: bool = False,
    ) -> None:
        self._build = build
        self.kind, self.cheap, self._varies = kind, cheap, varies
        self.retention = Retention(not merges, merges or kind in ("dense", "convolution"), forget_inputs=merges)

    def kind_of(self, operation: Operation) -> str:
        # A sum with a constant has one input to one output: a shift.
        return "affine" if self.kind == "sum" and len(operation.inputs) == 1 else self.kind

    def map(self, call: Call) -> LinearMap:
        args, kwargs = call.arguments(call.blank)
        linear = self._build(call, *args, **kwargs)
        extra = call.widened(call.operation.extra_bias)
        if extra is not None:
            linear = dataclasses.replace(linear, bias=extra if linear.bias is None else linear.bias + extra)
        return linear

    def effective_rule(self, call: Call, rule: Rule | None) -> Rule | None:
        # Scaling by a constant has one input to each output: there is nothing to share, nor to stabilise.
        if self.kind_of(call.operation) not in ("affine", "normalization"):
            return rule
        linear = self.map(call)
        if not isinstance(linear, AffineMap):
            return rule
        # A difference from the reference has no share in the bias.
        is_difference = isinstance(rule, Reference) and rule.reference is None and call.references is not None
        return Pass() if linear.bias is None or is_difference else rule

    def check(self, call: Call, rule: Rule | None) -> None:
        if isinstance(rule, Pass) and not isinstance(self.map(call), AffineMap):
            raise TypeError(f"Pass() fits elementwise maps only; {call.operation.name} mixes its inputs")

    def is_nonnegative(self, call: Call) -> bool:
        if self.kind in ("dense", "convolution") or not all(slot in call.nonnegative for slot in call.inputs):
            return False
        linear = self.map(call)
        return all(bool((part >= 0).all()) for part in (linear.weight, linear.bias) if part is not None)

    def sources(self, call: Call, known: Sequence[Tensor]) -> tuple[Tensor, ...] | None:
        same = len(call.inputs) == 1 and call.tape.specs[call.inputs[0]].shape == call.tape.specs[call.output].shape
        if same and self.kind_of(call.operation) == "affine" and isinstance(self.map(call), AffineMap):
            return (known[0],)
        return None

    def terms(self, call: Call, rule: Rule | None, x: Tensor, background: Background) -> Terms | None:
        linear = self.map(call)
        if x.ndim != 2 or not isinstance(linear, Dense):
            return None
        (end,) = call.operation.run(lambda _: x)
        return LinearTerms(call.output, x, background, linear.weight, end)

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message | tuple[Message, ...]:
        assert rule is not None
        linear = self.map(call)
        if self._varies and isinstance(rule, (Pass, Reference)):
            message = _about_own_map(call, linear, message, ledger)
        if isinstance(rule, Pass):
            assert isinstance(linear, AffineMap)
            return _pass(call, linear, message)
        weighted = self.kind in ("dense", "convolution")
        return rule.propagate(_view(call, linear, weighted), message, ledger)


def _about_own_map(call: Call, linear: LinearMap, message: Message, ledger: Ledger) -> Message:
    """The slope of relevance relative to a reference, once the change of the map itself has been written down.

    ``z - z^ref = A (x - r) + (A r + b - z^ref)`` with the map A at x, where z^ref is what the map at r gives.
    """
    r, z_ref = call.reference(call.inputs[0]), call.reference(call.output)
    if r is None or z_ref is None:
        return message
    s = call.slope(message, ledger)
    if ledger.enabled:
        at_reference = linear.forward(r.expand_as(call.value(call.inputs[0])))
        at_reference = at_reference if linear.bias is None else at_reference + linear.bias
        ledger.absorb("statistics", s * (at_reference - z_ref))
    return Message.of_slope(s, call.value(call.output), z_ref)


def _view(call: Call, linear: LinearMap, weighted: bool) -> LinearCall:
    consumers = call.consumers.get(call.output, [])
    rectified = len(consumers) == 1 and consumers[0].function in RELU
    after = consumers[0].outputs[0] if rectified else call.output

    def output(vanishes: bool) -> Tensor:
        if vanishes and rectified and call.is_short(call.output):
            return call.value(call.output).relu()
        return call.value(after if vanishes else call.output)

    return LinearCall(
        linear,
        tuple(call.value(slot) for slot in call.inputs),
        output,
        nonnegative=all(slot in call.nonnegative for slot in call.inputs),
        rectified=rectified,
        weighted=weighted,
        reference_output=call.reference(call.output),
    )


def _pass(call: Call, linear: AffineMap, message: Message) -> Message:
    if message.slope is not None and (call.references is not None or linear.bias is None):
        return Message.of_slope(linear.vjp(message.slope)[0])
    return Message.of_relevance(message.relevance.sum_to_size(linear.shape), vanishes=message.vanishes)
