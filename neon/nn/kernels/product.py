"""Products of two explained values: what kernels are combined with."""

from __future__ import annotations

import torch
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.rules import Rule
from neon.nn.layer import operation

__all__ = ["balanced_product"]


@operation
def balanced_product(a: Tensor, b: Tensor) -> Tensor:
    """``a b`` of two values of the same shape, shared between both factors without division."""
    return a * b


class _BalancedProduct(Treatment):
    """``ab - a'b' = (a - a') (b + b')/2 + (b - b') (a + a')/2``: each factor's Shapley value; a', b' the reference.

    Without a reference (a' = b' = 0) both factors get half.
    """

    takes_reference = True
    mean_first = True

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> tuple[Message | None, ...]:
        a, b = call.bound()
        references = [call.reference(slot) for slot in call.inputs]
        if len(references) == 1:  # a value times itself
            references = references * 2
        a_ref, b_ref = (torch.zeros_like(a[:1]) if r is None else r for r in references)
        s = call.slope(message, ledger)
        parts = Message.of_slope(s * (b + b_ref) / 2), Message.of_slope(s * (a + a_ref) / 2)
        return parts if len(call.inputs) == 2 else (parts[0] + parts[1],)


treat(balanced_product, by=_BalancedProduct())
