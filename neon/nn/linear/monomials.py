"""Monomials, and how their relevance is shared by exponents."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from neon.lrp.message import Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.paths.mean_slopes import legendre
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import Layer, operation

__all__ = ["Monomials", "integrated", "monomials"]


@operation
def monomials(x: Tensor, factors: Tensor) -> Tensor:
    """``φ_j = Π_k x_{factors[j, k]}``.

    Parameters
    ----------
    x : (n_samples, n_features)
    factors : Tensor of int (n_monomials, degree)
        The features that each monomial multiplies, one as often as its exponent says; n_features stands for 1.

    Returns
    -------
    Tensor
        (n_samples, n_monomials)
    """
    padded = torch.cat([x.T, x.new_ones(1, len(x))])  # a feature a row: rows are gathered faster than columns
    first, *others = factors.T
    product = padded[first]
    for column in others:
        product = product * padded[column]
    return product.T


class Monomials(Layer, of=monomials):
    """`monomials` with fixed exponents, ndarray of int (n_monomials, n_features)."""

    no_relu = "products of features are not piecewise linear"
    index_names = ("factors",)
    factors: Tensor

    def __init__(self, exponents: ArrayLike) -> None:
        powers = np.asarray(exponents, dtype=np.int64)
        n_monomials, n_features = powers.shape
        factors = np.full((n_monomials, max(1, int(powers.sum(1).max(initial=0)))), n_features)
        for row, power in zip(factors, powers, strict=True):
            row[: power.sum()] = np.repeat(np.arange(n_features), power)
        super().__init__(torch.as_tensor(factors))

    def extra_repr(self) -> str:
        return f"{len(self.factors)} monomials of degree ≤ {self.factors.shape[1]}"


class _Monomials(Treatment):
    """``R_i = Σ_j (e_ji / |e_j|) R_j``: a feature's share of a product is its exponent's share of the degree.

    These are the integrated gradients from the origin. From one reference point r with slopes ``s_j = R_j / (φ_j(x) -
    φ_j(r))`` they are ``R_i = (x_i - r_i) Σ_j s_j ∫ ∂φ_j/∂x_i (r + t (x - r)) dt``: the integrand is a polynomial in
    t, on which Gauss-Legendre quadrature is exact. The monomial 1 is ``constant``.
    """

    retention = Retention(inputs=True)
    takes_reference = True

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        factors = call.operation.args[1]
        reference = call.reference(call.inputs[0])
        if message.slope is not None and reference is not None and call.references is not None:
            at_one_point = len(call.references[call.inputs[0]]) == 1
            if at_one_point and bool((reference != 0).any()):
                x, degree = call.value(call.inputs[0]), factors.shape[1]
                return Message.of_slope(
                    integrated(lambda point: monomials(point, factors), degree, reference, x, message.slope)
                )
        relevance, n = message.relevance, call.tape.specs[call.inputs[0]].shape[1]
        counts = relevance.new_zeros(len(factors), n + 1)
        counts.scatter_add_(1, factors, torch.ones_like(factors, dtype=counts.dtype))
        degree = counts[:, :n].sum(1, keepdim=True)
        if ledger.enabled and bool((degree == 0).any()):
            ledger.absorb("constant", relevance[:, degree[:, 0] == 0])
        return Message.of_relevance(relevance @ (counts[:, :n] / degree.clamp(min=1)))


def integrated(function: Callable[[Tensor], Tensor], degree: int, start: Tensor, end: Tensor, slope: Tensor) -> Tensor:
    """``Σ_j s_j ∫ ∂φ_j/∂x_i (r + t (x - r)) dt`` from r to x, of polynomials of this degree."""
    total = torch.zeros_like(end)
    for node, weight in zip(*legendre((degree + 1) // 2), strict=True):
        with torch.enable_grad():
            point = (start + node * (end - start)).requires_grad_()
            (gradient,) = torch.autograd.grad(function(point), point, slope)
        total += weight * gradient
    return total


treat(monomials, by=_Monomials())
