"""The log-ratio of a kernel machine: how much the evidence for outweighs the evidence against, on a log scale.

Bley et al. 2025, "Fast and Accurate Explanations of Distance-Based Classifiers".
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import Layer, fixed, operation
from neon.nn.linear.layers import Linear
from neon.nn.terms.exponential import exponentiates

__all__ = ["LogRatio", "LogSumExp", "log_ratio", "log_ratio_layers", "log_sum_exp"]


@operation
def log_ratio(d: Tensor, coefficients: Tensor, bias: Tensor, gamma: float) -> Tensor:
    """``g = log A - log B`` of machines ``f = Σ_j α_j exp(-γ d_j) + b = A - B``; sign g = sign f.

    A sums the terms with ``α_j > 0``, B those with ``α_j < 0``; b is one more such term, a virtual support vector at
    distance 0 from everywhere. ``f = (A + B) tanh(g / 2)``.

    Parameters
    ----------
    d : (n_samples, n_support)
        Squared distances.
    coefficients : (n_outputs, n_support)
        ``α``; every machine needs terms of both signs.
    bias : (n_outputs,)
    gamma : float

    Returns
    -------
    Tensor
        (n_samples, n_outputs)
    """
    h, terms = _with_virtual(d, coefficients, bias, gamma)
    kernel = h.exp()
    return _log_sums(h, kernel, terms) - _log_sums(h, kernel, -terms)


@operation
def log_sum_exp(h: Tensor, log_weights: Tensor, sizes: Sequence[int]) -> Tensor:
    """``o_g = log Σ_{k in g} a_k exp(h_k)`` over consecutive groups of columns; log_weights ``log a`` : (n_units,).

    Parameters
    ----------
    h : (n_samples, n_units)
    log_weights : (n_units,)
    sizes : sequence of int
        How many columns each group has.

    Returns
    -------
    Tensor
        (n_samples, n_groups)
    """
    return torch.stack([part.logsumexp(1) for part in (h + log_weights).split(list(sizes), 1)], 1)


class LogRatio(Layer, of=log_ratio):
    """`log_ratio` of fixed machines."""

    no_relu = "a log-sum-exp is not piecewise linear"
    coefficients: Tensor
    bias: Tensor
    gamma: float

    def __init__(self, coefficients: ArrayLike | Tensor, bias: ArrayLike | Tensor, gamma: float) -> None:
        super().__init__(torch.atleast_2d(fixed(coefficients)), torch.atleast_1d(fixed(bias)), gamma)

    def extra_repr(self) -> str:
        return f"{self.coefficients.shape[1]} → {self.coefficients.shape[0]}, gamma={self.gamma:.4g}"

    def spelled_out(self, n_inputs: int) -> list[torch.nn.Module]:
        return log_ratio_layers(self.coefficients, self.bias, self.gamma)


class LogSumExp(Layer, of=log_sum_exp):
    """`log_sum_exp` with fixed weights and groups."""

    no_relu = "a log-sum-exp is not piecewise linear"
    log_weights: Tensor
    sizes: Sequence[int]

    def extra_repr(self) -> str:
        return f"{len(self.log_weights)} → {len(self.sizes)}"


def log_ratio_layers(coefficients: Tensor, bias: Tensor, gamma: float) -> list[torch.nn.Module]:
    """`LogRatio` spelled out: ``h = -γ d`` for each machine's terms, a log-sum-exp over each sign, the difference."""
    terms = torch.cat([coefficients, bias[:, None]], 1)
    sides = [side for alpha in terms for side in _sides(alpha)]
    # The virtual support vector's row is 0: it does not depend on the distances.
    exponents = -gamma * torch.eye(terms.shape[1], dtype=terms.dtype)[:, :-1]
    difference = torch.eye(len(terms), dtype=terms.dtype).repeat_interleave(2, 1)
    difference[:, 1::2] *= -1
    return [
        Linear(exponents[torch.cat([columns for columns, _ in sides])]),
        LogSumExp(torch.cat([log_weights for _, log_weights in sides]), [len(columns) for columns, _ in sides]),
        Linear(difference),
    ]


