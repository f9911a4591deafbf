"""Minima over groups of unequal sizes, out of the layers for equal ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from neon.nn.linear.layers import plain_linear
from neon.nn.linear.side_by_side import SideBySide
from neon.nn.pooling.minimum import PooledMinimum, relu_minimum

__all__ = ["group_minimum", "relu_group_minimum"]


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
    return [SideBySide([PooledMinimum(1, stiffness, gated=gated) for _ in sizes], sizes)]


def relu_group_minimum(sizes: Sequence[int]) -> list[torch.nn.Module]:
    """The same with `torch.nn.Linear` and `torch.nn.ReLU` only: smaller groups repeat their first column."""
    size, starts = max(sizes), np.cumsum([0, *sizes[:-1]])
    if size == 1:
        return []
    chosen = [start + (i if i < own else 0) for start, own in zip(starts, sizes, strict=True) for i in range(size)]
    return [plain_linear(np.eye(sum(sizes))[chosen]), *relu_minimum(len(sizes), size)]
