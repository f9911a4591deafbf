"""Machines that each tell two classes apart, and what they say of every class against every other."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor

from neon.nn.layer import Layer
from neon.nn.linear.layers import affine, plain_linear

__all__ = ["Rivals", "rivals"]


def rivals(n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """For each class and each of its rivals, which machine decides, and its sign.

    The machine of (i, j), i < j, is above 0 where j wins.
    """
    index = {pair: number for number, pair in enumerate(itertools.combinations(range(n_classes), 2))}
    pairs = list(itertools.permutations(range(n_classes), 2))
    columns = np.array([index[min(c, k), max(c, k)] for c, k in pairs], dtype=np.int64)
    return columns, np.array([-1.0 if c < k else 1.0 for c, k in pairs])


class Rivals(Layer):
    """Scores of each class against its rivals, out of those of one machine for each pair of classes.

    ``f_ij`` where the machine of (i, j) is above ``shift`` for j, of i < j: ``(n, C (C - 1) / 2) → (n, C (C - 1))``,
    grouped by class. Not a `Linear`: as a matrix of C⁴ numbers, many classes do not fit into memory.
    """

    columns: Tensor
    signs: Tensor
    shifts: Tensor | None

    def __init__(self, n_classes: int, shift: float = 0.0) -> None:
        super().__init__()
        columns, signs = rivals(n_classes)
        self.n_classes = n_classes
        self.register_buffer("columns", torch.as_tensor(columns))
        self.register_buffer("signs", torch.as_tensor(signs))
        self.register_buffer("shifts", torch.as_tensor(-shift * signs) if shift else None)

    def forward(self, x: Tensor) -> Tensor:
        return affine(x.index_select(1, self.columns), self.signs, self.shifts)

    def extra_repr(self) -> str:
        return f"{self.n_classes} classes"

    def relu(self, n_inputs: int) -> list[torch.nn.Module]:
        versus = torch.eye(n_inputs, dtype=torch.float64)[self.columns] * self.signs[:, None]
        return [plain_linear(versus, self.shifts)]
