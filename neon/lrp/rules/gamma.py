"""LRP-γ: positive contributions count for more."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neon.lrp.linear_maps import LinearMap
from neon.lrp.message import Ledger, Message
from neon.lrp.rules.base import LinearCall, LinearRule, add, share, times

__all__ = ["Gamma"]


@dataclass(frozen=True)
class Gamma(LinearRule):
    """LRP-γ, generalised to inputs and outputs of any sign (overview sec. 10.2.3; Andéol et al. 2021).

    For ``z_k > 0``: ``R_i = Σ_k [x_i w_ik + γ (x_i w_ik)⁺] R_k / st(z_k + γ p_k)``, and for ``z_k < 0`` the same with
    ``(·)⁻`` and ``n_k``, where ``p_k = Σ_i (x_i w_ik)⁺ + b_k⁺`` and ``n_k = z_k - p_k``. With ``bias="ignore"`` the
    denominators are without b, and the sign is still that of z_k with it. On non-negative inputs of a ReLU layer this
    is ``R_i = Σ_k x_i (w + γ w⁺)_ik R_k / st(Σ_i x_i (w + γ w⁺)_ik + b_k + γ b_k⁺)``.
    """

    gamma: float = 0.25
    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.gamma >= 0:
            raise ValueError(f"gamma must be >= 0, got {self.gamma}")

    def weights(self, linear: LinearMap) -> LinearMap:
        """``w + γ w⁺``."""
        return linear.modified(lambda w: torch.add(w, w.clamp(min=0), alpha=self.gamma))

    def steps(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        gamma, b = self.gamma, self.absorbing(call.map)
        z, signed = self.recorded(call, message), call.output(message.vanishes)
        p = _positive_part(call, z, b)
        b_pos, b_neg = (None, None) if b is None else (b + gamma * b.clamp(min=0), b + gamma * b.clamp(max=0))
        s_pos = share(message.relevance * (signed > 0), z + gamma * p, self.epsilon, b_pos, ledger)
        s_neg = share(message.relevance * (signed < 0), z + gamma * (z - p), self.epsilon, b_neg, ledger)
        if ledger.enabled:
            ledger.absorb("stabilizer", message.relevance * (signed == 0))
        # x (w + γ w±) = xw + γ (xw)±, and (xw)± = (xw ± |x||w|) / 2: two transposed passes for both branches.
        plain = call.map.vjp((s_pos + s_neg) * (1 + gamma / 2))
        magnitude = call.map.modified(torch.abs).vjp((s_pos - s_neg) * (gamma / 2))
        return tuple(
            Message.of_relevance(x * c + x.abs() * d, vanishes=True)
            for x, c, d in zip(call.inputs, plain, magnitude, strict=True)
        )

    def fast(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...] | None:
        """ReLU layers of inputs ≥ 0: the four steps with ``w + γ w⁺``, and no z < 0 that has relevance."""
        if not call.nonnegative or not self.sees_rectified(call, message):
            return None
        favoured = self.weights(call.map)
        b = self.absorbing(favoured)
        z = add(favoured.forward(*call.inputs), b).clamp_(min=0)
        s = share(message.relevance, z, self.epsilon, b, ledger, nonnegative=True, own=True)
        return times(call.inputs, favoured.vjp(s))


def _positive_part(call: LinearCall, z: Tensor, bias: Tensor | None) -> Tensor:
    """``p = Σ_i (x_i w_ik)⁺ + b⁺``, by one more pass with |w|: ``(xw)⁺ = (xw + |x||w|) / 2``.

    z : the output with ``bias`` included.
    """
    positive_bias = None if bias is None else bias.clamp(min=0)
    if call.nonnegative:
        return add(call.map.modified(lambda w: w.clamp(min=0)).forward(*call.inputs), positive_bias)
    signed = z if bias is None else z - bias
    magnitude = call.map.modified(torch.abs).forward(*(x.abs() for x in call.inputs))
    return add((signed + magnitude) / 2, positive_bias)
