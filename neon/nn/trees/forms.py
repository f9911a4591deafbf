"""Tree ensembles spelled out: a layer of split units, a layer of AND units, a linear readout; and as Linear and ReLU.

A leaf whose path has d literals is a unit ``relu(Σ literals - (d - 1))``, 1 where all hold and 0 elsewhere (Biau,
Scornet and Welbl 2019, "Neural random forests"; here without their smoothing).
"""

from __future__ import annotations

import numpy as np
import torch

from neon.nn.linear.layers import Linear, plain_linear
from neon.nn.trees.conjunction import AndUnits, SplitUnits, check_size, literal_weights
from neon.nn.trees.ensemble import Trees
from neon.nn.trees.paths import Paths

__all__ = ["relu_layers", "tree_layers"]

_SMALLEST = 2.0**-900  # distance of t and t⁺, so that dividing by it does not overflow


def tree_layers(trees: Trees) -> torch.nn.Sequential:
    """Split units, AND units, readout; relevance as that of `tree_ensemble` (the path rule: by leaf values).

    Raises
    ------
    ValueError
        If a layer would have more than 2²⁷ weights.
    """
    paths = Paths.of(trees)
    splits = SplitUnits(trees, paths.codes)
    return torch.nn.Sequential(splits, AndUnits(trees, paths, splits), Linear(*_readout(trees, paths)))


def relu_layers(trees: Trees) -> torch.nn.Sequential:
    """Linear and ReLU only, equal to the walk on finite float64 inputs.

    A step is ``1 - relu(1 - relu((t⁺ - x) / (t⁺ - t)))`` with t the largest number that goes left and t⁺ the next one:
    their distance is a power of two, so that the first layer rounds nothing where it matters. The rounding of inputs to
    single precision is part of t. (The one exception: numbers below 1e-270 next to a threshold of 0.)

    Raises
    ------
    ValueError
        If splits are on categories, which no finite number of steps in x tells apart from the values between them, or
        if a layer would have more than 2²⁷ weights.
    """
    if trees.categories:
        raise ValueError("categorical splits have no ReLU form; use form='layers'")
    inner = np.flatnonzero(trees.left >= 0)
    if not len(inner):
        constant = trees.total(trees.value[trees.roots])
        return torch.nn.Sequential(plain_linear(np.zeros((len(constant), trees.n_features)), constant))
    highest = _highest_left(trees)[inner]
    keys = np.stack([trees.feature[inner], highest], axis=1)
    cuts, unit = np.unique(keys, axis=0, return_inverse=True)
    t = cuts[:, 1]
    varies = np.isfinite(t)  # a threshold of infinity lets every number pass, or none
    finite = np.where(varies, t, 0.0)
    gap = np.maximum(np.nextafter(finite, np.inf) - finite, _SMALLEST)
    check_size(max(trees.n_features, len(cuts), int((trees.left < 0).sum())), len(cuts))
    weight = np.zeros((len(cuts), trees.n_features))
    weight[np.arange(len(cuts)), cuts[:, 0].astype(int)] = np.where(varies, -1 / gap, 0.0)
    paths = Paths.of(trees)
    of_node = np.full(trees.n_nodes, -1)
    of_node[inner] = unit.ravel()
    signs, needed = literal_weights(trees, paths, of_node, len(cuts))
    identity = np.eye(len(cuts))
    return torch.nn.Sequential(
        plain_linear(weight, np.where(varies, (finite + gap) / gap, t > 0)),
        torch.nn.ReLU(),
        plain_linear(-identity, np.ones(len(cuts))),
        torch.nn.ReLU(),
        # Literals are 1 minus the units of the layer before.
        plain_linear(-signs, signs.sum(1) + needed),
        torch.nn.ReLU(),
        plain_linear(*_readout(trees, paths)),
    )


def _readout(trees: Trees, paths: Paths) -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases from the AND units."""
    leaves = np.flatnonzero(paths.leaf)
    weight = np.zeros((trees.n_outputs, len(leaves)))
    values = trees.value[paths.node[leaves]]
    if trees.output is None:
        weight[:] = values.T
    else:
        weight[trees.output[paths.tree(leaves)], np.arange(len(leaves))] = values[:, 0]
    alone = np.where((trees.left[trees.roots] < 0)[:, None], trees.value[trees.roots], 0.0)
    return weight, trees.total(alone)  # trees of a single leaf are constants


def _highest_left(trees: Trees) -> np.ndarray:
    """The largest float64 that goes left at each split; infinite where all go left, or none."""
    t = trees.threshold.copy()
    if trees.precision == "float64":
        return np.where(t == np.inf, t, np.nextafter(t, -np.inf)) if trees.strict else t
    with np.errstate(over="ignore", invalid="ignore"):
        single = t.astype(np.float32)
        if trees.strict:
            single = np.where(np.isposinf(single), single, np.nextafter(single, np.float32(-np.inf)))
        lower = single.astype(np.float64)
        # x rounds to at most ``lower`` up to half way to the next float32, and at half way where that is the even one.
        step = np.nextafter(single, np.float32(np.inf)).astype(np.float64) - lower
        top = lower == np.finfo(np.float32).max
        step[top] = 2.0**104
        middle = lower + step / 2
        even = single.view(np.int32) % 2 == 0
        t = np.where(even, middle, np.nextafter(middle, -np.inf))
    return np.where(np.isinf(lower), lower, t)
