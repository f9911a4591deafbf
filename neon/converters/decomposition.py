"""Linear projections."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from neon.converters.base import Conversion
from neon.converters.registry import register
from neon.nn import Linear, plain_linear

__all__ = ["convert_projection"]


def convert_projection(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
    """PCA (whitened or not) and TruncatedSVD: ``V (x - μ)``."""
    weight = np.asarray(model.components_, dtype=np.float64)
    if getattr(model, "whiten", False):
        smallest = np.finfo(model.explained_variance_.dtype).eps  # as scikit-learn guards the division
        weight = weight / np.maximum(np.sqrt(model.explained_variance_), smallest)[:, None]
    mean = getattr(model, "mean_", None)
    bias = None if mean is None else -weight @ mean
    return Conversion(
        torch.nn.Sequential(plain_linear(weight, bias) if form == "relu" else Linear(weight, bias)),
        "projected features",
        tuple(f"component {i}" for i in range(len(weight))),
        model.transform,
        inverse=model.inverse_transform,
    )


register("sklearn.decomposition.PCA", "sklearn.decomposition.TruncatedSVD", by=convert_projection)
