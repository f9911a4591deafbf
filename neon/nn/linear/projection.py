"""Linear maps in front of trees."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from neon.lrp.message import Ledger, Message, divide
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import operation
from neon.nn.linear.layers import Linear

__all__ = ["Projection", "projection"]


@operation
def projection(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x Wᵀ + b``, as `torch.nn.functional.linear`."""
    return F.linear(x, weight, bias)


class Projection(Linear, of=projection):
    """A `Linear` whose outputs are compared with thresholds."""


class _Projection(Treatment):
    """Shares by magnitude: ``R_i = Σ_k |w_ik (x_i - r_i)| / Σ_i |w_ik (x_i - r_i)| R_k``.

    What a threshold makes of a component is not in proportion to its value: shares
    ``w_ik (x_i - r_i) / (z_k - z_k(r))`` would grow without bound where the contributions to a component cancel. Where
    all contributions are 0, the relevance is a ``stabilizer``.
    """

    retention = Retention(inputs=True)
    takes_reference = True

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        x, r = call.value(call.inputs[0]), call.reference(call.inputs[0])
        size, weight = (x if r is None else x - r).abs(), call.operation.args[1].abs()
        total = F.linear(size, weight)
        relevance = message.relevance
        if ledger.enabled:
            ledger.absorb("stabilizer", relevance * (total == 0))
        return Message.of_relevance(size * (divide(relevance, total) @ weight))


treat(projection, by=_Projection())
