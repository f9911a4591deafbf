"""Scalings and linear maps, in a row or side by side, as a single one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import torch

from neon.nn import Affine, Linear, SideBySide

__all__ = ["as_linear", "merged"]

MERGED = 10**7  # entries of a matrix, above which linear maps stand side by side


def merged(branches: Sequence[torch.nn.Sequential], sizes: Sequence[int]) -> torch.nn.Sequential:
    """Branches of scalings become one scaling, branches of linear maps one linear map; else they run side by side."""
    kinds = {type(layer) for branch in branches for layer in branch}
    if kinds == {Affine}:
        maps = [_scaling(branch, size) for branch, size in zip(branches, sizes, strict=True)]
        return torch.nn.Sequential(Affine(torch.cat([s for s, _ in maps]), torch.cat([t for _, t in maps])))
    if kinds <= {Affine, Linear, torch.nn.Linear} and sum(sizes) ** 2 <= MERGED:
        maps = [as_linear(branch, size) for branch, size in zip(branches, sizes, strict=True)]
        weight, bias = torch.block_diag(*(weight for weight, _ in maps)), torch.cat([bias for _, bias in maps])
        return torch.nn.Sequential(Linear(weight, bias))
    return torch.nn.Sequential(SideBySide(branches, sizes))


def _scaling(layers: Iterable[torch.nn.Module], size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Scalings in a row as one: scale and shift."""
    scale, shift = torch.ones(size, dtype=torch.float64), torch.zeros(size, dtype=torch.float64)
    for layer in layers:
        assert isinstance(layer, Affine)
        scale, shift = scale * layer.scale, shift * layer.scale + (0.0 if layer.shift is None else layer.shift)
    return scale, shift


def as_linear(layers: torch.nn.Sequential, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Scalings and linear maps in a row as one linear map: weight and bias."""
    scalings = list(itertools.takewhile(lambda layer: isinstance(layer, Affine), layers))
    scale, bias = _scaling(scalings, size)
    weight = None  # until there is a matrix: a square one of all columns, such as those of texts, may not fit memory
    for layer in list(layers)[len(scalings) :]:
        if isinstance(layer, Affine):
            assert weight is not None
            weight, bias = layer.scale.expand(len(bias))[:, None] * weight, layer.scale * bias
            bias = bias if layer.shift is None else bias + layer.shift
        else:
            assert isinstance(layer, Linear | torch.nn.Linear)
            weight, bias = layer.weight * scale if weight is None else layer.weight @ weight, layer.weight @ bias
            bias = bias if layer.bias is None else bias + layer.bias
    return torch.diag(scale) if weight is None else weight, bias
