"""Powers: the elementwise function of polynomial kernels."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Power"]


class Power(torch.nn.Module):
    """``x ** exponent``, elementwise."""

    def __init__(self, exponent: float) -> None:
        super().__init__()
        self.exponent = exponent

    def forward(self, x: Tensor) -> Tensor:
        return torch.pow(x, self.exponent)

    def extra_repr(self) -> str:
        return f"x^{self.exponent}"
