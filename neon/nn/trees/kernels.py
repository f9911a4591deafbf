"""Shapley values and interactions against the covers, and look-up: the edges of each tree for a block of rows.

Loops compiled by numba; imported only where they are run. Rows stand innermost, so that every inner loop is one vector
instruction after the other. All functions release the interpreter's lock and write to memory of their own: row blocks
run in threads. What they read of the edges is `neon.nn.trees.forest.Edges`.
"""

# mypy: allow-untyped-defs, ignore-missing-imports
from __future__ import annotations

from typing import Any

import numpy as np

from neon._compilation import njit

__all__ = ["BLOCK", "look_up", "shapley"]

BLOCK = 64
_LOOK_UP = 256
_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": {"contract", "nsz"}, "error_model": "numpy"}
_PART: dict[str, Any] = {**_OPTIONS, "cache": False, "forceinline": True}


@njit(**_PART)
def taken(low, high, offset, side, table, e, codes, yes, no, out):
    """``yes`` where codes (n,) of its feature take edge e, ``no`` elsewhere."""
    n = len(codes)
    if offset[e] >= 0:
        place = offset[e]
        for b in range(n):
            out[b] = yes if table[place + codes[b]] == side[e] else no
    else:
        # low <= code <= high, in one comparison of unsigned numbers
        least, span = low[e], np.uint32(high[e] - low[e])
        inside, outside = (yes, no) if side[e] == 1 else (no, yes)
        for b in range(n):
            out[b] = inside if np.uint32(codes[b] - least) <= span else outside


@njit(**_OPTIONS)
def _coefficients(edges, e0, e1, t, keep, share):
    """What each edge does to the product G, and its feature's share of it, by state and quadrature point.

    With ``m(z) = z + (1 - z) t``, a satisfied literal has the factor m(z) and the share ``(1 - z) / m(z)``, one that is
    not ``z (1 - t)`` and ``-1 / (1 - t)``. States: 2, all literals of the feature hold; 1, all but this edge's; 0, one
    further up does not.
    """
    for e in range(e0, e1):
        z_above, z, above = edges.z_above[e], edges.z[e], edges.above[e]
        for q in range(len(t)):
            before = z_above + (1 - z_above) * t[q]
            after = z + (1 - z) * t[q]
            known = (1 - z_above) / before if above else 0.0
            keep[e - e0, 0, q] = edges.ratio[e]
            keep[e - e0, 1, q] = z * (1 - t[q]) / before
            keep[e - e0, 2, q] = after / before
            share[e - e0, 1, q] = -1 / (1 - t[q]) - known
            share[e - e0, 2, q] = (1 - z) / after - known


@njit(**_PART)
def _asked(slope, begin, n, output, outputs):
    """Write the outputs of a tree that some row has a slope of into ``outputs``; how many they are."""
    found = 0
    for k in range(len(slope)):
        if output < 0 or k == output:
            outputs[found] = k
            for b in range(n):
                if slope[k, begin + b] != 0:
                    found += 1
                    break
    return found


@njit(**_PART)
def _pick(state, of_0, of_1, of_2):
    return of_2 if state == 2 else (of_1 if state == 1 else of_0)


@njit(**_PART)
def _add_leaf(G, H, state, d, q, n, value, c0, c1, c2, s0, s1, s2, merged, weighted, total):
    """H of a leaf at one quadrature point to the edge above, and the share of the leaf's own edge to ``total``.

    ``merged`` and ``weighted`` are constants at each call: an edge that starts its literal has no state 0.
    """
    for b in range(n):
        h = G[d - 1, q, b] * _pick(state[d, b], c0 if merged else c1, c1, c2)
        if weighted:
            h *= value[b]
        H[d - 1, q, b] += h
        total[b] += h * _pick(state[d, b], s0 if merged else s1, s1, s2)


@njit(**_PART)
def _share_alone(H, state, share, j, Q, n, total):
    """``Σ_q H_q share_q`` of the edge at depth j; add its H to that of the edge above."""
    for b in range(n):
        total[b] = 0
    for q in range(Q):
        s0, s1, s2 = share[0, q], share[1, q], share[2, q]
        for b in range(n):
            total[b] += H[j, q, b] * _pick(state[j, b], s0, s1, s2)
            H[j - 1, q, b] += H[j, q, b]


