"""Scalers, and centering of kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from neon.converters.core import Ask, Conversion, converter, transformer
from neon.converters.preprocessing.encoders import convert_encoder, one_to_one
from neon.nn import Affine, Linear

__all__ = ["convert_kernel_centerer", "convert_scaler"]


@converter(
    *(f"sklearn.preprocessing.{name}" for name in ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"))
)
def convert_scaler(model: Any, ask: Ask) -> Conversion:
    """StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler: ``x * scale + shift``.

    With ``clip=True`` they are elementwise, but not affine: an encoding.
    """
    n = int(model.n_features_in_)
    if getattr(model, "clip", False):
        return convert_encoder(model, one_to_one(model))
    if hasattr(model, "data_min_"):  # MinMaxScaler
        scale, shift = model.scale_, model.min_
    else:
        divisor = getattr(model, "scale_", None)
        scale = np.ones(n) if divisor is None else 1 / divisor
        center = getattr(model, "center_", None) if hasattr(model, "with_centering") else getattr(model, "mean_", None)
        centered = getattr(model, "with_mean", getattr(model, "with_centering", False))
        shift = -center * scale if centered and center is not None else np.zeros(n)
    inverse = lambda Z: (Z - shift) / scale  # noqa: E731
    return transformer(model, [Affine(scale, shift)], "scaled features", n, inverse=inverse, missing=True)


@converter("sklearn.preprocessing.KernelCenterer")
def convert_kernel_centerer(model: Any, ask: Ask) -> Conversion:
    """KernelCenterer: ``k - mean of the row - mean of the columns + mean of all``, linear in the row."""
    n = len(model.K_fit_rows_)
    layer = Linear(np.eye(n) - 1 / n, model.K_fit_all_ - model.K_fit_rows_)
    return transformer(model, [layer], "centered kernel values", n)
