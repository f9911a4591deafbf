"""Polynomial features: relevance by the exponents' shares."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from neon.converters.base import Conversion
from neon.converters.encoding import Transform, names_of
from neon.converters.registry import no_relu_form, register
from neon.nn import Monomials

__all__ = ["convert_polynomial"]


def convert_polynomial(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
    """PolynomialFeatures: ``Π_i x_i^{e_i}``, of whose relevance feature i gets the share ``e_i / Σ e``."""
    if form == "relu":
        raise no_relu_form("products of features are not piecewise linear")
    powers = np.asarray(model.powers_)
    linear = np.flatnonzero(powers.sum(1) == 1)
    # Whatever the features' order, the i-th of these monomials is feature i: the way back, if they are there.
    inverse = None
    if len(linear) == powers.shape[1]:
        back = linear[np.argsort(powers[linear].argmax(1))]

        def inverse(Z: np.ndarray) -> np.ndarray:
            return Z[:, back]

    return Conversion(
        torch.nn.Sequential(Monomials(powers)),
        "products of features",
        names_of(model, getattr(model, "feature_names_in_", None), len(powers)),
        Transform(model),
        inverse=inverse,
    )


register("sklearn.preprocessing.PolynomialFeatures", by=convert_polynomial)
