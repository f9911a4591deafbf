"""Partial dependence of an ensemble and its functional decomposition, exact over the reference rows.

``PD_S(x_S) = Σ_r w_r f(x_S, r_rest)``: a leaf counts where x satisfies its literals on S and r all others. So each
leaf needs to know how much weight of the reference rows fails it in no feature, in one alone, and in two alone: then
every grid point of every feature is a sum over leaves, whatever the number of rows (Liu, Steensgaard, Wright, Pfister
and Hiabu 2025, "Fast Estimation of Partial Dependence Functions using Trees", arXiv:2410.13448).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neon.nn.trees.forest import Forest
from neon.nn.trees.paths import Paths
from neon.nn.trees.tables import merged

__all__ = ["Grids", "partial_effects"]

_MEMORY = 1 << 26  # bytes of one step


@dataclass(frozen=True, eq=False)
class Grids:
    """Grid points of several features, as codes of an ensemble.

    Attributes
    ----------
    codes : int32 (n_used, n_points)
    parts : mapping of int to slice
        The points of each feature.
    owner : int64 (n_used,)
        The feature that each used column is made from; -1 for none.
    """

    codes: Tensor
    parts: Mapping[int, slice]
    owner: np.ndarray


def partial_effects(
    forest: Forest, slope: Tensor, grids: Grids, wanted: Sequence[tuple[int, ...]], reference: Tensor, weights: Tensor
) -> list[Tensor]:
    """Effects of single features and of pairs, beyond those of fewer features.

    ``f_i = PD_i - PD``, ``f_ij = PD_ij - PD_i - PD_j + PD`` for ``Σ_k slope_k f_k``.

    Parameters
    ----------
    slope : (n_outputs,)
    wanted : sequence of (feature,) or (feature, other feature)
    reference : int32 (n_used, n_reference)
        Codes of the reference rows.
    weights : (n_reference,)
        Adding up to 1.

    Returns
    -------
    list of Tensor
        (n_points,) or (n_points of the one, n_points of the other).
    """
    found = [slope.new_zeros([_length(grids.parts[feature]) for feature in features]) for features in wanted]
    for blocks in _blocks(forest, slope, grids.owner, reference, weights):
        for features, effect in zip(wanted, found, strict=True):
            held = [grids.codes[:, grids.parts[feature]] for feature in features]
            effect += blocks.main(*features, *held) if len(features) == 1 else blocks.pair(features, held)
    return found


def _length(part: slice) -> int:
    return int(part.stop - part.start)


@dataclass(frozen=True, eq=False)
class _Blocks:
    """The literals of some leaves, one block for each feature on a leaf's path, and who fails them.

    Attributes
    ----------
    leaf, feature : int64 (n_blocks,)
    literal_edge, literal_block : int64 (n_literals,)
        The lowest edge of each literal, and its block.
    value : Tensor (n_leaves,)
    fails : bool Tensor (n_blocks, n_reference)
        Which reference rows fail a block.
    count : Tensor (n_leaves, n_reference)
        How many blocks of a leaf each reference row fails.
    """

    paths: Paths
    leaf: np.ndarray
    feature: np.ndarray
    literal_edge: np.ndarray
    literal_block: np.ndarray
    value: Tensor
    fails: Tensor
    count: Tensor
    weights: Tensor

    @functools.cached_property
    def none(self) -> Tensor:
        """How much weight fails nothing, (n_leaves,)."""
        return (self.count == 0).to(self.weights) @ self.weights

    @functools.cached_property
    def alone(self) -> Tensor:
        """How much weight fails a block and no other, (n_blocks,)."""
        return ((self.count == 1)[self.leaf] & self.fails).to(self.weights) @ self.weights

    def held(self, blocks: np.ndarray, codes: Tensor) -> Tensor:
        """Which grid points hold, in double precision (n_blocks, n_points)."""
        place = np.full(len(self.leaf), -1)
        place[blocks] = np.arange(len(blocks))
        own = np.flatnonzero(place[self.literal_block] >= 0)
        failed = (~merged(self.paths, self.literal_edge[own], codes)).to(self.weights)
        at = torch.as_tensor(place[self.literal_block[own]])
        return (self.weights.new_zeros(len(blocks), codes.shape[1]).index_add_(0, at, failed) == 0).to(self.weights)

    def main(self, feature: int, codes: Tensor) -> Tensor:
        blocks = np.flatnonzero(self.feature == feature)
        leaf = self.leaf[blocks]
        without = self.none[leaf]
        value = self.value[leaf]
        return (value * (without + self.alone[blocks])) @ self.held(blocks, codes) - value @ without

    def pair(self, features: tuple[int, ...], codes: Sequence[Tensor]) -> Tensor:
        first, second = (np.flatnonzero(self.feature == feature) for feature in features)
        leaf, a, b = np.intersect1d(self.leaf[first], self.leaf[second], return_indices=True)
        first, second = first[a], second[b]
        value, none = self.value[leaf], self.none[leaf]
        with_one, with_other = none + self.alone[first], none + self.alone[second]
        both = (self.count[leaf] == 2) & self.fails[first] & self.fails[second]
        with_both = with_one + with_other - none + both.to(self.weights) @ self.weights
        one, other = self.held(first, codes[0]), self.held(second, codes[1])
        found = one.t() @ ((value * with_both)[:, None] * other)
        found -= ((value * with_one) @ one)[:, None] + (value * with_other) @ other
        return found + value @ none


def _blocks(forest: Forest, slope: Tensor, owner: np.ndarray, reference: Tensor, weights: Tensor) -> Iterator[_Blocks]:
    """The blocks of all leaves, some leaves at a time."""
    paths, trees = forest.paths, forest.trees
    leaf, edge = paths.literals
    leaves = np.flatnonzero(paths.leaf)
    values = torch.as_tensor(trees.value[paths.node[leaves]]).to(slope)
    if trees.output is None:
        values = values @ slope
    else:
        values = values[:, 0] * slope[torch.as_tensor(trees.output[paths.tree(leaves)])]
    step = max(1, _MEMORY // (16 * max(reference.shape[1], 1) * max(int(paths.n_literals.max(initial=1)), 1)))
    for begin in range(0, len(leaves), step):
        end = min(begin + step, len(leaves))
        own = slice(*np.searchsorted(leaf, [begin, end]))
        features = owner[paths.feature[edge[own]]]
        blocks, block = np.unique(np.stack([leaf[own] - begin, features]), axis=1, return_inverse=True)
        block = np.ravel(block)
        failed = (~merged(paths, edge[own], reference)).to(torch.int16)
        fails = failed.new_zeros(blocks.shape[1], reference.shape[1]).index_add_(0, torch.as_tensor(block), failed) > 0
        count = failed.new_zeros(end - begin, reference.shape[1])
        count.index_add_(0, torch.as_tensor(blocks[0]), fails.to(count))
        yield _Blocks(paths, blocks[0], blocks[1], edge[own], block, values[begin:end], fails, count, weights.to(slope))
