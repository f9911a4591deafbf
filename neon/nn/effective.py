"""Effective distances: a density kernel seen as the distance whose exponential it is, ``-log K(t)``."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from neon.lrp.operations import treat
from neon.lrp.operations.elementwise import Elementwise

__all__ = ["EffectiveDistance", "effective_distance"]

_KERNELS = ("gaussian", "exponential", "epanechnikov", "tophat", "linear", "cosine")


def effective_distance(t: Tensor, kernel: str) -> Tensor:
    """``-log K`` of a squared distance t in units of the squared bandwidth; ≥ 0, 0 at the center, rising with t.

    Kernels of compact support give ∞ outside it (for tophat at ``t > 1``, for the others at ``t ≥ 1``).
    """
    if has_torch_function((t,)):
        return handle_torch_function(effective_distance, (t,), t, kernel)
    if kernel == "gaussian":
        return t / 2
    r = t.sqrt()
    if kernel == "exponential":
        return r
    if kernel == "tophat":
        return torch.where(r <= 1, 0.0, torch.inf).to(t.dtype)
    if kernel == "epanechnikov":
        k = 1 - t
    elif kernel == "linear":
        k = 1 - r
    elif kernel == "cosine":
        k = torch.cos(r * (math.pi / 2)).masked_fill(r >= 1, 0.0)
    else:
        raise ValueError(f"unknown kernel {kernel!r}; expected one of {_KERNELS}")
    return -torch.log(k.clamp(min=0))


class EffectiveDistance(torch.nn.Module):
    """`effective_distance` of one kernel and bandwidth."""

    def __init__(self, kernel: str, bandwidth: float) -> None:
        super().__init__()
        self.kernel, self.bandwidth = kernel, bandwidth

    def forward(self, d: Tensor) -> Tensor:
        return effective_distance(d / self.bandwidth**2, self.kernel)

    def extra_repr(self) -> str:
        return f"-log {self.kernel} kernel, bandwidth={self.bandwidth:.4g}"


treat(effective_distance, by=Elementwise(nonnegative=True))
