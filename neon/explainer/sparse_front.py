"""The affine map that a network starts with, of sparse rows: products of their entries alone, there and back."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from neon.converters import Network
from neon.explainer.chunks import Chunk, rows_within
from neon.explainer.replays import Replays
from neon.lrp import LRP
from neon.lrp.paths.integral import Integral
from neon.lrp.recorded import Recording
from neon.lrp.rules import Reference
from neon.nn import Affine, Linear, LinearEnergy
from neon.nn.linear.layers import affine

__all__ = ["SparseFront"]

_ROWS = 2048  # in a chunk: enough that the engine's own time, a millisecond for each, is small
_ENTRIES = 2**20  # in a chunk


@dataclass(frozen=True, eq=False)
class SparseFront:
    """The products ``u = x Wᵀ`` that a network reads its rows by, and recordings of what it makes of them.

    The engine explains the network with u as its input. Of the slopes c that it finds there, relative to the origin,
    ``R_ij = x_ij Σ_k W_kj c_ik``: of a row, its entries alone are read and own relevance.

    Attributes
    ----------
    weight : ndarray (n_products, n_encoded)
    replays : Replays
        Of the network whose input is u.
    chunk_rows : int
        How many rows to explain at a time.
    like : Tensor
        Where, and in the precision in which, the network computes.
    """

    weight: np.ndarray
    replays: Replays
    chunk_rows: int
    like: Tensor

    @classmethod
    def of(cls, network: Network, lrp: LRP, reference: Any) -> SparseFront | None:
        """None where the network starts otherwise, or what is absent from a row may own relevance."""
        origin = reference is None or (isinstance(reference, Tensor) and len(reference) == 1 and not reference.any())
        parts = _parts(network.layers)
        if parts is None or not origin or isinstance(reference, Integral) or lrp.composite.needs_names:
            return None
        weight, layers = parts
        after = LRP(layers.to(weight).eval(), lrp.composite, memory="high")
        products = weight.new_zeros((1, len(weight)))
        start = None if reference is None else products
        found = after.record(products, reference=start)
        if found.integral is not None or found.steps[0].rule not in (None, Reference()):
            return None
        rows = min(_ROWS, rows_within(found.tape.bytes_per_sample()))
        return cls(weight.cpu().double().numpy(), Replays(after, start, found.references), rows, products)

    def stop(self, rows: sparse.csr_matrix, start: int, size: int) -> int:
        """Where a chunk ends: after so many rows, or before those that have more than a million entries together."""
        ends = rows.indptr[start : start + size + 1]
        stop = start + int(np.searchsorted(ends, int(ends[0]) + _ENTRIES, side="right")) - 1
        return min(max(stop, start + 1), rows.shape[0])

    def record(self, rows: sparse.csr_matrix, *, compare: bool) -> Recording:
        """The recording of the products of some rows, whose walks give slopes; compare : as of `Replays.of`."""
        products = np.stack([rows @ w for w in self.weight], axis=1)
        recording = self.replays.of(torch.from_numpy(products).to(self.like), compare=compare)
        return dataclasses.replace(recording, slopes=True)

    def chunk(self, rows: sparse.csr_matrix, found: Chunk) -> Chunk:
        """From slopes (n_rows, n_products) to relevance of the entries (n_entries,)."""
        slopes, counts = found.values.cpu().double().numpy(), np.diff(rows.indptr)
        total = np.zeros(rows.nnz)
        for w, c in zip(self.weight, slopes.T, strict=True):
            if c.any():
                total += w[rows.indices] * np.repeat(c, counts)
        return dataclasses.replace(found, values=torch.from_numpy(total * rows.data))


def _parts(layers: torch.nn.Sequential) -> tuple[Tensor, torch.nn.Sequential] | None:
    """``W``, and the layers as they are of ``x Wᵀ``; scales and shifts in front of the map become part of it."""
    scale: Tensor = torch.ones(())
    shift: Tensor | None = None
    for place, layer in enumerate(layers):
        if type(layer) is Affine:
            scale = scale.to(layer.scale) * layer.scale
            if shift is not None or (layer.shift is not None and layer.shift.any()):
                shift = affine(torch.zeros_like(layer.scale) if shift is None else shift, layer.scale, layer.shift)
            continue
        if not isinstance(layer, Linear | LinearEnergy) or type(layer) not in (Linear, LinearEnergy):
            return None  # subclasses have treatments of their own
        if isinstance(layer, LinearEnergy) and not (layer.means is None and layer.shares is None and shift is None):
            return None
        weight, bias = layer.weight, layer.bias
        if shift is not None:
            moved = weight @ shift.expand(weight.shape[1])
            bias = moved if bias is None else bias + moved
        unit, energy = torch.eye(len(weight)), isinstance(layer, LinearEnergy)
        first = LinearEnergy(unit, bias, residual=layer.residual) if energy else Linear(unit, bias)
        return weight if place == 0 else weight * scale, torch.nn.Sequential(first, *list(layers)[place + 1 :])
    return None
