"""Contributions relative to a reference point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from neon.lrp.message import Ledger, Message, moved_from
from neon.lrp.rules.base import LinearCall, LinearRule, add
from neon.lrp.rules.epsilon import Zero

__all__ = ["Reference"]


@dataclass(frozen=True)
class Reference(LinearRule):
    """Contributions relative to a reference point r: ``R_i = Σ_k w_ik (x_i - r_i) / (z_k - z_k(r)) R_k``.

    The deep Taylor root-point view (Montavon et al. 2017, sec. 4); with r pushed through the whole network this is
    DeepLIFT-Rescale (Shrikumar et al. 2017). Slopes are handed on undivided, so ``z_k = z_k(r)`` is exact.

    Parameters
    ----------
    reference : Tensor, optional
        r, broadcasting to the input of this map. Default: the reference that the engine was given, pushed through
        the layers below; where it was given none, the origin, with ``z_k(0) = b_k`` absorbed as bias (LRP-0).
    """

    reference: Tensor | None = None
    takes_reference: ClassVar[bool] = True

    def steps(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        if self.reference is not None:
            return self._from_own_point(self.reference, call, message, ledger)
        if call.reference_output is None:
            return Zero(bias=self.bias).propagate(call, message, ledger)
        s = message.slope
        if s is None:
            s = _slope_from(call.reference_output, call, message, ledger)
        return tuple(map(Message.of_slope, call.map.vjp(s)))

    def _from_own_point(self, point: Tensor, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        """Slopes between layers are about the engine's reference; a point of this layer's own knows none."""
        r = tuple(point.to(x).expand(1, *x.shape[1:]) for x in call.inputs)
        s = _slope_from(add(call.map.forward(*r), call.map.bias), call, message, ledger)
        parts = zip(call.map.vjp(s), call.inputs, r, strict=True)
        return tuple(Message.of_relevance((x - x_ref).mul_(c)) for c, x, x_ref in parts)


def _slope_from(z_ref: Tensor, call: LinearCall, message: Message, ledger: Ledger) -> Tensor:
    """``s = R / (z - z_ref)``."""
    return Message.of_relevance(message.relevance).slope_over(moved_from(call.output(False), z_ref), ledger)
