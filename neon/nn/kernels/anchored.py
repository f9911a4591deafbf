"""Elementwise functions of scores, seen from a fixed point: how a score becomes a probability."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, treat
from neon.lrp.operations.elementwise import Elementwise
from neon.lrp.recording.tape import Operation, Retention
from neon.lrp.rules import Rule
from neon.nn.layer import operation

__all__ = ["Anchored", "anchored"]


@operation
def anchored(x: Tensor, function: Callable[[Tensor], Tensor], anchor: float = 0.0) -> Tensor:
    """``function(x)``, elementwise and differentiable by torch."""
    return function(x)


class Anchored(torch.nn.Module):
    """`anchored` with a fixed function."""

    def __init__(self, function: Callable[[Tensor], Tensor], formula: str, anchor: float = 0.0) -> None:
        super().__init__()
        self.function, self.formula, self.anchor = function, formula, anchor

    def forward(self, x: Tensor) -> Tensor:
        return anchored(x, self.function, self.anchor)

    def extra_repr(self) -> str:
        return self.formula


class _Anchored(Elementwise):
    """Relative to a reference the secant to it, as for any activation; without one, or at it, that to the anchor a.

    Without one, ``R = c (f(x) - f(a))`` has the slope ``c (f(x) - f(a)) / (x - a)`` on x - a, and ``offset`` takes what
    belongs to the anchor: ``c f(a)``, and where a is not 0, the slope times a.
    """

    def __init__(self) -> None:
        super().__init__()
        self.retention = Retention(inputs=True, output=True)

    def takes_reference(self, operation: Operation) -> bool:
        return True

    def propagate(
        self, call: Call, messages: tuple[Message | None, ...], rule: Rule | None, ledger: Ledger
    ) -> tuple[Message | None, ...]:
        (message,) = messages
        assert message is not None
        x, function, anchor = call.bound()
        y, x_ref, y_ref = call.value(call.output), call.reference(call.inputs[0]), call.reference(call.output)
        at = torch.full_like(x[:1], anchor)
        y_at = function(at)
        slope = self.secant(call, x, at, y, y_at)
        if x_ref is not None and y_ref is not None:
            slope = torch.where(x == x_ref, slope, (y - y_ref) / (x - x_ref)) * message.slope_over(y - y_ref, ledger)
            return (Message.of_slope(slope, x, x_ref),)
        if message.slope is None:  # relevance that is not in proportion to the value passes unchanged
            return (Message.of_relevance(message.relevance),)
        s = message.slope
        slope = s * slope
        if ledger.enabled:
            ledger.absorb("offset", s * y_at - slope * anchor)
        return (Message.of_slope(slope, x),)


treat(anchored, by=_Anchored())
