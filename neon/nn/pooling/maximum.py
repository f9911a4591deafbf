"""Maxima, soft and hard: the negative minima of the negatives, whose rules they share.

Take-most therefore holds where a maximum is ≤ 0, so that all its units have one sign; elsewhere it is gated.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from neon.nn.linear.layers import plain_linear
from neon.nn.pooling.minimum import PooledMinimum, pooled_minimum
from neon.nn.pooling.softmin import SoftMin, softmin

__all__ = ["PooledMaximum", "SoftMaximum", "pooled_maximum", "soft_maximum"]


def soft_maximum(h: Tensor, log_weights: Tensor, stiffness: float = 1.0) -> Tensor:
    """``o = (1/β) log Σ_k a_k exp(β h_k)``; h : (n_samples, n_units), log_weights ``log a`` : (n_units,).

    Returns
    -------
    Tensor
        (n_samples, 1)
    """
    return -softmin(-h, log_weights, stiffness)


class SoftMaximum(SoftMin, of=soft_maximum):
    """`soft_maximum` with fixed weights."""


def pooled_maximum(h: Tensor, groups: int | Sequence[int], stiffness: float) -> Tensor:
    """The maximum over each of ``groups`` equal groups of columns, or of groups of these sizes.

    stiffness : β of the backward pass; ``inf`` follows the maximum alone (ties share equally).
    """
    return -pooled_minimum(-h, groups, stiffness)


class PooledMaximum(PooledMinimum, of=pooled_maximum):
    """`pooled_maximum` with a fixed stiffness."""

    def extra_repr(self) -> str:
        return super().extra_repr().replace("min", "max", 1)

    def relu(self, n_inputs: int) -> list[torch.nn.Module]:
        n_groups = self.groups if isinstance(self.groups, int) else len(self.groups)
        before, after = (plain_linear(-torch.eye(n)) for n in (n_inputs, n_groups))
        return [before, *super().relu(n_inputs), after]
