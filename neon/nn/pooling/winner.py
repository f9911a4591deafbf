"""Hard votes: the class with the largest score gets one vote."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from neon.lrp.message import Ledger, Message, divide
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Operation, Retention
from neon.lrp.rules import Rule

__all__ = ["Winner", "winner"]


def winner(h: Tensor, groups: int = 1) -> Tensor:
    """1 for the largest of each group of columns (of equals, the first), 0 for the others.

    Parameters
    ----------
    h : (n_samples, groups * n_classes)

    Returns
    -------
    Tensor
        Shaped like h.
    """
    if has_torch_function((h,)):
        return handle_torch_function(winner, (h,), h, groups)
    scores = h.unflatten(1, (groups, -1))
    return torch.zeros_like(scores).scatter_(2, scores.argmax(2, keepdim=True), 1.0).flatten(1)


class Winner(torch.nn.Module):
    """`winner` of fixed groups."""

    def __init__(self, groups: int = 1) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, h: Tensor) -> Tensor:
        return winner(h, self.groups)

    def extra_repr(self) -> str:
        return f"{self.groups} groups"


class _Winner(Treatment):
    """A vote goes to the lead ``l = h_a - h_b`` of the winner a over a rival b, with a slope that stays bounded.

    With a reference r: b is the winner there, or where that is a as well, the runner-up at x. The slope
    ``1 / (l + |l_r|)`` gives the difference of the two votes exactly where the winners differ. Where they do not, votes
    do not differ, yet the lead does: it gets ``(l - l_r) / (l + l_r)``, between -1 and 1, and ``margin`` takes it back.
    Without a reference: ``1 / (l + 1)``, scores being log-odds or margins; ``margin`` is the rest of the vote.
    """

    retention = Retention(inputs=True, output=True)

    def takes_reference(self, operation: Operation) -> bool:
        return True

    def propagate(
        self, call: Call, messages: tuple[Message | None, ...], rule: Rule | None, ledger: Ledger
    ) -> tuple[Message | None, ...]:
        (message,) = messages
        assert message is not None
        args, kwargs = call.arguments()
        h, groups = _bind(*args, **kwargs)
        shape = (groups, -1)
        v, h_ref, v_ref = call.value(call.output), call.reference(call.inputs[0]), call.reference(call.output)
        scores = h.unflatten(1, shape)
        first = scores.argmax(2, keepdim=True)
        rival = scores.scatter(2, first, -torch.inf).argmax(2, keepdim=True)
        moved_votes = v if v_ref is None else v - v_ref
        t = message.slope_over(moved_votes, ledger)
        if ledger.enabled:
            ledger.absorb("margin", t * moved_votes)
        t = t.unflatten(1, shape)
        moved, scale = scores, 1.0
        if h_ref is None or v_ref is None:
            t = t.gather(2, first)
        else:
            at_ref = h_ref.unflatten(1, shape)
            before = at_ref.argmax(2, keepdim=True).expand_as(first)
            rival = torch.where(before == first, rival, before)
            moved = scores - at_ref
            wide = at_ref.expand_as(scores)
            scale = (wide.gather(2, first) - wide.gather(2, rival)).abs()
            t = t.gather(2, first) - t.gather(2, rival)
        s = divide(t, scores.gather(2, first) - scores.gather(2, rival) + scale)
        if ledger.enabled:
            ledger.absorb("margin", -s * (moved.gather(2, first) - moved.gather(2, rival)))
        slope = torch.zeros_like(scores).scatter_add_(2, first, s).scatter_add_(2, rival, -s)
        return (Message.of_slope(slope.flatten(1), moved.flatten(1)),)

    def at_reference(self, call: Call, values: dict[int, Tensor]) -> tuple[Tensor, ...]:
        """Of the mean: the lead needs one point."""
        args, kwargs = call.arguments(lambda slot: values[slot].mean(0, keepdim=True))
        return (winner(*args, **kwargs),)


def _bind(h: Tensor, groups: int = 1) -> tuple[Tensor, int]:
    return h, groups


treat(winner, by=_Winner())