class _LogRatio(Treatment):
    """Gated: slopes ``-γ p_j`` on the distances to the positive, ``γ q_j`` to the negative support vectors.

    ``p_j ∝ α_j exp(-γ d_j)`` over the terms of A, q over those of B, virtual ones included. What the distances leave
    of ``g = γ (<d>_q - <d>_p) + <log α>_p - <log |α|>_q + H(p) - H(q)`` is a ``log_weight`` and an ``entropy``.

    Below, `Hybrid` shares it by η ``γ (<(x - u)_i²>_q - <(x - u)_i²>_p)`` and by 1 - η
    ``2 γ (x - ū)_i (ū_p - ū_q)_i``, where the virtual support vector stands at x in the means: a slope that is not
    there leaves ``x - ū`` as it leaves d.
    """

    retention = Retention(inputs=True, output=True)

    def propagate(
        self, call: Call, messages: tuple[Message | None, ...], rule: Rule | None, ledger: Ledger
    ) -> tuple[Message | None, ...]:
        (message,) = messages
        assert message is not None
        d, coefficients, bias, gamma = call.bound()
        s = message.slope_over(call.value(call.output), ledger)
        h, terms = _with_virtual(d, coefficients, bias, gamma)
        slope = torch.zeros_like(h)
        entropy, log_weight = s.new_zeros(len(s)), s.new_zeros(len(s))
        for o, alpha in enumerate(terms):
            # Of many machines a row's target needs few: the one against the closest rival.
            rows = s[:, o].nonzero()[:, 0]
            for sign, (columns, log_a) in zip((1.0, -1.0), _sides(alpha), strict=True):
                s_o, where = sign * s[rows, o], (rows[:, None], columns)
                p, entropy_p, mean_log_a = _gate(h[where], log_a)
                slope[where] += p.mul_(-gamma * s_o[:, None])
                entropy[rows] += s_o * entropy_p
                log_weight[rows] += s_o * mean_log_a
        if ledger.enabled:
            ledger.absorb("entropy", entropy)
            ledger.absorb("log_weight", log_weight)
        return (Message.of_slope(slope[:, :-1], d),)


class _LogSumExp(Treatment):
    """Gated: ``R_k = p_k h_k`` with ``p_k ∝ a_k exp(h_k)``; ``o - Σ p_k h_k = H(p) + Σ p_k log a_k``."""

    retention = Retention(inputs=True, output=True)

    def propagate(
        self, call: Call, messages: tuple[Message | None, ...], rule: Rule | None, ledger: Ledger
    ) -> tuple[Message | None, ...]:
        (message,) = messages
        assert message is not None
        h, log_weights, sizes = call.bound()
        sizes = list(sizes)
        slopes = []
        parts = zip(h.split(sizes, 1), log_weights.split(sizes), strict=True)
        for s, (part, log_a) in zip(message.slope_over(call.value(call.output), ledger).T, parts, strict=True):
            p, entropy, mean_log_a = _gate(part, log_a)
            slopes.append(p.mul_(s[:, None]))
            if ledger.enabled:
                ledger.absorb("entropy", s * entropy)
                ledger.absorb("log_weight", s * mean_log_a)
        return (Message.of_slope(torch.cat(slopes, 1), h),)


def _with_virtual(d: Tensor, coefficients: Tensor, bias: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """Exponents ``-γ d`` and coefficients, with the bias as one more support vector at distance 0."""
    return F.pad(-gamma * d, (0, 1)), torch.cat([coefficients, bias[:, None]], 1)


def _log_sums(h: Tensor, kernel: Tensor, terms: Tensor) -> Tensor:
    """``log Σ_j α_j exp(h_j)`` over each machine's positive terms; kernel is ``exp(h)``."""
    alpha, limits = terms.clamp(min=0), torch.finfo(h.dtype)
    sums = kernel @ alpha.T
    # What kernel values lose below the smallest number is at most that much of all coefficients.
    inexact = sums < limits.tiny / limits.eps * alpha.sum(1)
    logs = sums.log()
    for o in inexact.any(0).nonzero()[:, 0].tolist():
        rows, (columns, log_a) = inexact[:, o].nonzero()[:, 0], _sides(terms[o])[0]
        logs[rows, o] = (h[rows[:, None], columns] + log_a).logsumexp(1)
    return logs


def _sides(alpha: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Columns and ``log |α|`` of the positive and of the negative terms; alpha : (n_terms,)."""
    plus, minus = (alpha > 0).nonzero()[:, 0], (alpha < 0).nonzero()[:, 0]
    return (plus, alpha[plus].log()), (minus, (-alpha[minus]).log())


def _gate(h: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """``p ∝ a exp(h)``, its entropy and the mean of ``log a`` under it."""
    log_p = torch.log_softmax(h + log_weights, 1)
    p = log_p.exp()
    return p, -(p * log_p).sum(1), p @ log_weights


treat(log_ratio, by=_LogRatio())
treat(log_sum_exp, by=_LogSumExp())
exponentiates(log_sum_exp, lambda h, log_weights, sizes: -1.0)
exponentiates(log_ratio, lambda d, coefficients, bias, gamma: gamma)
