"""Count sketches: the random polynomial features of a PolynomialCountSketch."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from neon.lrp.message import ROUNDING, Ledger, Message
from neon.lrp.operations import Call, Treatment, treat
from neon.lrp.recording.tape import Retention
from neon.lrp.rules import Rule
from neon.nn.layer import Layer, operation
from neon.nn.linear.monomials import integrated

__all__ = ["CountSketch", "count_sketch"]


@operation
def count_sketch(x: Tensor, maps: Tensor, constants: Tensor) -> Tensor:
    """The circular convolution ``φ = (C_1 x + c_1) * ... * (C_d x + c_d)``, by Fourier transforms.

    Parameters
    ----------
    x : (n_samples, n_features)
    maps : (degree, n_features, n_components)
        The ``C_k``: one entry ``±√γ`` a feature.
    constants : (degree, n_components)

    Returns
    -------
    Tensor
        (n_samples, n_components)
    """
    if not len(x):  # which a Fourier transform refuses
        return x @ maps[0]
    product = None
    for matrix, constant in zip(maps, constants, strict=True):
        factor = torch.fft.rfft(x @ matrix + constant, dim=1)
        product = factor if product is None else product * factor
    return torch.fft.irfft(product, n=maps.shape[2], dim=1)


class CountSketch(Layer, of=count_sketch):
    """`count_sketch` with fixed hashes.

    Parameters
    ----------
    index, sign : ndarray (degree, n_features[ + 1])
        The component that each feature goes to, and with what sign; one more for a constant, if ``coef0`` is not 0.
    """

    no_relu = "products of features are not piecewise linear"
    maps: Tensor
    constants: Tensor

    def __init__(self, index: ArrayLike, sign: ArrayLike, n_components: int, gamma: float, coef0: float) -> None:
        where, signs = np.asarray(index), np.asarray(sign, dtype=np.float64)
        one_hot = np.eye(n_components)[where] * signs[:, :, None]  # (degree, n_features [+ 1], n_components)
        n_features = where.shape[1] - (coef0 != 0)
        super().__init__(math.sqrt(gamma) * one_hot[:, :n_features], math.sqrt(coef0) * one_hot[:, n_features:].sum(1))

    def extra_repr(self) -> str:
        degree, n_features, n_components = self.maps.shape
        return f"{n_features} → {n_components}, degree {degree}"


class _CountSketch(Treatment):
    """Integrated gradients from the reference point r, or the origin.

    ``R_i = (x_i - r_i) Σ_j s_j ∫ ∂φ_j/∂x_i (r + t (x - r)) dt`` with slopes ``s_j = R_j / (φ_j(x) - φ_j(r))``. The
    integrand is a polynomial in t of degree d - 1, on which Gauss-Legendre quadrature is exact.
    """

    retention = Retention(inputs=True)
    takes_reference = True

    def back(self, call: Call, message: Message, rule: Rule | None, ledger: Ledger) -> Message:
        _, maps, constants = call.operation.args
        x, y = call.value(call.inputs[0]), call.value(call.output)
        r = call.reference(call.inputs[0])
        origin = torch.zeros_like(x[:1]) if r is None else r
        y_origin = count_sketch(origin, maps, constants)
        y_reference = call.reference(call.output)
        moved = y - (y_origin if y_reference is None else y_reference)
        size = y.abs().amax(1, keepdim=True) + y_origin.abs().amax(1, keepdim=True)
        hit = moved.abs() <= ROUNDING * torch.finfo(y.dtype).eps * size  # what the transforms leave of a zero
        slope = message.slope_over(moved.masked_fill(hit, 0.0), ledger)
        if ledger.enabled and message.slope is not None and y_reference is None:
            ledger.absorb("bias", slope * y_origin)
        if ledger.enabled and y_reference is not None:  # of several rows, the map's mean is not the map of their mean
            ledger.absorb("spread", slope * (y_origin - y_reference))
        total = integrated(lambda point: count_sketch(point, maps, constants), len(maps), origin, x, slope)
        return Message.of_slope(total, x, origin)


treat(count_sketch, by=_CountSketch())
