"""LRP-w² and LRP-flat: shares that depend on the weights alone, not on the inputs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neon.lrp.linear_maps import LinearMap
from neon.lrp.rules.base import LinearCall, LinearRule

__all__ = ["Flat", "WSquare"]


class _ByWeight(LinearRule):
    """The four steps on inputs that are all 1: a batch of one, whatever the samples."""

    def inputs(self, call: LinearCall) -> tuple[Tensor, ...]:
        return tuple(x.new_ones(1, *x.shape[1:]) for x in call.inputs)


@dataclass(frozen=True)
class WSquare(_ByWeight):
    """LRP-w²: ``R_i = Σ_k w_ik² R_k / st(Σ_i w_ik² + b_k²)``, for unbounded inputs (Montavon et al. 2017, eq. 12)."""

    epsilon: float = 1e-6

    def weights(self, linear: LinearMap) -> LinearMap:
        return linear.modified(torch.square)


@dataclass(frozen=True)
class Flat(_ByWeight):
    """LRP-flat: equal shares, ``R_i = Σ_k 1 / st(Σ_i 1) R_k`` over the inputs that the output is connected to."""

    epsilon: float = 1e-6

    def weights(self, linear: LinearMap) -> LinearMap:
        return linear.modified(torch.ones_like)

    def absorbing(self, linear: LinearMap) -> Tensor | None:
        return None
