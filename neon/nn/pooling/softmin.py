"""The soft minimum over weighted units: a soft distance to the data."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import Layer, operation
from neon.nn.shapley.exponential import exponentiates

__all__ = ["SoftMin", "own_points", "softmin"]

_SAME = 1e-8  # of the mean distance, squared or not: as near as rows that were written down and read again
_HALVINGS = 20


@operation
def softmin(h: Tensor, log_weights: Tensor, stiffness: float = 1.0) -> Tensor:
    """``o = -(1/β) log Σ_k a_k exp(-β h_k)``; h : (n_samples, n_units), log_weights ``log a`` : (n_units,).

    Returns
    -------
    Tensor
        (n_samples, 1)
    """
    return torch.logsumexp(log_weights - stiffness * h, 1, keepdim=True) / -stiffness


class SoftMin(Layer, of=softmin):
    """`softmin` with fixed weights."""

    no_relu = "a log-sum-exp is not piecewise linear"
    log_weights: Tensor
    stiffness: float

    def extra_repr(self) -> str:
        return f"{len(self.log_weights)} → 1, stiffness={self.stiffness:.4g}"


class _SoftMin(Treatment):
    """Take-most ``R_k = q_k o`` where ``o ≥ 0`` (Kauffmann et al. 2020, eq. 6); else gated, ``R_k = q_k h_k``.

    ``q_k = p_k ∝ a_k exp(-β h_k)``. Gating leaves ``o - Σ q_k h_k = (Σ q_k log p_k - Σ q_k log a_k) / β``: an
    ``entropy`` and a ``log_weight``.

    A distance of 0 has no feature to be shared by. Where the row itself is among the points, q is over the others, by a
    stiffness β' ≤ β that is low enough for a quarter of them to count (as for the D2Neighbors of Kauffmann et al.): the
    nearest of them may be another outlier of the same kind. Path rules leave the row's own point out altogether.
    """

    retention = Retention(inputs=True, output=True)

    def left_out(self, call: Call) -> Tensor | None:
        h, log_weights, _ = call.bound()
        return own_points(h, log_weights)

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        h, log_weights, stiffness = call.bound()
        o = call.value(call.output)
        s = call.slope(message, ledger)
        log_p = torch.log_softmax(log_weights - stiffness * h, 1)
        q = log_p.exp()
        inside, apart = _inside(h, log_weights)
        if len(inside):
            q[inside] = _broad(h[inside], log_weights, stiffness, apart)
        take_most = o >= 0
        if ledger.enabled:
            gated = torch.where(take_most, 0.0, s) / stiffness
            ledger.absorb("entropy", gated * torch.where(q > 0, q * log_p, 0.0))
            ledger.absorb("log_weight", -gated * torch.where(q > 0, q * log_weights, 0.0))
        return Message.of_relevance(q * torch.where(take_most, o * s, h * s))


def own_points(h: Tensor, log_weights: Tensor) -> Tensor | None:
    """The units that are a row itself, (n_samples, n_units), where others are left; None: of no row any."""
    rows, apart = _inside(h, log_weights)
    if not len(rows):
        return None
    own = torch.zeros_like(h, dtype=torch.bool)
    own[rows] = ~apart
    return own


def _inside(h: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
    """The rows that are among the points of any weight, and which of these are at a distance of each."""
    finite = ~(h.isinf() | log_weights.isinf())
    lengths = h.abs().masked_fill(~finite, 0.0)
    apart = finite & (lengths > _SAME * lengths.sum(1, keepdim=True) / finite.sum(1, keepdim=True).clamp(min=1))
    rows = ((finite & ~apart).any(1) & apart.any(1)).nonzero()[:, 0]
    return rows, apart[rows]


def _broad(h: Tensor, log_weights: Tensor, stiffness: float, apart: Tensor) -> Tensor:
    """``p_k ∝ a_k exp(-β' h_k)`` over the units apart, β' the largest with the perplexity of a quarter of them."""
    blank = log_weights.expand_as(h).masked_fill(~apart, -torch.inf)
    h = h.masked_fill(~apart, 0.0)

    def weights(beta: Tensor) -> tuple[Tensor, Tensor]:
        log_p = torch.log_softmax(blank - beta * h, 1)
        p = log_p.exp()
        return p, -(p * log_p.masked_fill(p == 0, 0.0)).sum(1, keepdim=True)

    low, high = h.new_zeros(len(h), 1), h.new_full((len(h), 1), stiffness)
    least = weights(low)[1] - math.log(4)
    low = torch.where(weights(high)[1] >= least, high, low)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        enough = weights(middle)[1] >= least
        low, high = torch.where(enough, middle, low), torch.where(enough, high, middle)
    return weights(low)[0]


treat(softmin, by=_SoftMin())
exponentiates(softmin, lambda h, log_weights, stiffness=1.0: stiffness)
