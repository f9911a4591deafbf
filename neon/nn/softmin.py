"""The soft minimum over weighted units: a soft distance to the data."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.rules import Rule
from neon.lrp.tape import Retention
from neon.nn.basic import fixed

__all__ = ["SoftMin", "softmin"]


def softmin(h: Tensor, log_weights: Tensor, stiffness: float = 1.0) -> Tensor:
    """``o = -(1/β) log Σ_k a_k exp(-β h_k)``; h : (n_samples, n_units), log_weights ``log a`` : (n_units,).

    Returns
    -------
    Tensor
        (n_samples, 1)
    """
    if has_torch_function((h,)):
        return handle_torch_function(softmin, (h,), h, log_weights, stiffness)
    return torch.logsumexp(log_weights - stiffness * h, 1, keepdim=True) / -stiffness


class SoftMin(torch.nn.Module):
    """`softmin` with fixed weights."""

    log_weights: Tensor

    def __init__(self, log_weights: ArrayLike | Tensor, stiffness: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("log_weights", fixed(log_weights))
        self.stiffness = stiffness

    def forward(self, h: Tensor) -> Tensor:
        return softmin(h, self.log_weights, self.stiffness)

    def extra_repr(self) -> str:
        return f"{len(self.log_weights)} → 1, stiffness={self.stiffness:.4g}"


class _SoftMin(Treatment):
    """Take-most ``R_k = p_k o`` where ``o ≥ 0`` (Kauffmann et al. 2020, eq. 6); else gated, ``R_k = p_k h_k``.

    ``p_k ∝ a_k exp(-β h_k)``. Gating leaves ``o - Σ p_k h_k = -(H(p) + Σ p_k log a_k) / β``: an ``entropy`` and a
    ``log_weight``.
    """

    retention = Retention(inputs=True, output=True)

    def propagate(
        self, call: Call, messages: tuple[Message | None, ...], rule: Rule | None, ledger: Ledger
    ) -> tuple[Message | None, ...]:
        (message,) = messages
        assert message is not None
        args, kwargs = call.arguments()
        h, log_weights, stiffness = _bind(*args, **kwargs)
        o = call.value(call.output)
        s = message.slope_over(o, ledger)
        log_p = torch.log_softmax(log_weights - stiffness * h, 1)
        p = log_p.exp()
        take_most = o >= 0
        if ledger.enabled:
            gated = torch.where(take_most, 0.0, s) / stiffness
            ledger.absorb("entropy", gated * torch.where(p > 0, p * log_p, 0.0))
            ledger.absorb("log_weight", -gated * p * log_weights)
        return (Message.of_relevance(p * torch.where(take_most, o * s, h * s)),)


def _bind(h: Tensor, log_weights: Tensor, stiffness: float = 1.0) -> tuple[Tensor, Tensor, float]:
    return h, log_weights, stiffness


treat(softmin, by=_SoftMin())
