"""Restricted Boltzmann machines: the hidden units' probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from neon.converters.core.conversion import Conversion
from neon.converters.core.encoding import Transform, names_of
from neon.converters.core.registry import no_relu_form, register
from neon.nn import Linear

__all__ = ["convert_boltzmann"]


def convert_boltzmann(model: Any, *, output: str | None = None, form: str = "fused") -> Conversion:
    """BernoulliRBM: ``P(h = 1 | x) = σ(W x + b)``."""
    if form == "relu":
        raise no_relu_form("a sigmoid is not piecewise linear")
    weight, bias = np.asarray(model.components_, dtype=np.float64), np.asarray(model.intercept_hidden_)
    return Conversion(
        torch.nn.Sequential(Linear(weight, bias), torch.nn.Sigmoid()),
        "probability of a hidden unit",
        names_of(model, None, len(bias)),
        Transform(model),
        takes_reference=True,
    )


register("sklearn.neural_network.BernoulliRBM", by=convert_boltzmann)
