"""Scalers and elementwise functions: one feature in, one feature out."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from neon.converters.base import Conversion
from neon.converters.registry import register
from neon.errors import UnsupportedModelError
from neon.nn import Affine, Kernel, plain_linear

__all__ = ["convert_function", "convert_scaler"]


def convert_scaler(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
    """StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler: ``x * scale + shift``."""
    n = int(model.n_features_in_)
    if getattr(model, "clip", False):
        raise UnsupportedModelError(f"{type(model).__name__}(clip=True) is not affine; fit it with clip=False")
    if hasattr(model, "data_min_"):  # MinMaxScaler
        scale, shift = model.scale_, model.min_
    else:
        divisor = getattr(model, "scale_", None)
        scale = np.ones(n) if divisor is None else 1 / divisor
        center = getattr(model, "center_", None) if hasattr(model, "with_centering") else getattr(model, "mean_", None)
        centered = getattr(model, "with_mean", getattr(model, "with_centering", False))
        shift = -center * scale if centered and center is not None else np.zeros(n)
    layer = plain_linear(np.diag(scale), shift) if form == "relu" else Affine(scale, shift)
    names = tuple(f"feature {i}" for i in range(n))
    return Conversion(
        torch.nn.Sequential(layer),
        "scaled features",
        names,
        model.transform,
        inverse=lambda Z: (Z - shift) / scale,
        missing=True,
    )


def convert_function(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
    """FunctionTransformer with a NumPy function that is known to act on each element alone."""
    function = model.func
    name = "identity" if function is None else getattr(function, "__name__", "")
    known = function is None or (name in _ELEMENTWISE and function is getattr(np, name))
    if not known or model.kw_args:
        raise UnsupportedModelError(
            f"FunctionTransformer({name or function!r}) cannot be proven elementwise; proven are no function and "
            f"numpy's {', '.join(sorted(_ELEMENTWISE))}"
        )
    n = int(getattr(model, "n_features_in_", 0))
    names = tuple(f"feature {i}" for i in range(n))
    if function is None:
        return Conversion(torch.nn.Sequential(), "features", names, model.transform, inverse=lambda Z: Z, missing=True)
    if form == "relu":
        raise ValueError(f"{name} is not piecewise linear: there is no exact ReLU form")
    forward, inverse = _ELEMENTWISE[name]
    return Conversion(torch.nn.Sequential(Kernel(forward, name)), "features", names, model.transform, inverse=inverse)


_ELEMENTWISE: dict[str, tuple[Any, Any]] = {
    "log": (torch.log, np.exp),
    "log1p": (torch.log1p, np.expm1),
    "exp": (torch.exp, None),
    "expm1": (torch.expm1, None),
    "sqrt": (torch.sqrt, None),
    "square": (torch.square, None),
    "tanh": (torch.tanh, None),
    "arcsinh": (torch.asinh, np.sinh),
    "abs": (torch.abs, None),
    "absolute": (torch.abs, None),
    "sin": (torch.sin, None),
    "cos": (torch.cos, None),
}

register(
    *(f"sklearn.preprocessing.{name}" for name in ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler")),
    by=convert_scaler,
)
register("sklearn.preprocessing.FunctionTransformer", by=convert_function)