@njit(**_PART)
def _share_in_pairs(H, S, j, Q, n, feature_at, total, phi, begin):
    """Add ``Σ_q H_q share_q share_q'`` with every edge above on another feature; the edge's H to that above."""
    for q in range(Q):
        for b in range(n):
            H[j - 1, q, b] += H[j, q, b]
            H[j, q, b] *= S[j, q, b]
    for m in range(1, j):
        if feature_at[m] == feature_at[j]:
            continue
        for b in range(n):
            total[b] = 0
        for q in range(Q):
            for b in range(n):
                total[b] += H[j, q, b] * S[m, q, b]
        g, h = min(feature_at[m], feature_at[j]), max(feature_at[m], feature_at[j])
        for b in range(n):
            phi[g, h, begin + b] += total[b]


@njit(**_OPTIONS)
def shapley(codes, slope, phi, first_tree, last_tree, edges, n_points, points, weights, block):
    """Add ``Σ_k slope_k φ_k`` of some trees to ``phi`` (n_used, n_rows).

    Depth first: down the tree the product ``G`` of the literals' factors at each quadrature point, up the tree the sum
    ``H`` of G times the leaf values below; at each edge its feature takes ``Σ_q H_q share_q``. codes (n_used, n_rows),
    slope (n_outputs, n_rows); ``block`` rows at a time.

    Interactions where ``phi`` is (n_used, n_used, n_rows): twice ``Σ_k slope_k φ_ij,k``, at one of ij and ji. At each
    edge every edge above on another feature takes ``Σ_q H_q share_q share_q'``.
    """
    in_pairs = phi.ndim == 3
    lanes = BLOCK if in_pairs else block  # a constant, where it can be one, makes better loops
    start, depth, above, feature, leaf = edges.start, edges.depth, edges.above, edges.feature, edges.leaf
    low, high, offset, side, table = edges.low, edges.high, edges.offset, edges.side, edges.table
    values, output, max_depth, longest = edges.values, edges.output, edges.max_depth, edges.longest
    n_rows, n_values, most = codes.shape[1], values.shape[1], points.shape[1]
    kind = phi.dtype
    G = np.empty((max_depth + 1, most, lanes), kind)
    H = np.zeros((max_depth + 1, most, lanes), kind)
    S = np.empty((max_depth + 1 if in_pairs else 0, most, lanes), kind)
    state = np.empty((max_depth + 1, lanes), np.int32)
    on_path, feature_at = np.empty(max_depth + 1, np.int64), np.empty(max_depth + 1, np.int64)
    total, value, outputs = np.empty(lanes, kind), np.empty(lanes, kind), np.empty(len(slope), np.int64)
    keep, share = np.zeros((longest, 3, most), kind), np.zeros((longest, 3, most), kind)
    zero, one, two = np.int32(0), np.int32(1), np.int32(2)
    # A row's single slope stands in G from the start; several of them weight each leaf's values.
    weighted = in_pairs or n_values > 1
    for tree in range(first_tree, last_tree):
        e0, e1, Q, own = start[tree], start[tree + 1], n_points[tree], output[tree]
        if e0 == e1:
            continue
        ready = False
        for begin in range(0, n_rows, block):
            n = min(block, n_rows - begin)
            n_asked = _asked(slope, begin, n, own if n_values == 1 else -1, outputs)
            if n_asked == 0:
                continue
            for q in range(Q):
                for b in range(n):
                    G[0, q, b] = weights[Q, q] if weighted else weights[Q, q] * slope[own, begin + b]
            if not ready:
                _coefficients(edges, e0, e1, points[Q, :Q], keep, share)
                ready = True
            for e in range(e0, e1):
                d, a, f, i = depth[e], above[e], feature[e], e - e0
                on_path[d], feature_at[d] = i, f
                taken(low, high, offset, side, table, e, codes[f, begin : begin + n], two, one, state[d])
                if a:
                    for b in range(n):
                        state[d, b] = state[d, b] if state[a, b] == 2 else zero
                if phi.ndim == 3:
                    for q in range(Q):
                        s0, s1, s2 = share[i, 0, q], share[i, 1, q], share[i, 2, q]
                        for b in range(n):
                            S[d, q, b] = _pick(state[d, b], s0, s1, s2)
                if not leaf[e]:
                    for q in range(Q):
                        c0, c1, c2 = keep[i, 0, q], keep[i, 1, q], keep[i, 2, q]
                        for b in range(n):
                            G[d, q, b] = G[d - 1, q, b] * _pick(state[d, b], c0, c1, c2)
                    for q in range(Q):
                        for b in range(n):
                            H[d, q, b] = 0
                    continue
                v = kind.type(1) if weighted else kind.type(values[e, 0])
                if weighted:
                    for b in range(n):
                        value[b] = 0
                    for m in range(n_asked):
                        k = outputs[m]
                        for b in range(n):
                            value[b] += slope[k, begin + b] * kind.type(values[e, k if n_values > 1 else 0])
                for b in range(n):
                    total[b] = 0
                for q in range(Q):
                    c0, c1, c2 = v * keep[i, 0, q], v * keep[i, 1, q], v * keep[i, 2, q]
                    s0, s1, s2 = share[i, 0, q], share[i, 1, q], share[i, 2, q]
                    if phi.ndim == 3:
                        for b in range(n):
                            H[d, q, b] = G[d - 1, q, b] * _pick(state[d, b], c0, c1, c2) * value[b]
                        continue
                    if weighted:
                        _add_leaf(G, H, state, d, q, n, value, c0, c1, c2, s0, s1, s2, True, True, total)
                    elif a:
                        _add_leaf(G, H, state, d, q, n, value, c0, c1, c2, s0, s1, s2, True, False, total)
                    else:
                        _add_leaf(G, H, state, d, q, n, value, c0, c1, c2, s0, s1, s2, False, False, total)
                following = depth[e + 1] if e + 1 < e1 else 1
                if phi.ndim == 3:
                    for j in range(d, following - 1, -1):
                        _share_in_pairs(H, S, j, Q, n, feature_at, total, phi, begin)
                    continue
                for j in range(d, following - 1, -1):
                    if j < d:
                        _share_alone(H, state, share[on_path[j]], j, Q, n, total)
                    for b in range(n):
                        phi[feature_at[j], begin + b] += total[b]


