"""LRP-αβ and LRP-z⁺: positive and negative contributions apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from neon.lrp.linear_maps import LinearMap
from neon.lrp.message import Ledger, Message
from neon.lrp.rules.base import LinearCall, LinearRule, accumulate, add
from neon.lrp.rules.epsilon import Epsilon

__all__ = ["AlphaBeta", "ZPlus"]

ROUNDING = 32  # times the machine's epsilon: what a difference of sums may leave of zero
Parts = list[tuple[tuple[Tensor, ...], LinearMap]]  # inputs with the weights that they are multiplied by


@dataclass(frozen=True)
class AlphaBeta(LinearRule):
    """LRP-αβ: ``R_i = Σ_k (α (x_i w_ik)⁺ / st(p_k) - β (x_i w_ik)⁻ / st(n_k)) R_k``, ``α - β = 1`` (Bach et al. 2015).

    ``p_k = Σ_i (x_i w_ik)⁺ + b_k⁺`` and ``n_k = Σ_i (x_i w_ik)⁻ + b_k⁻``. Averages, sums and shifts whose parts are all
    of one sign take their plain share, ``R_i = Σ_k x_i w_ik / z_k R_k``: there is nothing to weigh against.
    """

    alpha: float = 2.0
    beta: float = 1.0
    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.beta < 0 or abs(self.alpha - self.beta - 1) > 1e-12:
            raise ValueError(f"alpha - beta must be 1 and beta >= 0, got alpha={self.alpha}, beta={self.beta}")

    def steps(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...]:
        # (xw)⁺ = x⁺w⁺ + x⁻w⁻ and (xw)⁻ = x⁺w⁻ + x⁻w⁺. Two passes with |w| would do, but their differences leave
        # rounding of what cancels, which slopes R / ε of empty sums would blow up.
        excite, inhibit = _by_sign(call.map)
        above, below = (tuple(x.clamp(min=0) for x in call.inputs), tuple(x.clamp(max=0) for x in call.inputs))
        excited, inhibited = [(above, excite), (below, inhibit)], [(above, inhibit), (below, excite)]
        relevance, shares = message.relevance, None
        p, n = _sum(excited), _sum(inhibited) if self.beta else None
        if n is not None and not call.weighted:
            b = self.absorbing(call.map)
            plain = ((p == 0) & (True if b is None else b <= 0)) | ((n == 0) & (True if b is None else b >= 0))
            part = Message.of_relevance(relevance.masked_fill(~plain, 0.0), vanishes=message.vanishes)
            shares = Epsilon(self.epsilon, bias=self.bias).propagate(call, part, ledger)
            relevance = relevance.masked_fill(plain, 0.0)
        b_pos, b_neg = self._biases(call)
        halves = [(self.alpha, self._half(excited, add(p, b_pos), b_pos, self.alpha, relevance, ledger))]
        if n is not None:
            halves.append((-self.beta, self._half(inhibited, add(n, b_neg), b_neg, -self.beta, relevance, ledger)))
        found = _redistributed([above, below], halves)
        return found if shares is None else tuple(one + other for one, other in zip(found, shares, strict=True))

    def fast(self, call: LinearCall, message: Message, ledger: Ledger) -> tuple[Message, ...] | None:
        """Inputs ≥ 0: no products with x⁻, and n is what z has less than p."""
        if not call.nonnegative or not (call.weighted or not self.beta):
            return None
        excite, inhibit = _by_sign(call.map)
        b_pos, b_neg = self._biases(call)
        p, n = add(excite.forward(*call.inputs), b_pos), None
        if self.beta:
            n = self.recorded(call, message) - p  # where z < 0 behind a ReLU there is no relevance
            # Rounding leaves something of an empty sum: it has nothing to share, the stabiliser keeps the relevance.
            n.masked_fill_(n >= p * (-ROUNDING * torch.finfo(p.dtype).eps), -torch.inf)
        halves = [(self.alpha, self._half([(call.inputs, excite)], p, b_pos, self.alpha, message.relevance, ledger))]
        del p
        if n is not None:
            of_n = self._half([(call.inputs, inhibit)], n, b_neg, -self.beta, message.relevance, ledger)
            halves.append((-self.beta, of_n))
        return _redistributed([call.inputs], halves)

    def _half(
        self, parts: Parts, z: Tensor, bias: Tensor | None, factor: float, relevance: Tensor, ledger: Ledger
    ) -> list[tuple[Tensor, ...]]:
        """Slopes of the sums z of one sign, bias included, for each part's inputs.

        Parameters
        ----------
        z : Tensor
            Is overwritten; -∞: keeps the relevance.
        factor : float
            α or -β.
        """
        # In place, and scaled last: memory costs more than arithmetic.
        epsilon = math.copysign(self.epsilon, factor)
        empty = z.isinf() if ledger.enabled else None
        s = torch.div(relevance, z.add_(epsilon), out=z)
        if empty is not None:
            ledger.absorb("stabilizer", factor * (epsilon * s + relevance * empty))
            if bias is not None:
                ledger.absorb("bias", factor * s * bias)
        return [linear.vjp(s) for _, linear in parts]

    def _biases(self, call: LinearCall) -> tuple[Tensor | None, Tensor | None]:
        """``b⁺`` and ``b⁻``."""
        b = self.absorbing(call.map)
        return (None, None) if b is None else (b.clamp(min=0), b.clamp(max=0))


class ZPlus(AlphaBeta):
    """LRP-z⁺: ``R_i = Σ_k (x_i w_ik)⁺ / st(p_k) R_k``, the αβ rule with α = 1, β = 0 (Montavon et al. 2017)."""

    def __init__(self, epsilon: float = 1e-6, *, bias: Literal["absorb", "ignore"] = "absorb") -> None:
        super().__init__(1.0, 0.0, epsilon, bias=bias)

    def __repr__(self) -> str:
        return f"ZPlus(epsilon={self.epsilon}, bias={self.bias!r})"


def _by_sign(linear: LinearMap) -> tuple[LinearMap, LinearMap]:
    """With weights ``w⁺`` and with ``w⁻``."""
    return linear.modified(lambda w: w.clamp(min=0)), linear.modified(lambda w: w.clamp(max=0))


def _sum(parts: Parts) -> Tensor:
    return accumulate([linear.forward(*inputs) for inputs, linear in parts])


def _redistributed(
    inputs: list[tuple[Tensor, ...]], halves: list[tuple[float, list[tuple[Tensor, ...]]]]
) -> tuple[Message, ...]:
    """``R_i = Σ x_i Σ factor c_i`` over parts of the inputs, each with its slopes in every half."""
    (factor, slopes), *others = halves
    total = [tuple(c.mul_(factor) if c.is_contiguous() else c * factor for c in cs) for cs in slopes]
    for factor, more in others:
        for cs, ds in zip(total, more, strict=True):
            for c, d in zip(cs, ds, strict=True):
                c.add_(d, alpha=factor)
    shares = [[c.mul_(x) for x, c in zip(xs, cs, strict=True)] for xs, cs in zip(inputs, total, strict=True)]
    return tuple(Message.of_relevance(accumulate(terms), vanishes=True) for terms in zip(*shares, strict=True))
