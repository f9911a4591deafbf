"""Minima over groups of unequal sizes, out of the layers for equal ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch

from neon.nn.linear.side_by_side import SideBySide
from neon.nn.pooling.minimum import PooledMinimum, relu_group_minimum

__all__ = ["group_minimum"]


def group_minimum(sizes: Sequence[int], stiffness: float, *, gated: bool = False) -> list[torch.nn.Module]:
    """The minimum over each of several groups of neighbouring columns: (n, Σ sizes) -> (n, n_groups).

    stiffness, gated : as in `PooledMinimum`.
    """
    sizes = [int(size) for size in sizes]
    if max(sizes) == 1:
        return []
    if len(set(sizes)) == 1:
        return [PooledMinimum(len(sizes), stiffness, gated=gated)]
    if len(sizes) * max(sizes) <= 2 * sum(sizes):  # filling up small groups costs less than a layer for each
        return [PooledMinimum(sizes, stiffness, gated=gated)]
    return [GroupMinima([PooledMinimum(1, stiffness, gated=gated) for _ in sizes], sizes)]


class GroupMinima(SideBySide):
    """Minima over groups of very unequal sizes, a layer for each."""

    def relu(self, n_inputs: int) -> list[torch.nn.Module]:
        return relu_group_minimum(self.sizes)

    def of_common(self) -> Literal["seen", "kept", "dropped"]:
        return "kept"
