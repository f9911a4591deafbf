"""Shapley values against reference rows: the edges of each tree for one row and a block of reference rows.

A loop compiled by numba, with reference rows innermost; otherwise as `neon.nn.trees.kernels`. Branches that no
reference row can reach together with the row are passed over.
"""

# mypy: allow-untyped-defs, ignore-missing-imports
from __future__ import annotations

from typing import Any

import numpy as np

from neon._compilation import njit

__all__ = ["interventional"]

_REFERENCES = 128
_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": {"contract", "nsz"}, "error_model": "numpy"}


@njit(**_OPTIONS)
def interventional(codes, slope, phi, first_tree, last_tree, edges, passed, reference, weights, plus, minus):
    """Add ``Σ_k slope_k φ_k``, the weighted sum over reference rows, to ``phi`` (n_used, n_rows).

    One row at a time against a block of reference rows: codes (n_used, n_rows), reference (n_used, n_reference),
    weights (n_reference,). ``passed`` says which edges lead to leaves that are asked for.
    ``plus[q, p]`` and ``minus[q, p]`` are the shares of literals that only x, or only the reference row, satisfies;
    their last column is 0, for pairs that reach no leaf below together.
    """
    start, skip, depth, above, feature = edges.start, edges.skip, edges.depth, edges.above, edges.feature
    low, high, offset, side, table = edges.low, edges.high, edges.offset, edges.side, edges.table
    leaf, values, output, max_depth = edges.leaf, edges.values, edges.output, edges.max_depth
    n_rows, n_reference, n_values = codes.shape[1], reference.shape[1], values.shape[1]
    kind, dead = phi.dtype, plus.shape[1] - 1
    shape = (max_depth + 1, _REFERENCES)
    count = np.zeros(shape, np.int32)  # literals that only x satisfies; ``dead`` where none can
    holds = np.ones(shape, np.int32)  # for the reference row: the merged literal
    fails = np.empty(shape, np.int32)  # this edge is where it stopped holding
    gain, loss = np.empty(shape, kind), np.empty(max_depth + 1, kind)
    missed = np.zeros(max_depth + 1, np.int32)  # literals that only the reference row satisfies
    own = np.ones(max_depth + 1, np.bool_)  # for x: the merged literal
    turn = np.zeros(max_depth + 1, np.int32)  # 1: x satisfies; -1: this edge is where it stopped; 0: further up
    feature_at = np.zeros(max_depth + 1, np.int32)
    for begin in range(0, n_reference, _REFERENCES):
        n = min(_REFERENCES, n_reference - begin)
        weight = weights[begin : begin + n]
        for row in range(n_rows):
            for tree in range(first_tree, last_tree):
                s = slope[output[tree], row] if n_values == 1 else kind.type(1)
                if s == 0:
                    continue
                e, e1 = start[tree], start[tree + 1]
                while e < e1:
                    d, a = depth[e], above[e]
                    least = dead
                    if passed[e]:
                        feature_at[d] = feature[e]
                        code = codes[feature[e], row]
                        if offset[e] >= 0:
                            taken = table[offset[e] + code] == side[e]
                        else:
                            taken = ((code >= low[e]) & (code <= high[e])) == (side[e] == 1)
                        own[d] = own[a] & taken
                        turn[d] = 1 if own[d] else (-1 if own[a] else 0)
                        missed[d] = missed[d - 1] + (turn[d] == -1)
                        at = reference[feature[e], begin : begin + n]
                        if offset[e] >= 0:
                            for b in range(n):
                                holds[d, b] = table[offset[e] + at[b]] == side[e]
                        else:
                            flip = np.int32(1 - side[e])
                            for b in range(n):
                                holds[d, b] = np.int32((at[b] >= low[e]) & (at[b] <= high[e])) ^ flip
                        for b in range(n):
                            fails[d, b] = holds[a, b] & (1 - holds[d, b])
                            holds[d, b] &= holds[a, b]
                        if own[d]:
                            for b in range(n):
                                count[d, b] = min(count[d - 1, b] + fails[d, b], dead)
                                least = min(least, count[d, b])
                        else:
                            for b in range(n):
                                count[d, b] = count[d - 1, b] if holds[d, b] else dead
                                least = min(least, count[d, b])
                    last = d  # the deepest edge that is left behind next
                    if least == dead:
                        last = d - 1
                    elif leaf[e]:
                        v = values[e, 0] * s
                        if n_values > 1:
                            v = 0.0
                            for k in range(n_values):
                                v += values[e, k] * slope[k, row]
                            v *= s
                        q = missed[d]
                        lost = kind.type(0)
                        for b in range(n):
                            gain[d, b] = v * plus[q, count[d, b]] * weight[b]
                            lost += minus[q, count[d, b]] * weight[b]
                        loss[d] = v * lost
                    else:
                        for b in range(n):
                            gain[d, b] = 0
                        loss[d] = 0
                        e += 1
                        continue
                    e = skip[e]
                    following = depth[e] if e < e1 else 1
                    for j in range(last, following - 1, -1):
                        if turn[j] == 1:
                            won = kind.type(0)
                            for b in range(n):
                                won += gain[j, b] * fails[j, b]
                            phi[feature_at[j], row] += won
                        elif turn[j] == -1:
                            phi[feature_at[j], row] -= loss[j]
                        if j > 1:
                            for b in range(n):
                                gain[j - 1, b] += gain[j, b]
                            loss[j - 1] += loss[j]
