"""Networks that each read some of the columns."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from neon.nn.forms import spelled_out
from neon.nn.layer import Layer

__all__ = ["SideBySide"]


class SideBySide(Layer):
    """Networks of neighbouring columns; their outputs stand side by side.

    Parameters
    ----------
    branches : sequence of Module
    sizes : sequence of int
        How many columns each branch reads.
    """

    def __init__(self, branches: Sequence[torch.nn.Module], sizes: Sequence[int]) -> None:
        super().__init__()
        self.branches = torch.nn.ModuleList(branches)
        self.sizes = list(sizes)

    def forward(self, x: Tensor) -> Tensor:
        parts = torch.split(x, self.sizes, dim=1)
        return torch.cat([branch(part) for branch, part in zip(self.branches, parts, strict=True)], dim=1)

    def spelled_out(self, n_inputs: int) -> list[torch.nn.Module]:
        branches = zip(self.branches, self.sizes, strict=True)
        return [SideBySide([spelled_out([branch], size) for branch, size in branches], self.sizes)]
