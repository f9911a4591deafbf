"""LRP-ε and LRP-0."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neon.lrp.message import Ledger, Message, divide
from neon.lrp.rules.base import LinearCall, LinearRule, share, times

__all__ = ["Epsilon", "Zero"]


@dataclass(frozen=True)
class Epsilon(LinearRule):
    """LRP-ε: ``R_i = Σ_k x_i w_ik R_k / st(z_k)`` (Bach et al. 2015, eq. 58).

    Parameters
    ----------
    epsilon : float
    relative : bool
        Whether ε is in units of the root mean square of each sample's z, as in the overview's experiments (0.25).
    """

    epsilon: float = 1e-6
    relative: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.epsilon > 0:
            raise ValueError(f"epsilon must be > 0, got {self.epsilon}; use Zero() for LRP-0")

    def stabilizer(self, z: Tensor) -> float | Tensor:
        if not self.relative:
            return self.epsilon
        size = z.square().mean(tuple(range(1, z.ndim)), keepdim=True).sqrt()
        return self.epsilon * size.clamp(min=torch.finfo(z.dtype).tiny)

    def fast(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        """The forward pass has computed z."""
        z, bias = self.recorded(call, message), self.absorbing(call.map)
        nonnegative = self.sees_rectified(call, message)
        s = share(message.relevance, z, self.stabilizer(z), bias, ledger, nonnegative=nonnegative)
        return times(call.inputs, call.map.slopes(s))


@dataclass(frozen=True)
class Zero(LinearRule):
    """LRP-0: ``R_i = Σ_k x_i w_ik R_k / z_k``, in slope form, so that ``z_k = 0`` needs no division."""

    def steps(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        # Slopes are about the engine's reference; LRP-0 is about the origin.
        about_origin = call.reference_output is None
        if message.slope is not None and self.bias == "absorb" and about_origin:
            s = message.slope
        else:
            z = self.recorded(call, message)
            s = divide(message.relevance, z)
            if ledger.enabled:
                ledger.absorb("stabilizer", message.relevance * (z == 0))
        if ledger.enabled and (b := self.absorbing(call.map)) is not None:
            ledger.absorb("bias", s * b)
        if not about_origin:
            return times(call.inputs, call.map.vjp(s))
        return tuple(map(Message.of_slope, call.map.vjp(s)))
