"""Networks whose outputs stand side by side: each of columns of its own, or all of the same columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from neon.nn.forms import relu, spelled_out
from neon.nn.layer import Layer
from neon.nn.linear.layers import plain_linear

__all__ = ["InParallel", "SideBySide"]


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
        branches = [spelled_out([one], size) for one, size in zip(self.branches, self.sizes, strict=True)]
        return [SideBySide(branches, self.sizes)]

    def relu(self, n_inputs: int) -> list[torch.nn.Module]:
        return _abreast(self.branches, self.sizes, torch.block_diag)


class InParallel(Layer):
    """Networks of the same columns; their outputs stand side by side."""

    def __init__(self, branches: Sequence[torch.nn.Module]) -> None:
        super().__init__()
        self.branches = torch.nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)

    def spelled_out(self, n_inputs: int) -> list[torch.nn.Module]:
        return [InParallel([spelled_out([branch], n_inputs) for branch in self.branches])]

    def relu(self, n_inputs: int) -> list[torch.nn.Module]:
        return _abreast(self.branches, [n_inputs] * len(self.branches), lambda *weights: torch.cat(weights))


def _abreast(
    branches: Iterable[torch.nn.Module], sizes: Iterable[int], first: Callable[..., Tensor]
) -> list[torch.nn.Module]:
    """Networks as one of `torch.nn.Linear` and `torch.nn.ReLU`; first : joins the weights of their first maps.

    What a network of fewer layers gives is handed on as ``a = ReLU(a) - ReLU(-a)``.
    """
    maps = [_maps(relu([branch], size), size) for branch, size in zip(branches, sizes, strict=True)]
    depth = max(map(len, maps))
    for own in maps:
        while len(own) < depth:
            weight, bias = own.pop()
            eye = torch.eye(len(weight)).to(weight)
            own.append((torch.cat([weight, -weight]), torch.cat([bias, -bias])))
            own.append((torch.cat([eye, -eye], 1), torch.zeros_like(bias)))
    found: list[torch.nn.Module] = []
    for level in zip(*maps, strict=True):
        weights, biases = zip(*level, strict=True)
        joined = torch.block_diag(*weights) if found else first(*weights)
        found += [plain_linear(joined, torch.cat(biases)), torch.nn.ReLU()]
    return found[:-1]


def _maps(layers: torch.nn.Sequential, n: int) -> list[tuple[Tensor, Tensor]]:
    """Weights and biases of the linear maps between which the ReLUs stand."""
    found = [_identity(n)]
    for layer in layers:
        weight, bias = found[-1]
        if isinstance(layer, torch.nn.Linear):
            found[-1] = layer.weight @ weight, layer(bias)
        else:
            found.append(_identity(len(weight)))
    return found


def _identity(n: int) -> tuple[Tensor, Tensor]:
    return torch.eye(n, dtype=torch.float64), torch.zeros(n, dtype=torch.float64)
