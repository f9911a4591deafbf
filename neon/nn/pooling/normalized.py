"""Scores divided by their sum."""

from __future__ import annotations

import torch
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import Layer, operation

__all__ = ["Normalized", "normalized"]


@operation
def normalized(p: Tensor, none: float | None = None) -> Tensor:
    """``P_c = p_c / Σ_k p_k`` of scores p ≥ 0, (n_samples, n_classes); ``none`` where all are 0, or equal shares."""
    total = p.sum(1, keepdim=True)
    return torch.where(total == 0, 1 / p.shape[1] if none is None else none, p / total)


class Normalized(Layer, of=normalized):
    """`normalized` as a layer."""

    option_names = ("none",)


class _Normalized(Treatment):
    """The score p_c and the divisor S = Σ p share ``P_c - P_c(r) = p_c / S - r_c / S_r`` as Shapley values.

    ``(p_c - r_c) (1/S + 1/S_r) / 2`` goes to the score, ``-(p_c + r_c) / (2 S S_r)`` times ``p_k - r_k`` to each term
    of the divisor. Without a reference the score gets all. All are 0 on either side: ``uniform``.
    """

    retention = Retention(inputs=True, output=True)
    takes_reference = True
    mean_first = True  # the shares need one point

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        p, r, s = call.value(call.inputs[0]), call.reference(call.inputs[0]), call.slope(message, ledger)
        S = p.sum(1, keepdim=True)
        if r is None:
            slope, none = s / S, S == 0
        else:
            S_ref = r.sum(1, keepdim=True)
            crossed = (s * (p + r)).sum(1, keepdim=True) / (2 * S * S_ref)
            slope, none = s * (1 / S + 1 / S_ref) / 2 - crossed, (S == 0) | (S_ref == 0)
        if ledger.enabled:
            ledger.absorb("uniform", torch.where(none, s * call.moved(call.output), 0.0))
        return Message.of_slope(torch.where(none, 0.0, slope))


treat(normalized, by=_Normalized())
