"""Interactions of an explanation: from those of columns that a network reads to those of the caller's columns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neon.converters import Encoding
from neon.explanation import Explanation
from neon.lrp.recorded import Recording
from neon.nn.trees.second_order import second_order

__all__ = ["checked_order", "of_columns", "with_interactions"]


def checked_order(interactions: bool | int) -> int:
    """How many features interact: 0 for none, 2 or 3."""
    orders = {0: 0, 1: 2, 2: 2, 3: 3}  # False and True are 0 and 1
    if not isinstance(interactions, int | np.integer | np.bool_) or int(interactions) not in orders:
        raise ValueError(f"interactions must be False, True (of two features), 2 or 3, got {interactions!r}")
    return orders[int(interactions)]


def of_columns(recording: Recording, target: Tensor, order: int, encoding: Encoding | None, n_features: int) -> Tensor:
    """Interactions of the caller's columns, without main effects: (n_rows, n_features, n_features[, n_features])."""
    pairs = _added(_of_order(recording, target, 2), encoding, n_features)
    if order == 2:
        return torch.from_numpy(pairs)
    found, each = _added(_of_order(recording, target, 3), encoding, n_features), np.arange(n_features)
    for one, other in ((1, 2), (1, 3), (2, 3)):
        _along_diagonal(found, one, other)[...] = 0.0
    pairs[:, each, each] = 0.0
    # n-Shapley values (Bordt and von Luxburg 2023): Φ_ij = I_ij - ½ Σ_k I_ijk, a sixth at each of its six places.
    share = (2 * pairs - 3 * found.sum(3)) / 6
    for one, other in ((1, 2), (1, 3), (2, 3)):
        _along_diagonal(found, one, other)[...] += share
    return torch.from_numpy(found)


def _along_diagonal(cube: np.ndarray, one: int, other: int) -> np.ndarray:
    """A view (n_rows, n_features, n_features): the entries where two axes have the same place, and the third axis."""
    (third,) = {1, 2, 3} - {one, other}
    n = cube.shape[1]
    strides = (cube.strides[0], cube.strides[one] + cube.strides[other], cube.strides[third])
    return np.lib.stride_tricks.as_strided(cube, (len(cube), n, n), strides)


def _of_order(recording: Recording, target: Tensor, order: int) -> np.ndarray:
    exact = recording.integral is None
    found = second_order(recording, target, order) if exact else recording.interactions(target, order)
    return found.cpu().numpy()


def _added(found: np.ndarray, encoding: Encoding | None, n_features: int) -> np.ndarray:
    """Of encoded columns, added up to the caller's."""
    if encoding is None:
        return found
    for _ in range(found.ndim - 1):  # by one column after the other
        found = np.moveaxis(encoding.total(found, n_features)[0], 1, -1)
    return np.ascontiguousarray(found)


def with_interactions(explanation: Explanation, found: np.ndarray) -> Explanation:
    """With what each feature does by itself where all places are the same: each feature's entries add up to φ_i."""
    others = tuple(range(2, found.ndim - (explanation.target is None)))
    each: Any = (slice(None), *(np.arange(found.shape[1]),) * (1 + len(others)))
    found[each] = 0.0
    found[each] = explanation.values - found.sum(axis=others)
    found.flags.writeable = False  # the explanation shares it then
    return replace(explanation, interactions=found)
