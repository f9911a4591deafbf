"""Linear and elementwise layers with fixed weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor

from neon.nn.layer import Layer, fixed

__all__ = ["Affine", "Linear", "Selection", "TwoClass", "plain_linear", "preimage"]

_REDUNDANT = torch.finfo(torch.float64).eps ** 0.5


def preimage(weight: Tensor, target: Tensor) -> Tensor:
    """The shortest x with ``W x = t``, or where there is none with the least ``‖W x - t‖``.

    Directions that are in W by rounding alone lead nowhere: what is left of a row that repeats others has a singular
    value of some ε, and the way along it would be 1 / ε long. Here they end at √ε of the largest, where the error of
    leaving one out is as large as that of taking it. Rows of different scales (a whitened PCA) are no such directions:
    where a solution exists, they are first brought to one length, which leaves it as it is.

    Parameters
    ----------
    weight : (n_outputs, n_inputs)
    target : (n_targets, n_outputs)

    Returns
    -------
    Tensor
        (n_targets, n_inputs)
    """
    length = torch.linalg.vector_norm(weight, dim=1)
    length = torch.where(length > 0, length, 1.0)
    rows, scaled = weight / length[:, None], target / length
    x = scaled @ torch.linalg.pinv(rows, rtol=_REDUNDANT).T
    missed = torch.linalg.vector_norm(x @ rows.T - scaled, dim=1)
    if bool((missed <= 1e-10 * torch.linalg.vector_norm(scaled, dim=1)).all()):
        return x
    return target @ torch.linalg.pinv(weight, rtol=_REDUNDANT).T


def affine(x: Tensor, scale: Tensor, shift: Tensor | None = None) -> Tensor:
    """``x * scale + shift``, elementwise; scale and shift : () or (n_features,)."""
    x = x * scale
    return x if shift is None else x + shift


class Affine(Layer, of=affine):
    """`affine` with fixed numbers."""

    scale: Tensor
    shift: Tensor | None

    def extra_repr(self) -> str:
        return f"shift={self.shift is not None}"

    def relu(self, n_inputs: int) -> list[torch.nn.Module]:
        shift = None if self.shift is None else self.shift.expand(n_inputs)
        return [plain_linear(torch.diag(self.scale.expand(n_inputs)), shift)]

    def of_common(self) -> Literal["seen", "kept", "dropped"]:
        return "kept" if bool((self.scale == self.scale.flatten()[0]).all()) else "seen"


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x Wᵀ + b``; weight : (n_outputs, n_inputs), bias : (n_outputs,)."""
    return F.linear(x, weight, bias)


class Linear(Layer, of=linear):
    """`linear` with fixed weights."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, weight: ArrayLike | Tensor, bias: ArrayLike | Tensor | None = None) -> None:
        super().__init__(torch.atleast_2d(fixed(weight)), None if bias is None else torch.atleast_1d(fixed(bias)))

    def extra_repr(self) -> str:
        return f"{self.weight.shape[1]} → {self.weight.shape[0]}, bias={self.bias is not None}"

    def relu(self, n_inputs: int) -> list[torch.nn.Module]:
        return [plain_linear(self.weight, self.bias)]

    def of_common(self) -> Literal["seen", "kept", "dropped"]:
        return "dropped" if bool((self.weight.sum(1) == 0).all()) else "seen"


class Selection(Layer):
    """Some of the columns; index : (n_columns,)."""

    index: Tensor

    def __init__(self, index: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("index", torch.as_tensor(list(index), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        return x.index_select(1, self.index)

    def extra_repr(self) -> str:
        return f"{len(self.index)} columns"

    def relu(self, n_inputs: int) -> list[torch.nn.Module]:
        return [plain_linear(torch.eye(n_inputs)[self.index])]


def plain_linear(weight: ArrayLike | Tensor, bias: ArrayLike | Tensor | None = None) -> torch.nn.Linear:
    """A `torch.nn.Linear` with these weights, in float64 and without gradients: the relu form's one building block."""
    matrix = torch.atleast_2d(fixed(weight))
    layer = torch.nn.Linear(matrix.shape[1], matrix.shape[0], bias=bias is not None, dtype=torch.float64)
    layer.requires_grad_(False).weight.copy_(matrix)
    if bias is not None:
        layer.bias.copy_(fixed(bias))
    return layer


class TwoClass(Layer):
    """The two classes of a binary score f: ``(n, 1) → (n, 2) = [-f, f]``."""

    signs: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("signs", torch.tensor([-1.0, 1.0], dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.signs

    def relu(self, n_inputs: int) -> list[torch.nn.Module]:
        return [plain_linear(self.signs[:, None])]
