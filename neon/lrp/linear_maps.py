"""Linear maps ``z_k = Σ_i x_i w_ik + b_k`` as the rules see them: a forward pass, its transpose, modifiable weights.

A map offers ``forward`` and ``vjp``; every rule in `neon.lrp.rules` is written with these two alone.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "AffineMap",
    "Bilinear",
    "Convolution",
    "Dense",
    "Dot",
    "Fixed",
    "LeftMatmul",
    "LinearMap",
    "Signed",
    "Uniform",
]

Transform = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class LinearMap(abc.ABC):
    """A linear map without its bias; ``bias`` stands beside it and broadcasts to the output."""

    weight: Tensor
    bias: Tensor | None = None

    @abc.abstractmethod
    def forward(self, *inputs: Tensor) -> Tensor:
        """``Σ_i x_i w_ik``, without the bias."""

    @abc.abstractmethod
    def vjp(self, s: Tensor) -> tuple[Tensor, ...]:
        """``Σ_k w_ik s_k``, one tensor for each input."""

    def slopes(self, s: Tensor) -> tuple[Tensor, ...]:
        """As `vjp`, but the tensors may share memory, with each other and with s."""
        return self.vjp(s)

    def modified(self, transform: Transform) -> LinearMap:
        """The same map with weights ``ρ(w)`` and bias ``ρ(b)``."""
        return dataclasses.replace(
            self, weight=transform(self.weight), bias=None if self.bias is None else transform(self.bias)
        )


@dataclass(frozen=True, eq=False)
class Dense(LinearMap):
    """``x Wᵀ``; weight : (n_outputs, n_inputs)."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return F.linear(inputs[0], self.weight)

    def vjp(self, s: Tensor) -> tuple[Tensor, ...]:
        return (s @ self.weight,)


