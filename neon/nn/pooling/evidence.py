"""Evidence for one of several alternatives: how much nearer it is than its nearest competitor."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from neon.errors import no_relu_form
from neon.lrp.message import Ledger, Message, rounding_of
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import Layer, operation
from neon.nn.linear.layers import plain_linear
from neon.nn.linear.side_by_side import SideBySide
from neon.nn.pooling.minimum import PairwiseDifference, PooledMinimum, relu_minimum
from neon.nn.pooling.softmin import SoftMin
from neon.nn.shapley.envelope import lowest

__all__ = ["Evidence", "SoftmaxOdds", "evidence"]


@operation
def evidence(d: Tensor, stiffness: float = 1.0, soft: bool = False) -> Tensor:
    """``e_c = min_{k≠c} d_k - d_c``, the pooled differences ``h_k = d_k - d_c`` to all competitors.

    Parameters
    ----------
    d : (n_samples, n_alternatives)
        Dissimilarities: squared distances, negative scores.
    stiffness : float
        β of the pooling weights ``p_k ∝ exp(-β h_k)`` of the backward pass, and of the soft minimum.
    soft : bool
        Pool with ``-(1/β) log Σ_{k≠c} exp(-β h_k)``: the log-odds of a softmax over ``-d`` at β = 1.

    Returns
    -------
    Tensor
        (n_samples, n_alternatives)
    """
    if not soft:
        two, index = d.topk(2, dim=1, largest=False)
        nearest = torch.arange(d.shape[1], device=d.device) == index[:, :1]
        return torch.where(nearest, two[:, 1:], two[:, :1]) - d
    z = -stiffness * d
    # log Σ_{k≠c}: for all but the largest term it may be subtracted from the whole; the largest is left out exactly.
    largest, top = z.max(1, keepdim=True)
    p = z.scatter(1, top, -torch.inf)
    second = p.amax(1, keepdim=True).clamp(min=torch.finfo(d.dtype).min)
    p = (p - second).exp()
    others = second + p.sum(1, keepdim=True).log()
    total = torch.logaddexp(largest, others)
    rest = (p * (total - second).neg().exp()).neg().log1p().add(total).scatter(1, top, others)
    return (z - rest) / stiffness


class Evidence(Layer, of=evidence):
    """`evidence` with a fixed stiffness."""

    option_names = ("soft",)
    stiffness: float
    soft: bool

    def extra_repr(self) -> str:
        return f"{'soft ' if self.soft else ''}min over competitors, stiffness={self.stiffness:.4g}"

    def spelled_out(self, n_inputs: int) -> list[torch.nn.Module]:
        rivals = n_inputs - 1
        if not self.soft:
            return [PairwiseDifference(n_inputs), PooledMinimum(n_inputs, self.stiffness)]
        pools = [SoftMin(torch.zeros(rivals), self.stiffness) for _ in range(n_inputs)]
        return [PairwiseDifference(n_inputs), SideBySide(pools, [rivals] * n_inputs)]

    def relu(self, n_inputs: int) -> list[torch.nn.Module]:
        if self.soft and n_inputs > 2:
            raise no_relu_form("log-odds are piecewise linear for two alternatives with linear scores only")
        return [plain_linear(PairwiseDifference(n_inputs).weight), *relu_minimum(n_inputs, n_inputs - 1)]

    def of_common(self) -> Literal["seen", "kept", "dropped"]:
        return "dropped"


class SoftmaxOdds(Evidence):
    """`evidence` of negative scores of a model: the log-odds of their softmax.

    One layer in the spelled out form as well. Scores may be relative to reference rows, or explained by a rule for
    linear maps with a stabilizer, and then pairs of them are not to be shared one by one.
    """

    def __init__(self) -> None:
        super().__init__(soft=True)

    def spelled_out(self, n_inputs: int) -> list[torch.nn.Module]:
        return [self]


class _Evidence(Treatment):
    """Take-most where the evidence is ≥ 0: ``R_k = p_k e``. Else, and under a reference, gated: ``R_k = p_k h_k``.

    Gating leaves the residual ``e - Σ p_k h_k``: ``entropy`` for a soft minimum, ``pooling`` for a hard one. What ties,
    but for rounding, is the same: evidence of 0 is ≥ 0.
    """

    retention = Retention(inputs=True)
    takes_reference = True

    def chooses(self, call: Call) -> Literal["", "values", "differences"]:
        return "" if call.operation.args[2] else "differences"

    def along(self, call: Call, slope: Tensor, start: Tensor, end: Tensor) -> Tensor:
        found = torch.zeros_like(end)
        for _ in range(int((slope != 0).sum(1).max()) if len(slope) else 0):  # one alternative of each row at a time
            column = slope.abs().argmax(1, keepdim=True)
            of = slope.gather(1, column)
            slope = slope.scatter(1, column, 0.0)
            rivals = [(d - d.gather(1, column)).scatter(1, column, torch.inf) for d in (start, end)]
            found.add_(lowest(*rivals).mul_(of).scatter_(1, column, -of))
        return found

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        d, stiffness, soft = call.bound()
        e, e_ref = call.value(call.output), call.reference(call.output)
        d_ref = call.reference(call.inputs[0])
        s = call.slope(message, ledger)
        slope, lost, rounding = torch.zeros_like(d), e.new_zeros(len(e)), rounding_of(d)
        # One alternative of each row at a time; explaining one alternative per row takes a single round.
        for _ in range(int((s != 0).sum(1).max()) if len(s) else 0):
            column = s.abs().argmax(1, keepdim=True)
            target, e_c = s.gather(1, column), e.gather(1, column)
            s = s.scatter(1, column, 0.0)
            h = d - d.gather(1, column)
            gate = _softmax_((-stiffness * h).scatter_(1, column, -torch.inf))
            pooled = (gate * h).sum(1, keepdim=True)
            if d_ref is None or e_ref is None:
                # p_k e / h_k, at h_k = e (the nearest competitor) exactly p_k, also where both are 0.
                take_most, tied = e_c >= -rounding, (h - e_c).abs() <= rounding
                left = torch.zeros_like(e_c)
                if (rounding > 1e-12 * e_c.abs()).any():  # some alternative is so far that rounding is no small number
                    left = torch.where(tied & (gate > 0), gate * (e_c - h), 0.0).sum(1, keepdim=True)
                gate.mul_((e_c / h).masked_fill_(tied | (gate == 0) | ~take_most, 1.0))
                residual = torch.where(take_most, left, e_c - pooled)
            else:
                h_ref = d_ref - d_ref.expand_as(d).gather(1, column)
                residual = (e_c - e_ref.expand_as(e).gather(1, column)) - (pooled - (gate * h_ref).sum(1, keepdim=True))
            gate = gate.mul_(target)
            slope.add_(gate.scatter_(1, column, -gate.sum(1, keepdim=True)))
            lost.add_((residual * target)[:, 0])
        if ledger.enabled:
            ledger.absorb("entropy" if soft else "pooling", lost)
        return Message.of_slope(slope)


def _softmax_(z: Tensor) -> Tensor:
    """The softmax of each row, in place: of a few columns, torch's own takes several times as long."""
    z.sub_(z.amax(1, keepdim=True)).exp_()
    return z.div_(z.sum(1, keepdim=True))


treat(evidence, by=_Evidence())
