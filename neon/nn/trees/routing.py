"""Rows as integer codes: which cell, between the cuts of an ensemble, each feature's value lies in.

Every split becomes a set of codes, so that nothing after this page compares floats again. Floats are compared by their
bits, as integers that have the same order: exact at every threshold and its neighbours, the same for 0.0 and -0.0, and
for denormal numbers whatever `torch.set_flush_denormal` says.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neon.nn.trees.ensemble import Trees

__all__ = ["Codes"]

_LAST = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Codes:
    """The cells of every feature that some split reads ("used" features, in increasing order).

    Code 0 is a missing value. A numeric value has code ``1 + (number of cuts that it does not go left at)``; a category
    has ``1 + its place`` in the feature's list, and any other value the code after the last.

    Attributes
    ----------
    used : ndarray of int (n_used,)
    n_codes : ndarray of int (n_used,)
    cuts : Tensor of int64 (n_used, max_cuts)
        Bits of the thresholds, or categories, in order; padded with the largest integer.
    categorical : Tensor of bool (n_used,)
    """

    used: np.ndarray
    n_codes: np.ndarray
    cuts: Tensor
    categorical: Tensor
    single: bool
    strict: bool

    @classmethod
    def of(cls, trees: Trees) -> Codes:
        """The cells of an ensemble."""
        inner = trees.left >= 0
        used = np.unique(trees.feature[inner])
        categorical = np.isin(used, trees.feature[list(trees.categories)]) if trees.categories else used < 0
        single = trees.precision == "float32"
        order = np.argsort(trees.feature[inner], kind="stable")
        nodes = np.flatnonzero(inner)[order]
        begins = np.searchsorted(trees.feature[nodes], used)
        ends = np.searchsorted(trees.feature[nodes], used, side="right")
        cuts = []
        for begin, end, is_category in zip(begins, ends, categorical.tolist(), strict=True):
            own = nodes[begin:end]
            if is_category:
                cuts.append(np.unique(np.concatenate([trees.categories[n] for n in own.tolist()])))
            else:
                cuts.append(np.unique(_keys(torch.as_tensor(trees.threshold[own]), single).numpy()))
        table = np.full((len(used), max((len(c) for c in cuts), default=0)), _LAST)
        for row, own in zip(table, cuts, strict=True):
            row[: len(own)] = own
        return cls(
            used,
            np.array([len(c) + 2 for c in cuts], dtype=np.int64),
            torch.as_tensor(table),
            torch.as_tensor(categorical),
            single,
            trees.strict,
        )

    def to(self, device: torch.device) -> Codes:
        return dataclasses.replace(self, cuts=self.cuts.to(device), categorical=self.categorical.to(device))

    def __call__(self, x: Tensor) -> Tensor:
        """Codes of rows.

        Parameters
        ----------
        x : (n_samples, n_features)

        Returns
        -------
        Tensor of int32
            (n_used, n_samples)
        """
        x = x[:, torch.as_tensor(self.used, device=x.device)].t().contiguous()
        if not len(self.used) or not x.shape[1]:
            return torch.zeros(x.shape, dtype=torch.int32, device=x.device)
        codes = 1 + torch.searchsorted(self.cuts, _keys(x, self.single), right=self.strict)
        if self.categorical.any():
            rows = self.categorical.nonzero()[:, 0]
            whole = x[rows].trunc()
            whole = torch.where(whole.abs() < 2**53, whole, -1.0).long()
            place = torch.searchsorted(self.cuts[rows], whole)
            found = self.cuts[rows].gather(1, place.clamp(max=self.cuts.shape[1] - 1)) == whole
            n_cuts = torch.as_tensor(self.n_codes, device=x.device)[rows] - 2
            codes[rows] = torch.where(found, place + 1, n_cuts[:, None] + 1)
        return torch.where(x.isnan(), 0, codes).int()

    def left_sets(self, trees: Trees) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The codes that go left at each node.

        Returns
        -------
        low, high : ndarray of int32 (n_nodes,)
            The set ``low..high`` of a numeric split.
        offset : ndarray of int64 (n_nodes,)
            -1; at a categorical split, the place in ``table`` of code 0.
        table : ndarray of uint8
            Whether each code goes left.
        """
        n_nodes = trees.n_nodes
        low, high = np.zeros(n_nodes, dtype=np.int32), np.full(n_nodes, -1, dtype=np.int32)
        offset = np.full(n_nodes, -1, dtype=np.int64)
        numeric = (trees.left >= 0) & ~np.isnan(trees.threshold)
        keys = _keys(torch.as_tensor(trees.threshold), self.single).numpy()
        position = np.searchsorted(self.used, trees.feature)
        cuts = self.cuts.cpu().numpy()
        for u in range(len(self.used)):
            own = np.flatnonzero(numeric & (position == u))
            high[own] = 1 + np.searchsorted(cuts[u], keys[own])
        low[numeric] = np.where(trees.missing_left[numeric], 0, 1)
        tables, length = [np.zeros(0, dtype=np.uint8)], 0
        for node, categories in trees.categories.items():
            u = position[node]
            goes = np.zeros(self.n_codes[u], dtype=np.uint8)
            goes[1:-1] = np.isin(cuts[u, : self.n_codes[u] - 2], categories)
            goes[0] = trees.missing_left[node]
            offset[node] = length
            tables.append(goes)
            length += len(goes)
        return low, high, offset, np.concatenate(tables)


def _keys(x: Tensor, single: bool) -> Tensor:
    """Integers in the order of the floats; equal for 0.0 and -0.0."""
    bits = x.float().view(torch.int32) if single else x.double().view(torch.int64)
    return torch.where(bits < 0, torch.iinfo(bits.dtype).min - bits, bits).long()
