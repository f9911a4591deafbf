"""Kernel PCA: an expansion in kernel values with the training points."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from neon.converters.core import Ask, Conversion, converter, dense, some_rows, transformer
from neon.converters.kernels.algebra import has_distance, kernel_layers, pairwise
from neon.errors import UnsupportedModelError
from neon.nn import Linear

__all__ = ["convert_kernel_pca"]


@converter("sklearn.decomposition.KernelPCA")
def convert_kernel_pca(model: Any, ask: Ask) -> Conversion:
    """``z = A (k(x) - mean of k(x) - k̄ + mean of k̄)``: kernel values, centered, on the scaled eigenvectors A.

    Centering is linear in the kernel values: one linear map follows them. Distance kernels are explained relative to
    the training points, scalar-product kernels relative to the origin.
    """
    ask.choose("transform")
    if callable(model.kernel):
        raise UnsupportedModelError("KernelPCA with a callable kernel; give its name, or kernel='precomputed'")
    used = model.eigenvalues_ != 0
    alphas = np.zeros_like(model.eigenvectors_)
    alphas[:, used] = model.eigenvectors_[:, used] / np.sqrt(model.eigenvalues_[used])
    centerer = model._centerer
    bias = (centerer.K_fit_all_ - centerer.K_fit_rows_) @ alphas
    weight = (alphas - alphas.mean(0)).T
    points = dense(model.X_fit_)
    near = False
    layers: list[torch.nn.Module]
    if model.kernel in ("linear", "precomputed"):
        layers = [Linear(weight if model.kernel == "precomputed" else weight @ points, bias)]
    else:
        expression = pairwise(model.kernel, model.gamma_, degree=model.degree, coef0=model.coef0)
        near = has_distance(expression)
        layers = [*kernel_layers(expression, points), Linear(weight, bias)]
    return transformer(
        model,
        layers,
        "kernel principal components",
        len(weight),
        "component",
        reference=points if near else None,
        reference_words="the training rows" if near else "",
        takes_reference=True,
        background=None if model.kernel == "precomputed" else some_rows(points, "the training rows"),
    )
