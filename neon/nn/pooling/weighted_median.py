"""The weighted median of several members' values."""

from __future__ import annotations

import torch
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import Layer, operation

__all__ = ["WeightedMedian", "weighted_median"]


@operation
def weighted_median(h: Tensor, weights: Tensor) -> Tensor:
    """The smallest value at or below which members with half of the weight stand.

    Parameters
    ----------
    h : (n_samples, n_members)
    weights : (n_members,)

    Returns
    -------
    Tensor
        (n_samples, 1)
    """
    return h.gather(1, _median(h, weights))


class WeightedMedian(Layer, of=weighted_median):
    """`weighted_median` with fixed weights."""

    no_relu = "a weighted median is not made of Linear and ReLU alone"
    weights: Tensor

    def extra_repr(self) -> str:
        return f"{len(self.weights)} members"


class _WeightedMedian(Treatment):
    """All relevance goes to the member whose value is the median.

    Relative to a reference where another member is the median, what the two differ by at the reference is ``pooling``.
    """

    retention = Retention(inputs=True, output=True)
    takes_reference = True

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        h, weights = call.bound()
        h_ref, o_ref = call.reference(call.inputs[0]), call.reference(call.output)
        index, s = _median(h, weights), call.slope(message, ledger)
        if ledger.enabled and h_ref is not None and o_ref is not None:
            ledger.absorb("pooling", s * (h_ref.expand_as(h).gather(1, index) - o_ref))
        return Message.of_slope(torch.zeros_like(h).scatter_(1, index, s))


def _median(h: Tensor, weights: Tensor) -> Tensor:
    """The member that is the median, (n_samples, 1)."""
    order = h.argsort(dim=1, stable=True)
    below = weights[order].cumsum(1)
    reached = below >= 0.5 * below[:, -1:]
    return order.gather(1, reached.to(torch.uint8).argmax(1, keepdim=True))


treat(weighted_median, by=_WeightedMedian())
