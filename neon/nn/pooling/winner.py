"""Hard votes: the class with the largest score gets one vote."""

from __future__ import annotations

import torch
from torch import Tensor

from neon.lrp.message import Ledger, Message, divide
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import Layer, operation

__all__ = ["Winner", "winner"]

_ROUNDING = 16  # units of it, up to which scores tie
_SLIGHT = 1e-6  # leads below it, relative to the scores, are no evidence: they would share out rounding a million times


@operation
def winner(h: Tensor) -> Tensor:
    """1 for the largest of each row, of equals but for rounding the first; 0 for the others: (n_samples, n_classes)."""
    return torch.zeros_like(h).scatter_(1, _first(h), 1.0)


def _first(h: Tensor) -> Tensor:
    """The winner of each row, (n_samples, 1): scores that are equal in the model may be rounded apart on their way."""
    tied = h >= h.amax(1, keepdim=True) - _tie(h.abs().masked_fill(h.isinf(), 0.0))
    return tied.to(torch.uint8).argmax(1, keepdim=True)


def _tie(sizes: Tensor) -> Tensor:
    """By how much scores of these sizes may differ and still tie, (n_samples, 1)."""
    return _ROUNDING * torch.finfo(sizes.dtype).eps * sizes.amax(1, keepdim=True)


def _slight(sizes: Tensor) -> Tensor:
    """Up to which lead a vote is not shared by it, (n_samples, 1)."""
    return torch.maximum(_SLIGHT * sizes.amax(1, keepdim=True), _tie(sizes))


class Winner(Layer, of=winner):
    """`winner` as a layer."""


class _Winner(Treatment):
    """A vote goes to the lead ``l = h_a - h_b`` of the winner a over a rival b, with a slope that stays bounded.

    With a reference r: b is the winner there, or where that is a as well, the runner-up at x. The slope
    ``1 / (l + |l_r|)`` gives the difference of the two votes exactly where the winners differ. Where they do not, votes
    do not differ, yet the lead does: it gets ``(l - l_r) / (l + l_r)``, between -1 and 1, and ``margin`` takes it back.
    Leads that are next to nothing count as none; where both are, ``margin`` takes the vote.
    Without a reference: ``1 / (l + 1)``, scores being log-odds or margins; ``margin`` is the rest of the vote.
    """

    retention = Retention(inputs=True, output=True)
    takes_reference = True
    mean_first = True  # the lead needs one point

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        (h,) = call.bound()
        v, h_ref, v_ref = call.value(call.output), call.reference(call.inputs[0]), call.reference(call.output)
        first = _first(h)
        rival = h.scatter(1, first, -torch.inf).argmax(1, keepdim=True)
        moved_votes = v if v_ref is None else v - v_ref
        t = message.slope_over(moved_votes, ledger)
        if ledger.enabled:
            ledger.absorb("margin", t * moved_votes)
        moved, scale, tie = h, h.new_ones(()), h.new_zeros(())
        if h_ref is None or v_ref is None:
            t = t.gather(1, first)
        else:
            before = _first(h_ref).expand_as(first)
            rival = torch.where(before == first, rival, before)
            moved = h - h_ref
            wide = h_ref.expand_as(h)
            scale = (wide.gather(1, first) - wide.gather(1, rival)).abs()
            tie = _slight(torch.maximum(h.abs(), wide.abs()))
            scale = scale.masked_fill(scale <= tie, 0.0)
            t = t.gather(1, first) - t.gather(1, rival)
        lead = h.gather(1, first) - h.gather(1, rival)
        s = divide(t, lead.masked_fill(lead <= tie, 0.0) + scale)
        if ledger.enabled:
            ledger.absorb("margin", -s * (moved.gather(1, first) - moved.gather(1, rival)))
        slope = torch.zeros_like(h).scatter_add_(1, first, s).scatter_add_(1, rival, -s)
        return Message.of_slope(slope, moved)


treat(winner, by=_Winner())