@dataclass(frozen=True, eq=False)
class Dot(LinearMap):
    """``x · v``, which drops the last axis; weight : (n_inputs,)."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0] @ self.weight

    def vjp(self, s: Tensor) -> tuple[Tensor, ...]:
        return (s.unsqueeze(-1) * self.weight,)


@dataclass(frozen=True, eq=False)
class LeftMatmul(LinearMap):
    """``A x`` with a constant A (an adjacency matrix, a mixing over positions); weight : (..., m, n)."""

    shape: torch.Size = torch.Size()

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.weight @ inputs[0]

    def vjp(self, s: Tensor) -> tuple[Tensor, ...]:
        return ((self.weight.mT @ s).sum_to_size(self.shape),)

    def modified(self, transform: Transform) -> LinearMap:
        if not self.weight.is_sparse:
            return super().modified(transform)
        a = self.weight.coalesce()
        weight = torch.sparse_coo_tensor(
            a.indices(), transform(a.values()), a.shape, is_coalesced=True, check_invariants=False
        )
        return dataclasses.replace(self, weight=weight)


@dataclass(frozen=True, eq=False)
class Bilinear(LinearMap):
    """``function(x, w)`` that is linear in x and in a constant w: ``einsum``, batched products."""

    function: Callable[[Tensor, Tensor], Tensor] = torch.mul
    like: Tensor = dataclasses.field(default_factory=lambda: torch.zeros(()))

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(inputs[0], self.weight)

    def vjp(self, s: Tensor) -> tuple[Tensor, ...]:
        return transpose(lambda x: self.function(x, self.weight), s, self.like)


@dataclass(frozen=True, eq=False)
class Convolution(LinearMap):
    """Convolutions and transposed convolutions in 1-3 dimensions."""

    shape: torch.Size = torch.Size()
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    transposed: bool = False
    output_padding: tuple[int, ...] = ()
    groups: int = 1

    @property
    def _geometry(self) -> tuple[object, ...]:
        return (self.stride, self.padding, self.dilation, self.transposed, self.output_padding, self.groups)

    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.ops.aten.convolution(inputs[0], self.weight, None, *self._geometry)

    def vjp(self, s: Tensor) -> tuple[Tensor, ...]:
        # The input's values do not enter its own gradient; only its shape is read.
        blank = s.new_empty(1).expand(s.shape[0], *self.shape[1:])
        mask = [True, False, False]
        return torch.ops.aten.convolution_backward(s, blank, self.weight, None, *self._geometry, mask)[:1]


@dataclass(frozen=True, eq=False)
class AffineMap(LinearMap):
    """Elementwise ``x * scale``; weight broadcasts against the input of the given shape."""

    shape: torch.Size = torch.Size()

    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0] * self.weight

    def vjp(self, s: Tensor) -> tuple[Tensor, ...]:
        return ((s * self.weight).sum_to_size(self.shape),)


@dataclass(frozen=True, eq=False)
class Signed(LinearMap):
    """``Σ_t w_t x_t`` of several inputs: addition and subtraction; weight : (n_inputs,).

    plain : whether all weights are 1 and no input is broadcast.
    """

    shapes: tuple[torch.Size, ...] = ()
    plain: bool = False

    def forward(self, *inputs: Tensor) -> Tensor:
        first, *others = (x * w for x, w in zip(inputs, self.weight.unbind(), strict=True))
        for other in others:
            first = first + other
        return first

    def slopes(self, s: Tensor) -> tuple[Tensor, ...]:
        return (s,) * len(self.shapes) if self.plain else self.vjp(s)

    def modified(self, transform: Transform) -> LinearMap:
        return dataclasses.replace(self, weight=transform(self.weight), plain=False)

    def vjp(self, s: Tensor) -> tuple[Tensor, ...]:
        pairs = zip(self.weight.unbind(), self.shapes, strict=True)
        return tuple((s * w).sum_to_size(shape) for w, shape in pairs)


@dataclass(frozen=True, eq=False)
class Uniform(LinearMap):
    """A map whose non-zero weights are all equal: average pooling, mean, sum; weight : ().

    ``function`` computes it with the weight that it was recorded with (``unit``).
    """

    function: Callable[[Tensor], Tensor] = torch.sum
    unit: Tensor = dataclasses.field(default_factory=lambda: torch.ones(()))
    like: Tensor = dataclasses.field(default_factory=lambda: torch.zeros(()))

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(inputs[0]) * (self.weight / self.unit)

    def vjp(self, s: Tensor) -> tuple[Tensor, ...]:
        return transpose(self.function, s * (self.weight / self.unit), self.like)


@dataclass(frozen=True, eq=False)
class Fixed(LinearMap):
    """A linear torch function of one or several inputs without weights of its own: interpolation, cumulative sums.

    weight : (), a factor.
    nonnegative : whether all its coefficients are ≥ 0, so that a rule may scale or drop them by sign.
    """

    function: Callable[..., Tensor] = torch.sum
    likes: tuple[Tensor, ...] = ()
    nonnegative: bool = True

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*inputs) * self.weight

    def vjp(self, s: Tensor) -> tuple[Tensor, ...]:
        return transpose(self.function, s * self.weight, *self.likes)

    def modified(self, transform: Transform) -> LinearMap:
        _require_scaling(transform, self.weight, self.nonnegative)
        return super().modified(transform)


def _require_scaling(transform: Transform, weight: Tensor, nonnegative: bool) -> None:
    one, two = transform(torch.ones_like(weight)), transform(2 * torch.ones_like(weight))
    if not nonnegative or not torch.equal(two, 2 * one):
        raise TypeError("the coefficients of this function cannot be modified; give it Epsilon() or Zero()")


def transpose(function: Callable[..., Tensor], s: Tensor, *likes: Tensor) -> tuple[Tensor, ...]:
    """Apply the transpose of a linear torch function by reverse-mode differentiation.

    likes : tensors with the shapes, strides and dtypes of the inputs; their values are not used.
    """
    with torch.enable_grad():
        probes = [like.detach().requires_grad_() for like in likes]
        output = function(*probes)
    return torch.autograd.grad(output, probes, s)
