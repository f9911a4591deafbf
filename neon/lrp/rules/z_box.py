"""LRP-z^B: inputs that lie in a box."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.rules.base import LinearCall, LinearRule, add, fill, share

__all__ = ["ZBox"]


@dataclass(frozen=True)
class ZBox(LinearRule):
    """LRP-z^B for inputs in a box ``l ≤ x ≤ h`` (pixels); the bias cancels (Montavon et al. 2017, eq. 14).

    ``R_i = Σ_k (x_i w_ik - l_i w_ik⁺ - h_i w_ik⁻) R_k / st(Σ_i same)``

    Parameters
    ----------
    low, high : float or Tensor
        The box; tensors broadcast to one input (a value per channel is shaped ``(1, channels, 1, 1)``). Inputs outside
        of it are warned of: the rule has no root point for them.
    """

    low: float | Tensor
    high: float | Tensor
    epsilon: float = 1e-6

    def steps(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        positive = call.map.modified(lambda w: w.clamp(min=0))
        negative = call.map.modified(lambda w: w.clamp(max=0))
        low, high = ([fill(x, v) for x in call.inputs] for v in (self.low, self.high))
        s = self._share(call, message, positive.forward(*low).add_(negative.forward(*high)), ledger)
        parts = zip(call.inputs, low, high, call.map.vjp(s), positive.vjp(s), negative.vjp(s), strict=True)
        return tuple(Message.of_relevance(x * c - lo * p - hi * n) for x, lo, hi, c, p, n in parts)

    def fast(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...] | None:
        """The same bounds for every input: ``l w⁺ + h w⁻`` is one set of weights, on inputs that are all 1."""
        low, high = self.low, self.high
        if isinstance(low, Tensor) or isinstance(high, Tensor):
            return None
        box = call.map.modified(lambda w: low * w.clamp(min=0) + high * w.clamp(max=0))
        s = self._share(call, message, box.forward(*(fill(x, 1.0) for x in call.inputs)), ledger)
        parts = zip(call.inputs, call.map.vjp(s), box.vjp(s), strict=True)
        return tuple(Message.of_relevance(x * c - corner_slope) for x, c, corner_slope in parts)

    def _share(self, call: LinearCall, message: Message, corner: Tensor, ledger: Ledger) -> Tensor:
        """``s = R / st(z)``, z counted from the corner of the box that gives the least."""
        self._warn_of_outside(call)
        z = call.output(message.vanishes) - add(corner, call.map.bias)
        return share(message.relevance, z, self.epsilon, None, ledger)

    def _warn_of_outside(self, call: LinearCall) -> None:
        """Box and data in other units, such as pixels in 0..255 of a box for 0..1, are the usual mistake."""
        for x in call.inputs:
            low, high = fill(x, self.low), fill(x, self.high)
            slack = 1e-6 * (high - low).abs()
            outside = (x < low - slack) | (x > high + slack)
            if bool(outside.any()):
                warnings.warn(
                    f"{float(outside.double().mean()):.1%} of the inputs of z^B, from {float(x.min()):.4g} to "
                    f"{float(x.max()):.4g}, lie outside its box ({float(low.min()):.4g} to {float(high.max()):.4g}): "
                    "give low= and high= as the layer reads the data, after scaling",
                    RuntimeWarning,
                    stacklevel=2,
                )
