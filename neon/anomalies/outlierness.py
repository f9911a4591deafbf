"""The outlierness of rows by a network, their own points counted or left out."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neon.converters.core.containers import take
from neon.nn import SoftMin
from neon.nn.pooling.softmin import own_points

__all__ = ["by_other_points", "outlierness"]

_ROWS = 1024  # at a time


def outlierness(network: Any, X: Any) -> np.ndarray:
    """What the network gives for every row, (n_rows,)."""
    parts = []
    with torch.no_grad():
        for start in range(0, X.shape[0], _ROWS):
            rows = network.encode(take(X, slice(start, start + _ROWS)))
            parts.append(network(rows).cpu().double().numpy().reshape(-1))
    return np.concatenate(parts)


def by_other_points(network: Any) -> Any:
    """A copy of the network in which soft distances to points of the fit are those to all but the row itself.

    The network as it is, where it has no such distances.
    """
    if not any(isinstance(module, SoftMin) for module in network.modules()):
        return network
    network = copy.deepcopy(network)
    for module in network.modules():
        if isinstance(module, SoftMin):
            module.register_forward_pre_hook(_leave_out)
    return network


def _leave_out(module: Any, given: tuple[Tensor]) -> tuple[Tensor]:
    (h,) = given
    own = own_points(h, module.log_weights)
    return given if own is None else (h.masked_fill(own, torch.inf),)
