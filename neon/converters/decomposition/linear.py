"""Linear projections and pooling."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch

from neon.converters.core import Ask, Conversion, converter, transformer
from neon.converters.decomposition.factor import outlierness, reconstruction_error
from neon.errors import UnsupportedModelError
from neon.nn import Affine, Linear
from neon.nn.pooling.groups import group_minimum

__all__ = ["convert_agglomeration", "convert_ica", "convert_projection", "convert_sparse_pca"]


_NAMES = ("PCA", "IncrementalPCA", "TruncatedSVD")


@converter(*(f"sklearn.decomposition.{name}" for name in _NAMES))
def convert_projection(model: Any, ask: Ask) -> Conversion:
    """PCA (whitened or not), IncrementalPCA and TruncatedSVD: ``V (x - μ)``; or what `decomposition.factor` gives."""
    output = ask.choose("transform", "reconstruction_error", "outlierness")
    if output != "transform":
        return reconstruction_error(model) if output == "reconstruction_error" else outlierness(model)
    weight = np.asarray(model.components_, dtype=np.float64)
    if getattr(model, "whiten", False):
        smallest = np.finfo(model.explained_variance_.dtype).eps  # as scikit-learn guards the division
        deviation = np.maximum(np.sqrt(model.explained_variance_), smallest)
        _check_whitening(model, "whiten=True", deviation, deviation)
        weight = weight / deviation[:, None]
    return _linear(model, weight, getattr(model, "mean_", None), "projected features", model.inverse_transform)


def _check_whitening(model: Any, given: str, divisor: np.ndarray, deviation: np.ndarray) -> None:
    """Warn where whitening blows up the rounding of a projection, ε of the largest, to more than a 1e-6th."""
    largest = deviation.max(initial=0.0)
    flat = int(np.sum(divisor * 1e-6 < np.finfo(divisor.dtype).eps * largest))
    if flat:
        warnings.warn(
            f"{type(model).__name__}({given}) divides {flat} of {len(divisor)} components by a deviation that is "
            "nothing but rounding, since columns repeat each other: what the model makes of them is noise. Fit it with "
            f"n_components={np.sum(deviation > _FLAT * largest)}",
            RuntimeWarning,
            stacklevel=2,
        )


_FLAT = 1e-7  # of the largest deviation


@converter("sklearn.decomposition.FastICA")
def convert_ica(model: Any, ask: Ask) -> Conversion:
    """FastICA: the sources ``V (x - μ)``, of whitened data or not."""
    if ask.choose("transform", "reconstruction_error") != "transform":
        return reconstruction_error(model)
    mean = None
    if model.whiten:
        mean, scales = model.mean_, np.linalg.norm(model.whitening_, axis=1)
        divisor = 1 / np.linalg.norm(model.components_, axis=1)
        _check_whitening(model, f"whiten={model.whiten!r}", divisor, 1 / scales[scales > 0])
    return _linear(model, np.asarray(model.components_), mean, "independent sources", model.inverse_transform)


@converter("sklearn.decomposition.SparsePCA", "sklearn.decomposition.MiniBatchSparsePCA")
def convert_sparse_pca(model: Any, ask: Ask) -> Conversion:
    """SparsePCA, MiniBatchSparsePCA: ridge regression on the components, ``(V Vᵀ + α I)⁻¹ V (x - μ)``."""
    ask.choose("transform")
    components = np.asarray(model.components_, dtype=np.float64)
    weight = np.linalg.solve(components @ components.T + float(model.ridge_alpha) * np.eye(len(components)), components)
    back, mean = np.linalg.pinv(weight).T, model.mean_
    return _linear(model, weight, mean, "projected features", lambda Z: Z @ back + mean)


def _linear(model: Any, weight: np.ndarray, mean: Any, explains: str, inverse: Any) -> Conversion:
    # Around the mean, which the map takes to 0: what comes after is then explained the same wherever the data lie.
    layers: list[torch.nn.Module] = [] if mean is None else [Affine(1.0, -np.asarray(mean))]
    layers.append(Linear(weight))
    return transformer(model, layers, explains, len(weight), "component", inverse=inverse)


@converter("sklearn.cluster.FeatureAgglomeration")
def convert_agglomeration(model: Any, ask: Ask) -> Conversion:
    """FeatureAgglomeration: the mean, maximum or minimum over each cluster of features."""
    ask.choose("transform")
    pool, labels = model.pooling_func, np.asarray(model.labels_)
    sizes = np.bincount(labels)
    layers: list[torch.nn.Module]
    if pool is np.mean:
        weight = (np.arange(len(sizes))[:, None] == labels) / sizes[:, None]
        layers = [Linear(weight)]
    elif pool in (np.max, np.min):
        by_cluster = np.eye(len(labels))[np.argsort(labels, kind="stable")]
        sign = 1.0 if pool is np.min else -1.0
        layers = [Linear(sign * by_cluster), *group_minimum(sizes.tolist(), math.inf), Affine(sign)]
    else:
        name = getattr(pool, "__name__", repr(pool))
        raise UnsupportedModelError(
            f"FeatureAgglomeration with pooling_func={name}; supported are np.mean, np.max and np.min"
        )
    words = f"{pool.__name__.removeprefix('a')} over each cluster of features"
    return transformer(model, layers, words, len(sizes), "feature cluster", inverse=model.inverse_transform)
