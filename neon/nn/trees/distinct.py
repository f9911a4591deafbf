"""Values against reference rows on long paths: each different pattern of x's with each of the reference rows'.

Where there are too many patterns for a table (`neon.nn.trees.patterns`), those that rows have are numbered at each
leaf, and every pattern of explained rows meets every pattern of reference rows once. Loops compiled by numba, otherwise
as `neon.nn.trees.kernels`.
"""

# mypy: allow-untyped-defs, ignore-missing-imports
from __future__ import annotations

from typing import Any

import numpy as np

from neon._compilation import njit
from neon.nn.trees.kernels import taken

__all__ = ["LONGEST", "add_shares"]

LONGEST = 64  # literals of a pattern
_ROWS = 1024
_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": {"contract", "nsz"}, "error_model": "numpy"}
_PART: dict[str, Any] = {**_OPTIONS, "cache": False, "forceinline": True}


@njit(**_OPTIONS)
def _miss(codes, edges, e, above, missed):
    """What rows with codes (n,) of the edge's feature miss down to it, as bits."""
    bit = np.uint64(1) << np.uint64(edges.slot[e])
    taken(edges.low, edges.high, edges.offset, edges.side, edges.table, e, codes, np.uint64(0), bit, missed)
    for b in range(len(codes)):
        missed[b] |= above[b]


@njit(**_OPTIONS)
def _number(patterns, table, different, number):
    """Number the different patterns in the order of their appearance; how many they are.

    ``table`` (a power of two) is a hash table of numbers.
    """
    table[:] = -1
    found, last = 0, np.uint64(len(table) - 1)
    for b in range(len(patterns)):
        pattern = patterns[b]
        place = (pattern * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32) & last
        while table[place] >= 0 and different[table[place]] != pattern:
            place = (place + np.uint64(1)) & last
        if table[place] < 0:
            table[place] = found
            different[found] = pattern
            found += 1
        number[b] = table[place]
    return found


@njit(**_OPTIONS)
def _share(A, patterns, portions, sizes, n, D, plus, minus, share):
    """What a leaf of value 1 gives to each of its D literals, of which x misses A: into ``share`` (D,)."""
    q, lost = 0, 0.0
    for i in range(D):
        share[i] = 0
        q += (A >> np.uint64(i)) & np.uint64(1) != 0
    for b in range(n):
        B = patterns[b]
        if A & B == 0:
            p = sizes[b]
            lost += portions[b] * minus[q, p]
            won = portions[b] * plus[q, p]
            for i in range(D):
                share[i] += won if (B >> np.uint64(i)) & np.uint64(1) else 0.0
    for i in range(D):
        if (A >> np.uint64(i)) & np.uint64(1):
            share[i] = -lost


@njit(**_OPTIONS)
def add_shares(codes, slope, phi, first_tree, last_tree, edges, passed, reference, weights, plus, minus):
    """Add ``Σ_k slope_k φ_k`` of the leaves that ``passed`` leads to, to ``phi`` (n_used, n_rows).

    codes (n_used, n_rows), slope (n_outputs, n_rows), reference (n_used, n_reference), weights (n_reference,);
    ``plus[q, p]`` and ``minus[q, p]`` as `neon.nn.trees.quadrature.shares_between`.
    """
    start, skip, depth, above, feature = edges.start, edges.skip, edges.depth, edges.above, edges.feature
    leaf, slot, length, values, output = edges.leaf, edges.slot, edges.length, edges.values, edges.output
    n_rows, n_reference, n_values, deepest = codes.shape[1], len(weights), values.shape[1], edges.max_depth + 1
    missed, others = np.zeros((deepest, _ROWS), np.uint64), np.zeros((deepest, n_reference), np.uint64)
    different, number = np.empty(_ROWS, np.uint64), np.empty(max(_ROWS, n_reference), np.int32)
    patterns, portions, sizes = np.empty(n_reference, np.uint64), np.empty(n_reference), np.empty(n_reference, np.int32)
    table, room = np.empty(2 * _ROWS, np.int32), 2
    while room < 2 * n_reference:
        room *= 2
    table_of_reference = np.empty(room, np.int32)
    of_one, shares, share = np.zeros((LONGEST, _ROWS)), np.empty((LONGEST, _ROWS)), np.empty(LONGEST)
    value, on_path = np.empty(_ROWS), np.zeros(deepest, np.int64)
    for begin in range(0, n_rows, _ROWS):
        n = min(_ROWS, n_rows - begin)
        for tree in range(first_tree, last_tree):
            asked = n_values > 1
            for b in range(n):
                asked |= slope[output[tree], begin + b] != 0
            e, e1, last = start[tree], start[tree + 1] if asked else start[tree], 0
            while True:
                d = depth[e] if e < e1 else 1
                for j in range(last, d - 1, -1):
                    i = on_path[j]
                    if above[i] == 0:
                        for b in range(n):
                            phi[feature[i], begin + b] += of_one[slot[i], b]
                if e == e1:
                    break
                last = d - 1
                if not passed[e]:
                    e = skip[e]
                    continue
                last, on_path[d] = d, e
                _miss(codes[feature[e], begin : begin + n], edges, e, missed[d - 1], missed[d])
                _miss(reference[feature[e]], edges, e, others[d - 1], others[d])
                if above[e] == 0:
                    of_one[slot[e], :n] = 0
                if leaf[e]:
                    D = length[e]
                    m = _number(others[d], table_of_reference, patterns, number)
                    portions[:m] = 0
                    for b in range(n_reference):
                        portions[number[b]] += weights[b]
                    for b in range(m):
                        sizes[b], rest = 0, patterns[b]
                        while rest:
                            rest &= rest - np.uint64(1)
                            sizes[b] += 1
                    for a in range(_number(missed[d, :n], table, different, number)):
                        _share(different[a], patterns, portions, sizes, m, D, plus, minus, share)
                        for i in range(D):
                            shares[i, a] = share[i]
                    for b in range(n):
                        value[b] = 0
                        for k in range(n_values):
                            value[b] += values[e, k] * slope[output[tree] if n_values == 1 else k, begin + b]
                    for i in range(D):
                        own, found = of_one[i], shares[i]
                        for b in range(n):
                            own[b] += value[b] * found[number[b]]
                e += 1
