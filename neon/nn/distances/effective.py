"""Effective distances: a density kernel seen as the distance whose exponential it is, ``-log K(t)``."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.operations.elementwise import ElementwiseTreatment
from neon.lrp.rules import Rule
from neon.nn.layer import Layer, operation
from neon.nn.neighbors.search import Neighborhood
from neon.nn.shapley.exponential import scales

__all__ = ["EffectiveDistance", "Within", "effective_distance", "within"]

_KERNELS = ("gaussian", "exponential", "epanechnikov", "linear", "cosine")


@operation
def effective_distance(t: Tensor, kernel: str, root: float = 0.5) -> Tensor:
    """``-log K(r)``, r = ``t ** root`` a distance in units of the bandwidth; ≥ 0, 0 at the center, rising with t.

    Kernels of compact support give ∞ outside it, at ``r ≥ 1``. (For tophat see `Within`.)
    """
    square = t if root == 0.5 else t ** (2 * root)
    if kernel == "gaussian":
        return square / 2
    r = t.sqrt() if root == 0.5 else t**root
    if kernel == "exponential":
        return r
    if kernel == "epanechnikov":
        k = 1 - square
    elif kernel == "linear":
        k = 1 - r
    elif kernel == "cosine":
        k = torch.cos(r * (math.pi / 2)).masked_fill(r >= 1, 0.0)
    else:
        raise ValueError(f"unknown kernel {kernel!r}; expected one of {_KERNELS}")
    return -torch.log(k.clamp(min=0))


class EffectiveDistance(Layer, of=effective_distance):
    """`effective_distance` of one kernel and bandwidth; root : takes what it reads to distances."""

    kernel: str
    root: float

    def __init__(self, kernel: str, bandwidth: float, root: float = 0.5) -> None:
        super().__init__(kernel, root)
        self.bandwidth = bandwidth

    def forward(self, d: Tensor) -> Tensor:
        return super().forward(d / self.bandwidth ** (1 / self.root))

    def extra_repr(self) -> str:
        return f"-log {self.kernel} kernel, bandwidth={self.bandwidth:.4g}"


@operation
def within(d: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """0 for neighbours and ∞ for all others, whose distances are d; index, weights : see `neighbors_of`."""
    rows, slots = (index >= 0).nonzero(as_tuple=True)
    return torch.full_like(d, torch.inf).index_put((rows, index[rows, slots].long()), d.new_zeros(()))


class Within(Neighborhood, of=within):
    """`within` of fixed points: the effective distance of a tophat kernel."""


class _Within(Treatment):
    """The relevance of a 0 is that of the distance which makes it one."""

    nonnegative = True

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> tuple[Message | None, ...]:
        return (Message.of_relevance(message.relevance), None, None)


treat(effective_distance, by=ElementwiseTreatment(nonnegative=True))
treat(within, by=_Within())
scales(effective_distance, lambda t, kernel, root=0.5: 0.5 if (kernel, root) == ("gaussian", 0.5) else None)
