"""Shapley values against the covers for a few rows: one row at a time, quadrature points innermost.

What `neon.nn.trees.kernels` computes for a block of rows, in another order: with few rows there is nothing to fill its
vector instructions with. The points of a tree are filled up to a whole number of vectors by points of weight 0.
"""

# mypy: allow-untyped-defs, ignore-missing-imports
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from neon._compilation import njit

__all__ = ["shapley"]

_OPTIONS: dict[str, Any] = {
    "nogil": True, "cache": True, "fastmath": {"contract", "nsz", "reassoc"}, "error_model": "numpy",
}  # fmt: skip


@functools.cache
def shapley(width: int) -> Callable[..., None]:
    """The loop for trees of at most so many points, a number that is known when it is compiled."""

    @njit(**_OPTIONS)
    def of_few_rows(codes, slope, phi, trees, edges, n_points, points, weights):
        """Add ``Σ_k slope_k φ_k`` of some trees to ``phi`` (n_rows, n_used).

        codes (n_used, n_rows), slope (n_rows, n_outputs); points and weights (most + 1, width).
        """
        start, depth, above, feature, leaf = edges.start, edges.depth, edges.above, edges.feature, edges.leaf
        low, high, offset, side, table = edges.low, edges.high, edges.offset, edges.side, edges.table
        values, output, z_above, z, ratio = edges.values, edges.output, edges.z_above, edges.z, edges.ratio
        n_values, deepest = values.shape[1], edges.max_depth + 1
        G, H, S = np.empty((deepest, width)), np.empty((deepest, width)), np.zeros((deepest, width))
        inverse = np.empty(width)
        state, feature_at = np.zeros(deepest, np.int64), np.zeros(deepest, np.int64)
        for row in range(codes.shape[1]):
            for tree in trees:
                own = slope[row, output[tree]] if n_values == 1 else 1.0
                if own == 0:
                    continue
                t = points[n_points[tree]]
                for q in range(width):
                    G[0, q] = weights[n_points[tree], q] * own
                    inverse[q] = 1 / (1 - t[q])  # a division takes as long as all else that is done at a point
                for e in range(start[tree], start[tree + 1]):
                    d, code = depth[e], codes[feature[e], row]
                    if offset[e] >= 0:
                        taken = table[offset[e] + code] == side[e]
                    else:
                        taken = (low[e] <= code <= high[e]) == (side[e] == 1)
                    feature_at[d], alone = feature[e], above[e] == 0
                    state[d] = (2 if taken else 1) if alone or state[above[e]] == 2 else 0
                    # The factor of the edge, to the product G, and its feature's share of it: see `kernels`.
                    before, after = z_above[e], z[e]
                    if state[d] == 0:
                        for q in range(width):
                            S[d, q] = 0.0
                            G[d, q] = G[d - 1, q] * ratio[e]
                    elif alone and state[d] == 2:
                        for q in range(width):
                            m = after + (1 - after) * t[q]
                            S[d, q] = (1 - after) / m
                            G[d, q] = G[d - 1, q] * m
                    elif alone:
                        for q in range(width):
                            S[d, q] = -inverse[q]
                            G[d, q] = G[d - 1, q] * (after * (1 - t[q]))
                    elif state[d] == 2:
                        for q in range(width):
                            was, m = 1 / (before + (1 - before) * t[q]), after + (1 - after) * t[q]
                            S[d, q] = (1 - after) / m - (1 - before) * was
                            G[d, q] = G[d - 1, q] * (m * was)
                    else:
                        for q in range(width):
                            was = 1 / (before + (1 - before) * t[q])
                            S[d, q] = -inverse[q] - (1 - before) * was
                            G[d, q] = G[d - 1, q] * (after * (1 - t[q]) * was)
                    if not leaf[e]:
                        for q in range(width):
                            H[d, q] = 0.0
                        continue
                    value = values[e, 0]
                    if n_values > 1:
                        value = 0.0
                        for k in range(n_values):
                            value += slope[row, k] * values[e, k]
                    for q in range(width):
                        H[d, q] = G[d, q] * value
                    following = depth[e + 1] if e + 1 < start[tree + 1] else 1
                    for j in range(d, following - 1, -1):
                        total = 0.0
                        for q in range(width):
                            total += H[j, q] * S[j, q]
                            if j > 1:
                                H[j - 1, q] += H[j, q]
                        phi[row, feature_at[j]] += total

    return of_few_rows
