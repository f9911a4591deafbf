"""Kernel functions of a distance or a scalar product, elementwise: what Gaussian processes and kernel machines use."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from scipy.special import kv
from torch import Tensor

__all__ = [
    "Exponential",
    "Function",
    "Matern",
    "Periodic",
    "Polynomial",
    "Power",
    "Product",
    "RationalQuadratic",
    "Sigmoid",
    "Sum",
]


class Function:
    """A function of each element alone, comparable and printable."""

    def __call__(self, t: Tensor) -> Tensor:
        raise NotImplementedError


@dataclass(frozen=True)
class Exponential(Function):
    """``c exp(-r t)``."""

    rate: float
    factor: float = 1.0

    def __call__(self, t: Tensor) -> Tensor:
        return self.factor * torch.exp(-self.rate * t)


@dataclass(frozen=True)
class RationalQuadratic(Function):
    """``(1 + t / (2 α l²))^-α`` of a squared distance t."""

    alpha: float
    length: float

    def __call__(self, t: Tensor) -> Tensor:
        return (1 + t / (2 * self.alpha * self.length**2)) ** -self.alpha


@dataclass(frozen=True)
class Periodic(Function):
    """``exp(-2 sin²(π √t / p) / l²)`` of a squared distance t."""

    period: float
    length: float

    def __call__(self, t: Tensor) -> Tensor:
        return torch.exp(-2 * (torch.sin(math.pi / self.period * t.sqrt()) / self.length) ** 2)


@dataclass(frozen=True)
class Matern(Function):
    """``2^(1-ν) / Γ(ν) z^ν K_ν(z)``, ``z = √(2 ν t) / l`` of a squared distance t; 1 at 0."""

    nu: float
    length: float

    def __call__(self, t: Tensor) -> Tensor:
        r = t.sqrt() / self.length
        if self.nu == 0.5:
            return torch.exp(-r)
        if self.nu == 1.5:
            z = math.sqrt(3) * r
            return (1 + z) * torch.exp(-z)
        if self.nu == 2.5:
            z = math.sqrt(5) * r
            return (1 + z + z**2 / 3) * torch.exp(-z)
        z = math.sqrt(2 * self.nu) * r.clamp(min=torch.finfo(t.dtype).eps)  # as scikit-learn moves zeros
        return 2 ** (1 - self.nu) / math.gamma(self.nu) * z**self.nu * _Bessel.apply(z, self.nu)


class _Bessel(torch.autograd.Function):
    """The modified Bessel function of the second kind, ``K_ν``; ``K_ν' = -(K_ν-1 + K_ν+1) / 2``."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, nu: float) -> Tensor:
        ctx.save_for_backward(z)
        ctx.nu = nu
        return _bessel(nu, z)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (z,) = ctx.saved_tensors
        return gradient * (_bessel(ctx.nu - 1, z) + _bessel(ctx.nu + 1, z)) / -2, None


def _bessel(nu: float, z: Tensor) -> Tensor:
    return torch.as_tensor(kv(nu, z.detach().cpu().double().numpy())).to(z)


@dataclass(frozen=True)
class Polynomial(Function):
    """``(a t + c)^n`` of a scalar product t."""

    scale: float
    shift: float
    degree: float

    def __call__(self, t: Tensor) -> Tensor:
        base = self.scale * t + self.shift
        return base if self.degree == 1 else base**self.degree


@dataclass(frozen=True)
class Sigmoid(Function):
    """``tanh(a t + c)`` of a scalar product t."""

    scale: float
    shift: float

    def __call__(self, t: Tensor) -> Tensor:
        return torch.tanh(self.scale * t + self.shift)


@dataclass(frozen=True)
class Sum(Function):
    """``Σ f(t) + c``."""

    functions: tuple[Function, ...]
    constant: float = 0.0

    def __call__(self, t: Tensor) -> Tensor:
        total = self.functions[0](t)
        for function in self.functions[1:]:
            total = total + function(t)
        return total + self.constant


@dataclass(frozen=True)
class Product(Function):
    """``c Π f(t)``."""

    functions: tuple[Function, ...]
    factor: float = 1.0

    def __call__(self, t: Tensor) -> Tensor:
        product = self.functions[0](t)
        for function in self.functions[1:]:
            product = product * function(t)
        return product * self.factor


@dataclass(frozen=True)
class Power(Function):
    """``f(t)^n``; ``t^n`` without f."""

    exponent: float
    function: Function | None = None

    def __call__(self, t: Tensor) -> Tensor:
        return (t if self.function is None else self.function(t)) ** self.exponent
