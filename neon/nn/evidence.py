"""Evidence for one of several alternatives: how much nearer it is than its nearest competitor."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.rules import Rule
from neon.lrp.tape import Retention

__all__ = ["Evidence", "evidence"]


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
    if has_torch_function((d,)):
        return handle_torch_function(evidence, (d,), d, stiffness, soft)
    if not soft:
        two, index = d.topk(2, dim=1, largest=False)
        nearest = torch.arange(d.shape[1], device=d.device) == index[:, :1]
        return torch.where(nearest, two[:, 1:], two[:, :1]) - d
    z = -stiffness * d
    # log Σ_{k≠c}: for all but the largest term it may be subtracted from the whole; the largest is left out exactly.
    top = z.argmax(1, keepdim=True)
    total = z.logsumexp(1, keepdim=True)
    gap = z.scatter(1, top, -torch.inf) - total
    rest = torch.where(gap == -torch.inf, total, total + torch.log1p(-gap.exp()))
    rest = rest.scatter(1, top, z.scatter(1, top, -torch.inf).logsumexp(1, keepdim=True))
    return (z - rest) / stiffness


class Evidence(torch.nn.Module):
    """`evidence` with a fixed stiffness."""

    def __init__(self, stiffness: float = 1.0, *, soft: bool = False) -> None:
        super().__init__()
        self.stiffness = stiffness
        self.soft = soft

    def forward(self, d: Tensor) -> Tensor:
        return evidence(d, self.stiffness, self.soft)

    def extra_repr(self) -> str:
        return f"{'soft ' if self.soft else ''}min over competitors, stiffness={self.stiffness:.4g}"


class _Evidence(Treatment):
    """Take-most where the evidence is ≥ 0: ``R_k = p_k e``. Else, and under a reference, gated: ``R_k = p_k h_k``.

    Gating leaves the residual ``e - Σ p_k h_k``: ``entropy`` for a soft minimum, ``pooling`` for a hard one.
    """

    retention = Retention(inputs=True)

    def propagate(
        self, call: Call, messages: tuple[Message | None, ...], rule: Rule | None, ledger: Ledger
    ) -> tuple[Message | None, ...]:
        (message,) = messages
        assert message is not None
        args, kwargs = call.arguments()
        d, stiffness, soft = _bind(*args, **kwargs)
        e, e_ref = call.value(call.output), call.reference(call.output)
        d_ref = call.reference(call.inputs[0])
        s = message.slope_over(e if e_ref is None else e - e_ref)
        slope = torch.zeros_like(d)
        lost = e.new_zeros(len(e))
        for column in (s != 0).any(0).nonzero()[:, 0].tolist():
            rows = s[:, column].nonzero()[:, 0]
            target = s[rows, column, None]
            h = d[rows] - d[rows, column, None]
            logits = -stiffness * h
            logits[:, column] = -torch.inf
            gate = logits.softmax(1)
            e_c = e[rows, column, None]
            pooled = (gate * h).sum(1, keepdim=True)
            if d_ref is None or e_ref is None:
                # p_k e / h_k, at h_k = e (the nearest competitor) exactly p_k, also where both are 0.
                ratio = torch.where(h == e_c, 1.0, e_c / h)
                take_most = e_c >= 0
                gate = torch.where(take_most, gate * ratio.masked_fill(gate == 0, 0.0), gate)
                residual = torch.where(take_most, 0.0, e_c - pooled)
            else:
                h_ref = d_ref - d_ref[:, column, None]
                residual = (e_c - e_ref[:, column, None]) - (pooled - (gate * h_ref).sum(1, keepdim=True))
            gate = gate * target
            gate[:, column] = -gate.sum(1)
            slope[rows] += gate
            lost[rows] += (residual * target)[:, 0]
        if ledger.enabled:
            ledger.absorb("entropy" if soft else "pooling", lost)
        return (Message.of_slope(slope, d if d_ref is None else d - d_ref),)


def _bind(d: Tensor, stiffness: float = 1.0, soft: bool = False) -> tuple[Tensor, float, bool]:
    return d, stiffness, soft


treat(evidence, by=_Evidence())
