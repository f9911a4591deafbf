"""The log-ratio of a kernel machine: how much the evidence for outweighs the evidence against, on a log scale.

Bley et al. 2025, "Fast and Accurate Explanations of Distance-Based Classifiers".
"""

from __future__ import annotations

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
from neon.nn.pooling.log_sum_exp import LogSumExp, gated, log_sums
from neon.nn.shapley.exponential import exponentiates

__all__ = ["LogRatio", "log_ratio"]


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
    log_a, log_b = log_sums(_with_virtual(d, gamma), _sides(coefficients, bias)).split(len(bias), 1)
    return log_a - log_b


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
        """``h = -γ d`` and the virtual support vector's 0, a log-sum-exp over each sign's terms, the difference."""
        exponents = -self.gamma * torch.eye(n_inputs + 1, dtype=torch.float64)[:, :-1]
        eye = torch.eye(len(self.bias))
        sums = LogSumExp(_sides(self.coefficients, self.bias))
        return [Linear(exponents), sums, Linear(torch.cat([eye, -eye], 1))]


class _LogRatio(Treatment):
    """Gated: slopes ``-γ p_j`` on the distances to the positive, ``γ q_j`` to the negative support vectors.

    ``p_j ∝ α_j exp(-γ d_j)`` over the terms of A, q over those of B, virtual ones included. What the distances leave
    of ``g = γ (<d>_q - <d>_p) + <log α>_p - <log |α|>_q + H(p) - H(q)`` is a ``log_weight`` and an ``entropy``.

    Below, `Hybrid` shares it by η ``γ (<(x - u)_i²>_q - <(x - u)_i²>_p)`` and by 1 - η
    ``2 γ (x - ū)_i (ū_p - ū_q)_i``, where the virtual support vector stands at x in the means: a slope that is not
    there leaves ``x - ū`` as it leaves d.
    """

    retention = Retention(inputs=True, output=True)

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        d, coefficients, bias, gamma = call.bound()
        s = call.slope(message, ledger)
        slope, entropy, log_weight = gated(_with_virtual(d, gamma), _sides(coefficients, bias), torch.cat([s, -s], 1))
        if ledger.enabled:
            ledger.absorb("entropy", entropy)
            ledger.absorb("log_weight", log_weight)
        return Message.of_slope(slope[:, :-1].mul_(-gamma))


def _with_virtual(d: Tensor, gamma: float) -> Tensor:
    """Exponents ``-γ d``, with the bias as one more support vector at distance 0."""
    return F.pad(-gamma * d, (0, 1))


def _sides(coefficients: Tensor, bias: Tensor) -> Tensor:
    """``|α|`` of all machines' positive terms, then of their negative ones, (2 n_outputs, n_support + 1)."""
    terms = torch.cat([coefficients, bias[:, None]], 1)
    return torch.cat([terms, -terms]).clamp(min=0)


treat(log_ratio, by=_LogRatio())
exponentiates(log_ratio, lambda d, coefficients, bias, gamma: gamma)
