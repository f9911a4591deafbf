"""Log-sums of one set of units under several sets of weights: the scores of classes that share their points."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import Layer, fixed, operation
from neon.nn.shapley.exponential import exponentiates

__all__ = ["LogSumExp", "gated", "log_sum_exp", "log_sums"]


@operation
def log_sum_exp(h: Tensor, weights: Tensor) -> Tensor:
    """``z_c = log Σ_j a_cj exp(h_j)``; h : (n_samples, n_units), weights ``a`` ≥ 0 : (n_classes, n_units).

    Returns
    -------
    Tensor
        (n_samples, n_classes)
    """
    top = h.amax(1, keepdim=True)
    return log_sums(h - top, weights) + top


def log_sums(h: Tensor, weights: Tensor) -> Tensor:
    """`log_sum_exp` of exponents of which the largest in each row is 0."""
    sums, limits = h.exp() @ weights.T, torch.finfo(h.dtype)
    z = sums.log()
    # What terms lose below the smallest number is at most that much of all weights.
    inexact = sums < limits.tiny / limits.eps * weights.sum(1)
    for c in inexact.any(0).nonzero()[:, 0].tolist():
        rows = inexact[:, c].nonzero()[:, 0]
        z[rows, c] = (h[rows] + weights[c].log()).logsumexp(1)
    return z


class LogSumExp(Layer, of=log_sum_exp):
    """`log_sum_exp` with fixed weights."""

    no_relu = "a log-sum-exp is not piecewise linear"
    weights: Tensor

    def __init__(self, weights: ArrayLike | Tensor) -> None:
        super().__init__(torch.atleast_2d(fixed(weights)))

    def extra_repr(self) -> str:
        return f"{self.weights.shape[1]} → {self.weights.shape[0]}"


class _LogSumExp(Treatment):
    """Gated: ``R_j = Σ_c p_cj h_j`` with ``p_cj ∝ a_cj exp(h_j)``; ``z_c - Σ_j p_cj h_j = H(p_c) + Σ_j p_cj log a_cj``.

    The two are an ``entropy`` and a ``log_weight``. Relative to a reference, ``R_j = Σ_c p_cj (h_j - h_j^ref)``, and
    all that is left of ``z_c - z_c^ref`` is ``entropy``.
    """

    retention = Retention(inputs=True, output=True)
    takes_reference = True

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        h, weights = call.bound()
        s = call.slope(message, ledger)
        slope, entropy, log_weight = gated(h, weights, s)
        if ledger.enabled and call.references is not None:
            left = (s * call.moved(call.output)).sum(1) - (slope * call.moved(call.inputs[0])).sum(1)
            ledger.absorb("entropy", left)
        elif ledger.enabled:
            ledger.absorb("entropy", entropy)
            ledger.absorb("log_weight", log_weight)
        return Message.of_slope(slope)


def gated(h: Tensor, weights: Tensor, s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Slopes ``Σ_c s_c p_cj`` on the units, ``Σ_c s_c H(p_c)`` and ``Σ_c s_c Σ_j p_cj log a_cj``.

    s : (n_samples, n_classes), the slopes; classes that a row does not look at cost nothing.
    """
    slope, entropy, log_weight = torch.zeros_like(h), s.new_zeros(len(s)), s.new_zeros(len(s))
    for c, log_a in enumerate(weights.log()):
        rows, units = s[:, c].nonzero()[:, 0], (weights[c] > 0).nonzero()[:, 0]
        log_p = torch.log_softmax(h[rows[:, None], units] + log_a[units], 1)
        p = log_p.exp()
        slope[rows[:, None], units] += s[rows, c, None] * p
        entropy[rows] -= s[rows, c] * (p * log_p).sum(1)
        log_weight[rows] += s[rows, c] * (p @ log_a[units])
    return slope, entropy, log_weight


treat(log_sum_exp, by=_LogSumExp())
exponentiates(log_sum_exp, lambda h, weights: -1.0)
