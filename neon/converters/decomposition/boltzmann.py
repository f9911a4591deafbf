"""Restricted Boltzmann machines: the hidden units' probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from neon.converters.core import Ask, Conversion, converter, transformer
from neon.nn import Linear

__all__ = ["convert_boltzmann"]


@converter("sklearn.neural_network.BernoulliRBM")
def convert_boltzmann(model: Any, ask: Ask) -> Conversion:
    """BernoulliRBM: ``P(h = 1 | x) = σ(W x + b)``."""
    weight, bias = np.asarray(model.components_, dtype=np.float64), np.asarray(model.intercept_hidden_)
    layers = [Linear(weight, bias), torch.nn.Sigmoid()]
    return transformer(model, layers, "probability of a hidden unit", len(bias), takes_reference=True)
