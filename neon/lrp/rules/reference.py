"""Contributions relative to a reference point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from neon.lrp.message import Ledger, Message, divide, moved_from
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
        own = self.reference
        if own is not None:
            r = tuple(own.to(x).expand(1, *x.shape[1:]) for x in call.inputs)
            z_ref = add(call.map.forward(*r), call.map.bias)
        elif call.reference_inputs is not None:
            assert call.reference_output is not None
            r, z_ref = call.reference_inputs, call.reference_output
        else:
            return Zero(bias=self.bias).propagate(call, message, ledger)
        # Slopes between layers are about the engine's reference; a point of this layer's own knows none.
        if message.slope is not None and own is None:
            s = message.slope
        else:
            difference = moved_from(call.output(False), z_ref)
            s = divide(message.relevance, difference)
            if ledger.enabled:
                ledger.absorb("stabilizer", message.relevance * (difference == 0))
        found = tuple(map(Message.of_slope, call.map.vjp(s), call.inputs, r))
        return found if own is None else tuple(Message.of_relevance(message.relevance) for message in found)
