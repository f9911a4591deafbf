"""Products of two values that both depend on the input: gates, attention scores and attention values.

One factor alone under explanation makes the same function a linear map (see `linear_functions`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from neon.errors import UnsupportedOperationError
from neon.lrp.message import Ledger, Message
from neon.lrp.operations.linear import LinearTreatment
from neon.lrp.operations.table import Call, Delegating, Treatment
from neon.lrp.recording.tape import Operation, Retention
from neon.lrp.rules import Halves, Rule
from neon.lrp.rules.base import share

__all__ = ["LinearOrProduct", "ProductTreatment"]


class ProductTreatment(Treatment):
    """A bilinear function of two explained values.

    `Halves`: both factors get half, ``R_a = a ⊙ ∂<s, a·b>/∂a / 2`` with ``s = R / st(ab)`` (AttnLRP, eq. 14-15), but
    what a scale multiplies gets all. `SignalTakesAll`: where one factor is a gate, the other gets all.
    Relative to a reference, by whatever rule, each factor's Shapley value: ``ab - a'b' = (a - a') (b + b')/2 + (b - b')
    (a + a')/2``.
    """

    kind = "product"
    takes_reference = True
    mean_first = True

    def check(self, call: Call, rule: Rule | None) -> None:
        if len(call.inputs) > 2:
            raise UnsupportedOperationError(f"{call.operation.name} of more than two explained values")

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> tuple[Message | None, ...]:
        a, b = call.inputs
        references = [call.reference(slot) for slot in call.inputs]
        if references[0] is not None and references[1] is not None:
            return _relative(call, message, (references[0], references[1]), ledger)
        portions = (0.5, 0.5)
        constant = call.scales if isinstance(rule, Halves) else call.gates
        if (a in constant) != (b in constant):
            portions = (0.0, 1.0) if a in constant else (1.0, 0.0)
        if call.operation.function in _ELEMENTWISE:
            r = message.relevance
            shapes = (call.tape.specs[a].shape, call.tape.specs[b].shape)
            parts = [(r * p).sum_to_size(shape) if p else None for p, shape in zip(portions, shapes, strict=True)]
        else:
            epsilon = getattr(rule, "epsilon", 1e-6)
            s = share(message.relevance, call.value(call.output), epsilon, None, ledger)
            parts = _bilinear(call, s, portions)
        return tuple(None if part is None else Message.of_relevance(part) for part in parts)


def _relative(
    call: Call, message: Message, references: tuple[Tensor, Tensor], ledger: Ledger
) -> tuple[Message | None, ...]:
    """Slopes at the means of values and references; of several rows, the product of the mean is what is relative to."""
    values = [call.value(slot) for slot in call.inputs]
    probes, output = call.probed((x + r) / 2 for x, r in zip(values, references, strict=True))
    slopes = torch.autograd.grad(output, probes, call.slope(message, ledger))
    return tuple(map(Message.of_slope, slopes))


def _bilinear(call: Call, s: Tensor, portions: tuple[float, float]) -> list[Tensor | None]:
    """``p x ⊙ ∂<s, f>/∂x`` of each factor x with portion p > 0."""
    values = [call.value(slot) for slot in call.inputs]
    parts: list[Tensor | None] = []
    if call.operation.function in _MATMUL and all(value.ndim >= 2 for value in values):
        slopes = (lambda: s @ values[1].mT, lambda: values[0].mT @ s)
        for x, p, slope in zip(values, portions, slopes, strict=True):
            parts.append((x * slope().sum_to_size(x.shape)).mul_(p) if p else None)
        return parts
    probes, output = call.probed(values)
    wanted = [probe for probe, p in zip(probes, portions, strict=True) if p]
    slopes_found = iter(torch.autograd.grad(output, wanted, s))
    for probe, p in zip(probes, portions, strict=True):
        parts.append(probe.detach() * next(slopes_found) * p if p else None)
    return parts


class _Quotient(ProductTreatment):
    """``a / b``, which is not linear in b: a difference from a reference has no such halves."""

    takes_reference = False


class LinearOrProduct(Delegating):
    """A function that is linear in one explained argument, and a product of two."""

    def __init__(self, linear: LinearTreatment) -> None:
        self.linear = linear
        self.retention = Retention(inputs=True, output=linear.kind == "dense")

    def is_cheap(self, n_inputs: int) -> bool:
        return n_inputs > 1 or self.linear.is_cheap(n_inputs)

    def of(self, operation: Operation) -> Treatment:
        if len(operation.inputs) == 1:
            return self.linear
        return _QUOTIENT if operation.function in _DIVISIONS else _PRODUCT


T = torch.Tensor
_PRODUCT, _QUOTIENT = ProductTreatment(), _Quotient()
_DIVISIONS = {torch.div, T.div, T.__truediv__, torch.true_divide}
_ELEMENTWISE = {torch.mul, T.mul, T.__mul__, T.__rmul__, *_DIVISIONS}
_MATMUL = {torch.matmul, T.matmul, T.__matmul__, torch.bmm, T.bmm}