@njit(**_OPTIONS)
def look_up(codes, slope, phi, edges, group_start, source, asked, row, rows):
    """Add ``Σ_k slope_k φ_k`` from tables ``rows`` (n_values, n_rows, width) to ``phi`` (n_samples, width).

    codes (n_used, n_samples), slope (n_samples, n_outputs); of the bits see `neon.nn.trees.tables.Groups`.
    """
    low, high, offset, side, table = edges.low, edges.high, edges.offset, edges.side, edges.table
    n_samples, n_edges, n_trees, n_values = codes.shape[1], len(edges.feature), len(edges.output), rows.shape[0]
    width, n_bits = rows.shape[2], source.shape[1]
    most = 1
    for tree in range(n_trees):
        most = max(most, group_start[tree + 1] - group_start[tree])
    single, merged = np.empty((edges.longest, _LOOK_UP), np.uint8), np.empty((edges.longest, _LOOK_UP), np.uint8)
    index = np.empty((most, _LOOK_UP), np.uint8)
    no_bits, all_bits = np.uint8(0), np.uint8(255)
    for tree in range(n_trees):
        e0, e1, g0, g1 = edges.start[tree], edges.start[tree + 1], group_start[tree], group_start[tree + 1]
        output = edges.output[tree]
        for begin in range(0, n_samples, _LOOK_UP):
            n = min(_LOOK_UP, n_samples - begin)
            used = n_values > 1
            for b in range(n):
                used |= slope[begin + b, output] != 0
            if not used:
                continue
            for e in range(e0, e1):
                if asked[e] == 0:
                    continue
                i, above = e - e0, edges.above_edge[e]
                taken(
                    low,
                    high,
                    offset,
                    side,
                    table,
                    e,
                    codes[edges.feature[e], begin : begin + n],
                    all_bits,
                    no_bits,
                    single[i],
                )
                if asked[e] & 1:
                    for b in range(n):
                        merged[i, b] = single[i, b] & (merged[above - e0, b] if above >= 0 else all_bits)
            for g in range(g0, g1):
                for b in range(n):
                    index[g - g0, b] = 0
                for k in range(n_bits):
                    e, bit = source[g, k], np.uint8(1 << k)
                    if e < 0:
                        continue
                    of = merged[e - e0] if e < n_edges else single[e - n_edges - e0]
                    for b in range(n):
                        index[g - g0, b] |= of[b] & bit
            for k in range(n_values):
                for b in range(n):
                    s = slope[begin + b, output if n_values == 1 else k]
                    if s != 0:
                        for g in range(g0, g1):
                            r = row[g] + index[g - g0, b]
                            for w in range(width):
                                phi[begin + b, w] += s * rows[k, r, w]
