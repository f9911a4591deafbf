"""Elementwise functions with parameters: kernels of distances, and how scores become probabilities."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, treat, treatment_of
from neon.lrp.operations import elementwise as activations
from neon.lrp.rules import Rule
from neon.nn.layer import Layer, operation

__all__ = ["Elementwise", "elementwise"]


@operation
def elementwise(x: Tensor, function: Callable[[Tensor], Tensor], anchor: float | None = None) -> Tensor:
    """``function(x)``, a function of each element alone that torch can differentiate.

    anchor : the value of x that the function is seen from, without a reference; default: none, relevance passes.
    """
    return function(x)


class Elementwise(Layer, of=elementwise):
    """`elementwise` of a fixed function; formula : what is printed.

    A torch function without an anchor is a step of the tape as itself, with its own treatment.
    """

    function: Callable[[Tensor], Tensor]
    anchor: float | None

    def __init__(
        self, function: Callable[[Tensor], Tensor], formula: str | None = None, anchor: float | None = None
    ) -> None:
        super().__init__(function, anchor)
        self.as_itself = anchor is None and _has_treatment(function)
        self.formula = getattr(function, "__name__", str(function)) if formula is None else formula

    def forward(self, x: Tensor) -> Tensor:
        if self.as_itself:
            return self.function(x)
        return super().forward(x)

    def extra_repr(self) -> str:
        return self.formula


def _has_treatment(function: Callable[[Tensor], Tensor]) -> bool:
    try:
        return treatment_of(function) is not None
    except TypeError:  # it has no hash, so none is registered for it
        return False


class _Elementwise(activations.ElementwiseTreatment):
    """As any activation; with an anchor a, the secant to it where there is no reference or x is at it.

    Without a reference, ``R = c (f(x) - f(a))`` has the slope ``c (f(x) - f(a)) / (x - a)`` on x - a, and ``offset``
    takes what belongs to the anchor: ``c f(a)``, and where a is not 0, the slope times a.
    """

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        function, anchor = call.operation.args[1:]
        if anchor is None:
            return super().back(call, message, rule, ledger)
        x, y = call.value(call.inputs[0]), call.value(call.output)
        x_ref, y_ref = call.reference(call.inputs[0]), call.reference(call.output)
        at = torch.full_like(x[:1], anchor)
        y_at = function(at)
        slope = self.secant(call, x, at, y, y_at)
        if x_ref is not None and y_ref is not None:
            slope = torch.where(x == x_ref, slope, (y - y_ref) / (x - x_ref)) * call.slope(message, ledger)
            return Message.of_slope(slope)
        if message.slope is None:  # relevance that is not in proportion to the value passes unchanged
            return Message.of_relevance(message.relevance)
        s = message.slope
        slope = s * slope
        if ledger.enabled:
            ledger.absorb("offset", s * y_at - slope * anchor)
        return Message.of_slope(slope)


treat(elementwise, by=_Elementwise())
