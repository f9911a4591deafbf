"""Approximate kernel maps and random projections."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import torch

from neon.converters.core import Ask, Conversion, converter, dense, transformer
from neon.converters.kernels.algebra import expansion, pairwise
from neon.errors import UnsupportedModelError
from neon.nn import Affine, CountSketch, Elementwise, Linear

__all__ = ["convert_count_sketch", "convert_fourier", "convert_nystroem", "convert_random_projection"]


@converter("sklearn.kernel_approximation.RBFSampler", "sklearn.kernel_approximation.SkewedChi2Sampler")
def convert_fourier(model: Any, ask: Ask) -> Conversion:
    """RBFSampler, SkewedChi2Sampler: ``√(2/n) cos(W x + b)``, for the latter of ``log(x + c)``."""
    n = int(model.n_components)
    skewed = hasattr(model, "skewedness")
    layers: list[torch.nn.Module] = []
    if skewed:
        layers = [Affine(1.0, float(model.skewedness)), Elementwise(torch.log)]
    layers += [
        Linear(model.random_weights_.T, model.random_offset_), Elementwise(torch.cos), Affine(math.sqrt(2.0 / n)),
    ]  # fmt: skip
    return _conversion(model, layers, "random Fourier features")


@converter("sklearn.kernel_approximation.Nystroem")
def convert_nystroem(model: Any, ask: Ask) -> Conversion:
    """Nystroem: kernel values at some training points, then a linear map."""
    kernel, points = model.kernel, dense(model.components_)
    if kernel not in ("rbf", "laplacian", "poly", "polynomial", "sigmoid", "linear"):
        raise UnsupportedModelError(
            f"Nystroem with kernel={kernel!r}; supported are rbf, laplacian, poly, sigmoid and linear"
        )
    given = {"gamma": None} | (model.kernel_params or {})
    given |= {name: value for name in ("gamma", "coef0", "degree") if (value := getattr(model, name)) is not None}
    gamma = given.pop("gamma")
    expression = pairwise(kernel, 1.0 / points.shape[1] if gamma is None else gamma, **given)
    return _conversion(model, expansion(expression, points, model.normalization_, None), "kernel features")


@converter("sklearn.kernel_approximation.PolynomialCountSketch")
def convert_count_sketch(model: Any, ask: Ask) -> Conversion:
    """PolynomialCountSketch: a random polynomial map, explained by integrated gradients, which are exact on it."""
    sketch = CountSketch(model.indexHash_, model.bitHash_, int(model.n_components), float(model.gamma), model.coef0)
    return _conversion(model, [sketch], "polynomial features")


@converter("sklearn.random_projection.GaussianRandomProjection", "sklearn.random_projection.SparseRandomProjection")
def convert_random_projection(model: Any, ask: Ask) -> Conversion:
    """GaussianRandomProjection, SparseRandomProjection: ``W x``."""
    weight = dense(model.components_)
    return _conversion(model, [Linear(weight)], "projected features", inverse=_Back(weight))


class _Back:
    """From projected features to features, by a pseudo-inverse that is found when it is first asked for: it is slow."""

    def __init__(self, weight: np.ndarray) -> None:
        self.weight = weight

    def __call__(self, Z: np.ndarray) -> np.ndarray:
        return Z @ self.matrix.T

    @functools.cached_property
    def matrix(self) -> np.ndarray:
        return np.linalg.pinv(self.weight)


def _conversion(model: Any, layers: list[torch.nn.Module], explains: str, inverse: Any = None) -> Conversion:
    n = int(getattr(model, "n_components_", None) or getattr(model, "n_components", 0) or 0)
    if hasattr(model, "components_"):
        n = len(model.normalization_) if hasattr(model, "normalization_") else model.components_.shape[0]
    return transformer(model, layers, explains, n, inverse=inverse)
