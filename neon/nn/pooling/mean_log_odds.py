"""The log-odds of a mean probability: how the votes of several probabilistic members add up."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import Layer, operation

__all__ = ["MeanLogOdds", "mean_log_odds"]


@operation
def mean_log_odds(h: Tensor, log_weights: Tensor) -> Tensor:
    """``g_c = log P_c / (1 - P_c)`` of the mean ``P_c = Σ_m w_m σ(h_mc)`` over members m.

    Computed as a difference of two log-sum-exps, so that it is exact where probabilities are 0 or 1 to rounding.

    Parameters
    ----------
    h : (n_samples, n_members * n_classes)
        The members' log-odds, one member after the other.
    log_weights : (n_members,)
        ``log w``, the weights adding up to 1.

    Returns
    -------
    Tensor
        (n_samples, n_classes)
    """
    h, log_w = h.unflatten(1, (len(log_weights), -1)), log_weights[:, None]
    return (log_w + F.logsigmoid(h)).logsumexp(1) - (log_w + F.logsigmoid(-h)).logsumexp(1)


class MeanLogOdds(Layer, of=mean_log_odds):
    """`mean_log_odds` with fixed weights, which are made to add up to 1."""

    no_relu = "the log-odds of a mean probability is not made of Linear and ReLU alone"
    log_weights: Tensor

    def __init__(self, weights: ArrayLike) -> None:
        log_weights = np.log(np.asarray(weights, dtype=np.float64))
        super().__init__(log_weights - np.logaddexp.reduce(log_weights))

    def extra_repr(self) -> str:
        return f"{len(self.log_weights)} members"


class _MeanLogOdds(Treatment):
    """Members share by what they add to the mean probability: ``R_m ∝ w_m (σ(h_m) - σ(r_m))``, adding up to g - g_ref.

    r is the reference, without one even odds (r = 0, g_ref = 0). With ``k(a, b) = (σ(a) - σ(b)) / (a - b)`` the slope
    is ``w_m k(h_m, r_m) / k(g, g_ref)``: positive, and of order w_m where all members are certain.
    """

    retention = Retention(inputs=True, output=True)
    takes_reference = True
    mean_first = True  # the secants need one point

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        h, log_weights = call.bound()
        g, h_ref, g_ref = call.value(call.output), call.reference(call.inputs[0]), call.reference(call.output)
        if h_ref is None or g_ref is None:
            h_ref, g_ref = h.new_zeros(1, h.shape[1]), g.new_zeros(1, g.shape[1])
        s = call.slope(message, ledger)
        # Classes that hold relevance, one after the other: explaining one class a row, these are few.
        rows, c = s.nonzero(as_tuple=True)
        members = (len(log_weights), -1)
        own = h.unflatten(1, members)[rows, :, c], h_ref.unflatten(1, members)[0, :, c].T
        log_k = _log_secant(*own) + log_weights - _log_secant(g[rows, c], g_ref[0, c])[:, None]
        slope = torch.zeros_like(h)
        slope.unflatten(1, members)[rows, :, c] = log_k.exp_().mul_(s[rows, c, None])
        return Message.of_slope(slope)


def _log_secant(a: Tensor, b: Tensor) -> Tensor:
    """``log((σ(a) - σ(b)) / (a - b))``; σ(a) - σ(b) = σ(a) σ(-b) (1 - exp(b - a))."""
    high, low = torch.maximum(a, b), torch.minimum(a, b)
    d = high - low
    rest = torch.where(d == 0, 0.0, torch.log(-torch.expm1(-d) / d))
    return F.logsigmoid(high) + F.logsigmoid(-low) + rest


treat(mean_log_odds, by=_MeanLogOdds())
