"""The Wasserstein distance of two sets of rows as a network of the displacements that a transport plan asks for."""

from __future__ import annotations

import math

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from neon.lrp.message import Ledger, Message, divide
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import Layer, fixed, operation

__all__ = ["MinkowskiNorm", "Wasserstein", "minkowski_norm"]


@operation
def minkowski_norm(displacements: Tensor, q: float = 2.0, beta: float = 2.0) -> Tensor:
    """``z = (Σ_i |δ_i|^q)^(1/q)``: (..., n_features) -> (...); infinite q: ``max_i |δ_i|``.

    beta : the power of ``|δ_i|`` that relevance is shared by; it does not change the norm.
    """
    return torch.linalg.vector_norm(displacements, q, dim=-1)


class MinkowskiNorm(Layer, of=minkowski_norm):
    """`minkowski_norm` as a layer."""

    q: float
    beta: float
    no_relu = "a norm is not piecewise linear"


class _MinkowskiNorm(Treatment):
    """``R_i = |δ_i|^β / Σ_i |δ_i|^β R``; with β = q what LRP-0 gives through power, sum and root.

    Relevance of a displacement 0 is nobody's: ``exact_hit``.
    """

    kind = "distance"
    retention = Retention(inputs=True)
    nonnegative = True

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        displacements, _, beta = call.bound()
        sizes = displacements.abs()
        # Relative to the largest one: powers of small numbers would be 0.
        powers = divide(sizes, sizes.amax(-1, keepdim=True)).pow(beta)
        shares = divide(powers, powers.sum(-1, keepdim=True))
        if ledger.enabled:
            ledger.absorb("exact_hit", message.relevance * (sizes.amax(-1) == 0))
        return Message.of_relevance(message.relevance[..., None] * shares)


class Wasserstein(torch.nn.Module):
    """``W = (Σ_kl γ_kl z_kl^p)^(1/p)`` with ``z_kl = ‖y_l - x_k‖_q``, of a transport plan that is given.

    A distance layer and a pooling layer (Naumann, Kauffmann and Montavon 2025, Wasserstein Distances Made
    Explainable). By LRP-0 a pair of rows has ``R_kl = γ_kl z_kl^p / Σ γ z^p · W``, and its feature i the share
    ``|δ_i|^β / Σ_i |δ_i|^β`` of that.

    Parameters
    ----------
    plan : (n_pairs,)
        ``γ_kl ≥ 0``: the mass that is moved between the two rows of each pair.
    p : float
        The power of the distances.
    q : float
        Which norm the distances are; infinity: the largest difference.
    beta : float, optional
        By default ``min(p + 2, q)``, the paper's.
    """

    plan: Tensor

    def __init__(self, plan: ArrayLike | Tensor, p: float = 2.0, q: float = 2.0, beta: float | None = None) -> None:
        super().__init__()
        for name, value in (("p", p), ("q", q)):
            if not value >= 1 or (name == "p" and math.isinf(value)):
                raise ValueError(f"{name} must be a number, at least 1, got {value!r}")
        if beta is not None and not 0 < beta < math.inf:
            raise ValueError(f"beta must be a positive number, got {beta!r}")
        self.p = float(p)
        self.register_buffer("plan", fixed(plan))
        self.norm = MinkowskiNorm(float(q), float(min(p + 2, q) if beta is None else beta))

    def forward(self, displacements: Tensor) -> Tensor:
        """``W``, (n_samples, 1), from ``y_l - x_k`` of each pair, (n_samples, n_pairs, n_features)."""
        moved = self.norm(displacements).pow(self.p) @ self.plan
        return moved[:, None].pow(1 / self.p)

    def extra_repr(self) -> str:
        return f"{len(self.plan)} pairs, p={self.p:g}"


treat(minkowski_norm, by=_MinkowskiNorm())
