"""Kernels as expressions: sums, products and powers, brought to as few distances and functions of them as there are.

A function of a distance times or plus another function of the same distance is one function of it; a product of two
exponentials of squared distances is an exponential of the distance in the sum of their metrics. What remains are sums
and products of functions of different distances.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.gaussian_process import kernels
from torch import Tensor

from neon.errors import UnsupportedModelError
from neon.nn import Affine, Linear, ManhattanDistance, SquaredDistance
from neon.nn.distances.additive import AdditiveDistance, Chi2, Cosine
from neon.nn.forms import spelled_out
from neon.nn.kernels.elementwise import Elementwise
from neon.nn.kernels.functions import (
    Exponential,
    Function,
    Matern,
    Periodic,
    Polynomial,
    Power,
    Product,
    RationalQuadratic,
    Sigmoid,
    Sum,
)
from neon.nn.kernels.product import balanced_product
from neon.nn.layer import Layer

__all__ = [
    "Atom",
    "Combined",
    "Constant",
    "Expression",
    "expansion",
    "has_distance",
    "itself",
    "kernel_layers",
    "pairwise",
    "parse",
]


_ADDITIVE: dict[str, Any] = {"cosine": Cosine(), "chi2": Chi2()}


@dataclass(frozen=True)
class Constant:
    """A kernel that does not depend on its arguments."""

    value: float


@dataclass(frozen=True)
class Atom:
    """``function(t)``: t a distance or a "scalar" product.

    Distances are "squared" (of features times ``scale``), "manhattan", "cosine" or "chi2".
    """

    kind: str
    function: Function
    scale: tuple[float, ...] = ()


@dataclass(frozen=True)
class Combined:
    """The "sum" or "product" of parts, or a "power" of one."""

    how: str
    parts: tuple[Expression, ...]
    exponent: float = 1.0


Expression = Constant | Atom | Combined


def parse(kernel: Any) -> Expression:
    """A kernel of `sklearn.gaussian_process.kernels` between new rows and training rows, as an expression.

    Raises
    ------
    UnsupportedModelError
        For a kernel that is none of scikit-learn's, or a pairwise kernel that is no function of one distance.
    """
    if isinstance(kernel, kernels.Sum):
        return _add(parse(kernel.k1), parse(kernel.k2))
    if isinstance(kernel, kernels.Product):
        return _multiply(parse(kernel.k1), parse(kernel.k2))
    if isinstance(kernel, kernels.Exponentiation):
        return _power(parse(kernel.kernel), float(kernel.exponent))
    if isinstance(kernel, kernels.ConstantKernel):
        return Constant(float(kernel.constant_value))
    if isinstance(kernel, kernels.WhiteKernel):
        return Constant(0.0)  # noise of a row with itself: none between a new row and a training row
    if isinstance(kernel, kernels.Matern):
        if kernel.nu == np.inf:
            return _stationary(kernel.length_scale, lambda length: Exponential(0.5 / length**2))
        return _stationary(kernel.length_scale, lambda length: Matern(float(kernel.nu), length))
    if isinstance(kernel, kernels.RBF):
        return _stationary(kernel.length_scale, lambda length: Exponential(0.5 / length**2))
    if isinstance(kernel, kernels.RationalQuadratic):
        return Atom("squared", RationalQuadratic(float(kernel.alpha), float(kernel.length_scale)))
    if isinstance(kernel, kernels.ExpSineSquared):
        return Atom("squared", Periodic(float(kernel.periodicity), float(kernel.length_scale)))
    if isinstance(kernel, kernels.DotProduct):
        return Atom("scalar", Polynomial(1.0, float(kernel.sigma_0) ** 2, 1.0))
    if isinstance(kernel, kernels.PairwiseKernel):
        return pairwise(kernel.metric, kernel.gamma, **(kernel.pairwise_kernels_kwargs or {}))
    raise UnsupportedModelError(
        f"kernel {kernel!r}; supported are sums, products and powers of scikit-learn's RBF, Matern, RationalQuadratic, "
        "ExpSineSquared, DotProduct, ConstantKernel, WhiteKernel and PairwiseKernel"
    )


def pairwise(metric: Any, gamma: float, *, degree: float = 3, coef0: float = 1) -> Expression:
    """A kernel of `sklearn.metrics.pairwise`."""
    if metric == "linear":
        return Atom("scalar", Polynomial(1.0, 0.0, 1.0))
    if metric in ("poly", "polynomial"):
        return Atom("scalar", Polynomial(float(gamma), float(coef0), degree))
    if metric == "sigmoid":
        return Atom("scalar", Sigmoid(float(gamma), float(coef0)))
    if metric == "rbf":
        return Atom("squared", Exponential(float(gamma)))
    if metric == "laplacian":
        return Atom("manhattan", Exponential(float(gamma)))
    if metric == "cosine":
        return Atom("cosine", Polynomial(-1.0, 1.0, 1.0))
    if metric == "chi2":
        return Atom("chi2", Exponential(float(gamma)))
    if metric == "additive_chi2":
        return Atom("chi2", Polynomial(-1.0, 0.0, 1.0))
    raise UnsupportedModelError(
        f"kernel {metric!r} is no function of one distance or scalar product; supported are 'linear', 'rbf', 'poly', "
        "'sigmoid', 'laplacian', 'cosine', 'chi2' and 'additive_chi2'"
    )


def expansion(
    expression: Expression, points: np.ndarray, weight: np.ndarray, bias: np.ndarray | None
) -> list[torch.nn.Module]:
    """Layers from rows to ``W k(x) + b``, k the kernel values with the points: (n_samples, n_outputs).

    The two linear maps of a linear kernel are one.
    """
    if not len(points):  # a machine without support vectors is its intercept
        expression, points = Constant(0.0), np.zeros((1, points.shape[1]))
        weight = np.zeros((len(np.atleast_1d(bias if bias is not None else 0.0)), 1))
    layers, last = kernel_layers(expression, points), Linear(weight, bias)
    first = layers[0]
    if len(layers) == 1 and isinstance(first, Linear):
        shift = last.bias
        if first.bias is not None:
            shift = last.weight @ first.bias + (0.0 if shift is None else shift)
        return [Linear(last.weight @ first.weight, shift)]
    return [*layers, last]


def kernel_layers(expression: Expression, points: np.ndarray) -> list[torch.nn.Module]:
    """Layers from rows to kernel values with the points: (n_samples, n_features) -> (n_samples, n_points)."""
    if isinstance(expression, Constant):
        return [Linear(np.zeros((len(points), points.shape[1])), np.full(len(points), expression.value))]
    if isinstance(expression, Combined):
        branches = [torch.nn.Sequential(*kernel_layers(part, points)) for part in expression.parts]
        if expression.how == "power":
            return [*branches[0], Elementwise(Power(expression.exponent))]
        return [KernelSum(branches) if expression.how == "sum" else KernelProduct(branches)]
    function, layers = expression.function, list[torch.nn.Module]()
    if expression.kind == "scalar":
        if not isinstance(function, Polynomial | Sigmoid):
            return [Linear(points), Elementwise(function)]
        layers.append(Linear(function.scale * points, np.full(len(points), function.shift) if function.shift else None))
        if isinstance(function, Sigmoid):
            return [*layers, Elementwise(torch.tanh)]
        return layers if function.degree == 1 else [*layers, Elementwise(Power(function.degree))]
    if expression.scale:
        layers.append(Affine(np.array(expression.scale)))
        points = points * expression.scale
    if expression.kind == "squared":
        layers.append(SquaredDistance(points))
    elif expression.kind in _ADDITIVE:
        layers.append(AdditiveDistance(points, _ADDITIVE[expression.kind]))
    else:
        layers += [ManhattanDistance(points)]
    if isinstance(function, Exponential):
        layers += [Affine(-function.rate), Elementwise(torch.exp)]
        return layers if function.factor == 1 else [*layers, Affine(function.factor)]
    return [*layers, Elementwise(function)]


class KernelSum(Layer):
    """The sum of kernels that read the same rows."""

    def __init__(self, branches: list[torch.nn.Sequential]) -> None:
        super().__init__()
        self.branches = torch.nn.ModuleList(branches)

    def spelled_out(self, n_inputs: int) -> list[torch.nn.Module]:
        return [type(self)([spelled_out([branch], n_inputs) for branch in self.branches])]

    def forward(self, x: Tensor) -> Tensor:
        first, *others = self.branches
        total: Tensor = first(x)
        for branch in others:
            total = total + branch(x)
        return total


class KernelProduct(KernelSum):
    """The product of kernels that read the same rows."""

    def forward(self, x: Tensor) -> Tensor:
        first, *others = self.branches
        product: Tensor = first(x)
        for branch in others:
            product = balanced_product(product, branch(x))
        return product


def has_distance(expression: Expression) -> bool:
    """Whether a distance is in it: its natural reference is the distribution of the points, not the origin."""
    if isinstance(expression, Combined):
        return any(has_distance(part) for part in expression.parts)
    return isinstance(expression, Atom) and expression.kind != "scalar"


def itself(kernel: Any) -> Expression:
    """``k(x, x)``, noise included, as a kernel of x and the origin: scalar products are squared distances to it."""
    if isinstance(kernel, kernels.Sum):
        return _add(itself(kernel.k1), itself(kernel.k2))
    if isinstance(kernel, kernels.Product):
        return _multiply(itself(kernel.k1), itself(kernel.k2))
    if isinstance(kernel, kernels.Exponentiation):
        return _power(itself(kernel.kernel), float(kernel.exponent))
    expression = parse(kernel)
    if isinstance(expression, Atom) and expression.kind == "scalar":
        return Atom("squared", expression.function)
    return Constant(float(kernel.diag(np.ones((1, 1)))[0]))  # the same at any x


def _stationary(length_scale: Any, function: Any) -> Atom:
    lengths = np.atleast_1d(np.asarray(length_scale, dtype=np.float64))
    if np.all(lengths == lengths[0]):
        return Atom("squared", function(float(lengths[0])))
    return Atom("squared", function(1.0), tuple((1 / lengths).tolist()))


def _add(a: Expression, b: Expression) -> Expression:
    if isinstance(a, Constant):
        a, b = b, a
    if isinstance(b, Constant):
        if isinstance(a, Constant):
            return Constant(a.value + b.value)
        if b.value == 0:
            return a
        if isinstance(a, Atom):
            return Atom(a.kind, Sum((a.function,), b.value), a.scale)
    return _merged("sum", a, b, lambda f, g: _one_atom(f, g, Sum))


def _merged(how: str, a: Expression, b: Expression, one: Callable[[Expression, Expression], Atom | None]) -> Expression:
    """The sum or product of the parts of both, any two of them as one where there is such a one."""
    parts: list[Expression] = []
    for whole in (a, b):
        for part in whole.parts if isinstance(whole, Combined) and whole.how == how else (whole,):
            for i, known in enumerate(parts):
                merged = one(known, part)
                if merged is not None:
                    parts[i] = merged
                    break
            else:
                parts.append(part)
    return parts[0] if len(parts) == 1 else Combined(how, tuple(parts))


def _multiply(a: Expression, b: Expression) -> Expression:
    if isinstance(a, Constant):
        a, b = b, a
    if isinstance(b, Constant):
        return _scaled(a, b.value)
    return _merged(
        "product", a, b, lambda known, part: _one_exponential(known, part) or _one_atom(known, part, Product)
    )


def _scaled(a: Expression, factor: float) -> Expression:
    if factor == 0:
        return Constant(0.0)
    if factor == 1:
        return a
    if isinstance(a, Constant):
        return Constant(a.value * factor)
    if isinstance(a, Atom):
        if isinstance(a.function, Exponential):
            return Atom(a.kind, Exponential(a.function.rate, a.function.factor * factor), a.scale)
        return Atom(a.kind, Product((a.function,), factor), a.scale)
    if a.how == "sum":
        return Combined("sum", tuple(_scaled(part, factor) for part in a.parts))
    if a.how == "product":
        return Combined("product", (_scaled(a.parts[0], factor), *a.parts[1:]))
    return Combined("product", (a, Constant(factor)))


def _power(a: Expression, exponent: float) -> Expression:
    if isinstance(a, Constant):
        return Constant(a.value**exponent)
    if isinstance(a, Atom):
        function = a.function
        if isinstance(function, Exponential):
            return Atom(a.kind, Exponential(function.rate * exponent, function.factor**exponent), a.scale)
        if isinstance(function, Polynomial) and function.degree == 1:
            return Atom(a.kind, Polynomial(function.scale, function.shift, exponent), a.scale)
        return Atom(a.kind, Power(exponent, function), a.scale)
    return Combined("power", (a,), exponent)


def _one_atom(a: Expression, b: Expression, combine: Any) -> Atom | None:
    """Two functions of the same distance as one."""
    if isinstance(a, Atom) and isinstance(b, Atom) and (a.kind, a.scale) == (b.kind, b.scale):
        return Atom(a.kind, combine((a.function, b.function)), a.scale)
    return None


def _one_exponential(a: Expression, b: Expression) -> Atom | None:
    """``exp(-r D) exp(-s E) = exp(-F)``, F the squared distance in the metric ``r D + s E``."""
    if not (isinstance(a, Atom) and isinstance(b, Atom) and a.kind == b.kind):
        return None
    f, g = a.function, b.function
    if not (isinstance(f, Exponential) and isinstance(g, Exponential)):
        return None
    factor = f.factor * g.factor
    if a.scale == b.scale:
        return Atom(a.kind, Exponential(f.rate + g.rate, factor), a.scale)
    if a.kind != "squared":
        return None
    squares = f.rate * np.square(a.scale or 1.0) + g.rate * np.square(b.scale or 1.0)
    return Atom("squared", Exponential(1.0, factor), tuple(np.sqrt(squares).tolist()))
