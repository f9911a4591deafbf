"""The loops over rows, trees and edges, compiled by numba. Imported only where they are run.

Rows stand innermost, a block of them at a time, so that every inner loop is one vector instruction after the other.
All functions release the interpreter's lock and write to memory of their own: row blocks run in threads.
"""

# mypy: allow-untyped-defs, ignore-missing-imports
from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["BLOCK", "encode", "equal", "interventional", "look_up", "path", "shapley", "shapley_interactions", "walk"]

BLOCK = 64
_LOOK_UP = 256
_REFERENCES = 128
_WALK = 512
_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": {"contract", "nsz"}, "error_model": "numpy"}


@njit(**_OPTIONS)
def encode(x, bits, begin, end, used, cuts, n_cuts, categorical, closed, strict, lowest, infinity, codes):
    """Codes of rows ``begin..end``, as `neon.nn.trees.codes.Codes`; x (n, n_features) with its bits as integers."""
    for u in range(len(used)):
        f, n = used[u], n_cuts[u]
        for row in range(begin, end):
            key = np.int64(bits[row, f])
            key = key if key >= 0 else lowest - key
            if key > infinity or key < -infinity:  # NaN
                codes[u, row] = 0
                continue
            if categorical[u]:
                whole = x[row, f]
                key = np.int64(whole) if abs(whole) < 2.0**53 else np.int64(-1)
            # The number of cuts below the key, or up to it.
            below, rest = 0, n
            while rest > 0:
                half = rest >> 1
                cut = cuts[u, below + half]
                right = (cut <= key) if strict and not categorical[u] else (cut < key)
                below = below + half + 1 if right else below
                rest = rest - half - 1 if right else half
            if categorical[u] and (below == n or cuts[u, below] != key):
                below = -1 if closed[u] else n
            codes[u, row] = 1 + below


@njit(**_OPTIONS)
def _coefficients(e0, e1, t, above, z_above, z, ratio, keep, share):
    """What each edge does to the product G, and its feature's share of it, by state and quadrature point.

    With ``m(z) = z + (1 - z) t``, a satisfied literal has the factor m(z) and the share ``(1 - z) / m(z)``, one that is
    not ``z (1 - t)`` and ``-1 / (1 - t)``. States: 2, all literals of the feature hold; 1, all but this edge's; 0, one
    further up does not.
    """
    for e in range(e0, e1):
        for q in range(len(t)):
            before = z_above[e] + (1 - z_above[e]) * t[q]
            after = z[e] + (1 - z[e]) * t[q]
            known = (1 - z_above[e]) / before if above[e] else 0.0
            keep[e - e0, 0, q] = ratio[e]
            keep[e - e0, 1, q] = z[e] * (1 - t[q]) / before
            keep[e - e0, 2, q] = after / before
            share[e - e0, 1, q] = -1 / (1 - t[q]) - known
            share[e - e0, 2, q] = (1 - z[e]) / after - known


@njit(**_OPTIONS)
def shapley(
    codes, slope, phi, first_tree, last_tree, start, depth, above, feature, low, high, offset, side, table,
    ratio, z_above, z, leaf, values, output, n_points, points, weights, max_depth, block,
):  # fmt: skip
    """Add ``Σ_k slope_k φ_k`` of some trees to ``phi`` (n_used, n_rows).

    Depth first: down the tree the product ``G`` of the literals' factors at each quadrature point, up the tree the sum
    ``H`` of G times the leaf values below; at each edge its feature takes ``Σ_q H_q share_q``. codes (n_used, n_rows),
    slope (n_outputs, n_rows); ``block`` rows at a time.
    """
    n_rows, n_values, most = codes.shape[1], values.shape[1], points.shape[1]
    kind = phi.dtype
    G = np.empty((max_depth + 1, most, block), kind)
    H = np.empty((max_depth + 1, most, block), kind)
    state = np.empty((max_depth + 1, block), np.int32)
    on_path = np.empty(max_depth + 1, np.int64)
    total = np.empty(block, kind)
    value = np.empty(block, kind)
    longest = 0
    for tree in range(first_tree, last_tree):
        longest = max(longest, start[tree + 1] - start[tree])
    keep = np.zeros((longest, 3, most), kind)
    share = np.zeros((longest, 3, most), kind)
    zero, one = np.int32(0), np.int32(1)
    for tree in range(first_tree, last_tree):
        e0, e1, Q = start[tree], start[tree + 1], n_points[tree]
        if e0 == e1:
            continue
        ready = False
        for begin in range(0, n_rows, block):
            n = min(block, n_rows - begin)
            if n_values == 1:
                used = False
                for b in range(n):
                    used |= slope[output[tree], begin + b] != 0
                if not used:
                    continue
                for q in range(Q):
                    for b in range(n):
                        G[0, q, b] = weights[Q, q] * slope[output[tree], begin + b]
            else:
                for q in range(Q):
                    for b in range(n):
                        G[0, q, b] = weights[Q, q]
            if not ready:
                _coefficients(e0, e1, points[Q, :Q], above, z_above, z, ratio, keep, share)
                ready = True
            for e in range(e0, e1):
                d, f, a = depth[e], feature[e], above[e]
                on_path[d] = e
                if offset[e] >= 0:
                    for b in range(n):
                        state[d, b] = 2 if table[offset[e] + codes[f, begin + b]] == side[e] else 1
                else:
                    # ``yes`` where low <= code <= high, in one comparison of unsigned numbers
                    lo, span = low[e], np.uint32(high[e] - low[e])
                    yes, no = (one + one, one) if side[e] == 1 else (one, one + one)
                    for b in range(n):
                        state[d, b] = yes if np.uint32(codes[f, begin + b] - lo) <= span else no
                if a:
                    for b in range(n):
                        state[d, b] = state[d, b] if state[a, b] == 2 else zero
                i = e - e0
                if not leaf[e]:
                    for q in range(Q):
                        c0, c1, c2 = keep[i, 0, q], keep[i, 1, q], keep[i, 2, q]
                        if a:
                            for b in range(n):
                                c = c2 if state[d, b] == 2 else (c1 if state[d, b] == 1 else c0)
                                G[d, q, b] = G[d - 1, q, b] * c
                                H[d, q, b] = 0
                        else:
                            for b in range(n):
                                G[d, q, b] = G[d - 1, q, b] * (c2 if state[d, b] == 2 else c1)
                                H[d, q, b] = 0
                    continue
                v = kind.type(values[e, 0])
                if n_values > 1:
                    v = kind.type(1)
                    for b in range(n):
                        value[b] = 0
                    for k in range(n_values):
                        for b in range(n):
                            value[b] += slope[k, begin + b] * kind.type(values[e, k])
                for b in range(n):
                    total[b] = 0
                for q in range(Q):
                    c0, c1, c2 = v * keep[i, 0, q], v * keep[i, 1, q], v * keep[i, 2, q]
                    s0, s1, s2 = share[i, 0, q], share[i, 1, q], share[i, 2, q]
                    if n_values > 1:
                        for b in range(n):
                            c = c2 if state[d, b] == 2 else (c1 if state[d, b] == 1 else c0)
                            s = s2 if state[d, b] == 2 else (s1 if state[d, b] == 1 else s0)
                            h = G[d - 1, q, b] * c * value[b]
                            H[d - 1, q, b] += h
                            total[b] += h * s
                    elif a:
                        for b in range(n):
                            c = c2 if state[d, b] == 2 else (c1 if state[d, b] == 1 else c0)
                            s = s2 if state[d, b] == 2 else (s1 if state[d, b] == 1 else s0)
                            h = G[d - 1, q, b] * c
                            H[d - 1, q, b] += h
                            total[b] += h * s
                    else:
                        for b in range(n):
                            h = G[d - 1, q, b] * (c2 if state[d, b] == 2 else c1)
                            H[d - 1, q, b] += h
                            total[b] += h * (s2 if state[d, b] == 2 else s1)
                for b in range(n):
                    phi[f, begin + b] += total[b]
                following = depth[e + 1] if e + 1 < e1 else 1
                for j in range(d - 1, following - 1, -1):
                    i, a = on_path[j] - e0, above[on_path[j]]
                    for b in range(n):
                        total[b] = 0
                    for q in range(Q):
                        s0, s1, s2 = share[i, 0, q], share[i, 1, q], share[i, 2, q]
                        if a:
                            for b in range(n):
                                s = s2 if state[j, b] == 2 else (s1 if state[j, b] == 1 else s0)
                                total[b] += H[j, q, b] * s
                                H[j - 1, q, b] += H[j, q, b]
                        else:
                            for b in range(n):
                                total[b] += H[j, q, b] * (s2 if state[j, b] == 2 else s1)
                                H[j - 1, q, b] += H[j, q, b]
                    g = feature[on_path[j]]
                    for b in range(n):
                        phi[g, begin + b] += total[b]


@njit(**_OPTIONS)
def shapley_interactions(
    codes, slope, phi, first_tree, last_tree, start, depth, above, feature, low, high, offset, side, table,
    ratio, z_above, z, leaf, values, output, n_points, points, weights, max_depth,
):  # fmt: skip
    """Add twice ``Σ_k slope_k φ_ij,k`` of some trees to ``phi`` (n_used, n_used, n_rows), at one of ij and ji.

    As `shapley`, for at most `BLOCK` rows; at each edge every edge above on another feature takes
    ``Σ_q H_q share_q share_q'``.
    """
    n, n_values, most = codes.shape[1], values.shape[1], points.shape[1]
    kind = phi.dtype
    G = np.empty((max_depth + 1, most, BLOCK), kind)
    H = np.empty((max_depth + 1, most, BLOCK), kind)
    S = np.empty((max_depth + 1, most, BLOCK), kind)
    state = np.empty((max_depth + 1, BLOCK), np.int32)
    feature_at = np.empty(max_depth + 1, np.int64)
    total = np.empty(BLOCK, kind)
    value = np.empty(BLOCK, kind)
    longest = 0
    for tree in range(first_tree, last_tree):
        longest = max(longest, start[tree + 1] - start[tree])
    keep = np.zeros((longest, 3, most), kind)
    share = np.zeros((longest, 3, most), kind)
    for tree in range(first_tree, last_tree):
        e0, e1, Q = start[tree], start[tree + 1], n_points[tree]
        if e0 == e1:
            continue
        used = n_values > 1
        if n_values == 1:
            for b in range(n):
                used |= slope[output[tree], b] != 0
        if not used:
            continue
        for q in range(Q):
            for b in range(n):
                G[0, q, b] = weights[Q, q]
        _coefficients(e0, e1, points[Q, :Q], above, z_above, z, ratio, keep, share)
        for e in range(e0, e1):
            d, f, a, i = depth[e], feature[e], above[e], e - e0
            feature_at[d] = f
            for b in range(n):
                if offset[e] >= 0:
                    taken = table[offset[e] + codes[f, b]] == side[e]
                else:
                    taken = ((codes[f, b] >= low[e]) & (codes[f, b] <= high[e])) == (side[e] == 1)
                state[d, b] = 2 if taken else 1
            if a:
                for b in range(n):
                    state[d, b] = state[d, b] if state[a, b] == 2 else 0
            for q in range(Q):
                c0, c1, c2 = keep[i, 0, q], keep[i, 1, q], keep[i, 2, q]
                s0, s1, s2 = share[i, 0, q], share[i, 1, q], share[i, 2, q]
                for b in range(n):
                    G[d, q, b] = G[d - 1, q, b] * (c2 if state[d, b] == 2 else (c1 if state[d, b] == 1 else c0))
                    S[d, q, b] = s2 if state[d, b] == 2 else (s1 if state[d, b] == 1 else s0)
                    H[d, q, b] = 0
            if not leaf[e]:
                continue
            for b in range(n):
                value[b] = 0
            for k in range(n_values):
                at = output[tree] if n_values == 1 else k
                for b in range(n):
                    value[b] += slope[at, b] * kind.type(values[e, k])
            for q in range(Q):
                for b in range(n):
                    H[d, q, b] = G[d, q, b] * value[b]
            following = depth[e + 1] if e + 1 < e1 else 1
            for j in range(d, following - 1, -1):
                if j > 1:
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
                        phi[g, h, b] += total[b]


@njit(**_OPTIONS)
def interventional(
    codes, reference, scale, plus, minus, slope, phi, first_tree, last_tree, start, skip, depth, above, feature, low,
    high, offset, side, table, leaf, values, output, max_depth,
):  # fmt: skip
    """Add ``scale Σ_k slope_k φ_k``, summed over reference rows, to ``phi`` (n_used, n_rows).

    One row at a time against a block of reference rows: codes (n_used, n_rows), reference (n_used, n_reference).
    ``plus[q, p]`` and ``minus[q, p]`` are the shares of literals that only x, or only the reference row, satisfies;
    their last column is 0, for pairs that reach no leaf below together.
    """
    n_rows, n_reference = codes.shape[1], reference.shape[1]
    dead = plus.shape[1] - 1
    kind = phi.dtype
    count = np.empty((max_depth + 1, _REFERENCES), np.int32)  # literals that only x satisfies; ``dead`` where none can
    holds = np.ones((max_depth + 1, _REFERENCES), np.int32)  # for the reference row: the merged literal
    fails = np.empty((max_depth + 1, _REFERENCES), np.int32)  # this edge is where it stopped holding
    gain = np.empty((max_depth + 1, _REFERENCES), kind)
    loss = np.empty(max_depth + 1, kind)
    missed = np.zeros(max_depth + 1, np.int32)  # literals that only the reference row satisfies
    own = np.ones(max_depth + 1, np.bool_)  # for x: the merged literal
    feature_at = np.zeros(max_depth + 1, np.int32)
    turn = np.zeros(max_depth + 1, np.int32)  # 1: x satisfies; -1: this edge is where it stopped; 0: further up
    n_values = values.shape[1]
    for begin in range(0, n_reference, _REFERENCES):
        n = min(_REFERENCES, n_reference - begin)
        for b in range(n):
            count[0, b] = 0
        for row in range(n_rows):
            for tree in range(first_tree, last_tree):
                s = scale * slope[output[tree], row] if n_values == 1 else scale
                if s == 0:
                    continue
                e, e1 = start[tree], start[tree + 1]
                while e < e1:
                    d, f, a = depth[e], feature[e], above[e]
                    code, at = codes[f, row], reference[f, begin : begin + n]
                    if offset[e] >= 0:
                        taken = table[offset[e] + code] == side[e]
                        for b in range(n):
                            holds[d, b] = table[offset[e] + at[b]] == side[e]
                    else:
                        taken = ((code >= low[e]) & (code <= high[e])) == (side[e] == 1)
                        flip = np.int32(1 - side[e])
                        for b in range(n):
                            holds[d, b] = np.int32((at[b] >= low[e]) & (at[b] <= high[e])) ^ flip
                    before = own[a] if a else True
                    own[d] = before & taken
                    turn[d] = 1 if own[d] else (-1 if before else 0)
                    missed[d] = missed[d - 1] + (turn[d] == -1)
                    if a:
                        for b in range(n):
                            fails[d, b] = holds[a, b] & (1 - holds[d, b])
                            holds[d, b] &= holds[a, b]
                    else:
                        for b in range(n):
                            fails[d, b] = 1 - holds[d, b]
                    least = dead
                    if own[d]:
                        for b in range(n):
                            count[d, b] = min(count[d - 1, b] + fails[d, b], dead)
                            least = min(least, count[d, b])
                    else:
                        for b in range(n):
                            count[d, b] = count[d - 1, b] if holds[d, b] else dead
                            least = min(least, count[d, b])
                    feature_at[d] = f
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
                            gain[d, b] = v * plus[q, count[d, b]]
                            lost += minus[q, count[d, b]]
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


@njit(**_OPTIONS)
def _descend(codes, begin, n, nodes, table, node):
    """Move ``node`` of n rows one level down; leaves are their own children.

    A level of many rows at a time: their loads overlap, where one row's walk waits for each of its own. The column of
    the child is computed, since a processor cannot guess which way rows go.
    """
    if len(table) == 0:
        for b in range(n):
            i = node[b]
            code = codes[begin + b, nodes[i, 0]]
            node[b] = nodes[i, 5 - (np.int32(code >= nodes[i, 1]) & np.int32(code <= nodes[i, 2]))]
        return
    for b in range(n):
        i = node[b]
        code = codes[begin + b, nodes[i, 0]]
        if nodes[i, 3] >= 0:
            node[b] = nodes[i, 5 - np.int32(table[nodes[i, 3] + code])]
        else:
            node[b] = nodes[i, 5 - (np.int32(code >= nodes[i, 1]) & np.int32(code <= nodes[i, 2]))]


@njit(**_OPTIONS)
def walk(codes, nodes, table, roots, heights, values, output, out):
    """Add the value of each active leaf to ``out`` (n_rows, n_outputs); codes (n_rows, n_used)."""
    n_rows, n_values = codes.shape[0], values.shape[1]
    node = np.empty(_WALK, np.int32)
    for begin in range(0, n_rows, _WALK):
        n = min(_WALK, n_rows - begin)
        for tree in range(len(roots)):
            node[:n] = roots[tree]
            for _ in range(heights[tree]):
                _descend(codes, begin, n, nodes, table, node)
            for b in range(n):
                if n_values == 1:
                    out[begin + b, output[tree]] += values[node[b], 0]
                else:
                    for k in range(n_values):
                        out[begin + b, k] += values[node[b], k]


@njit(**_OPTIONS)
def path(codes, nodes, table, roots, heights, steps, output, slope, phi):
    """Add ``Σ_k slope_k steps_k`` of each passed node to the feature above it, ``phi`` (n_rows, n_used)."""
    n_rows, n_values = codes.shape[0], steps.shape[1]
    node, before = np.empty(_WALK, np.int32), np.empty(_WALK, np.int32)
    for begin in range(0, n_rows, _WALK):
        n = min(_WALK, n_rows - begin)
        for tree in range(len(roots)):
            node[:n] = roots[tree]
            for _ in range(heights[tree]):
                before[:n] = node[:n]
                _descend(codes, begin, n, nodes, table, node)
                if n_values == 1:
                    for b in range(n):
                        if node[b] != before[b]:
                            step = slope[begin + b, output[tree]] * steps[node[b], 0]
                            phi[begin + b, nodes[before[b], 0]] += step
                    continue
                for b in range(n):
                    if node[b] != before[b]:
                        for k in range(n_values):
                            phi[begin + b, nodes[before[b], 0]] += slope[begin + b, k] * steps[node[b], k]


@njit(**_OPTIONS)
def equal(codes, nodes, table, roots, heights, shares, is_first, output, slope, phi):
    """Add ``Σ_k slope_k shares_k`` of each active leaf to every feature on its path, ``phi`` (n_rows, n_used)."""
    n_rows, n_values = codes.shape[0], shares.shape[1]
    node, before = np.empty(_WALK, np.int32), np.empty(_WALK, np.int32)
    share = np.empty(_WALK, phi.dtype)
    for begin in range(0, n_rows, _WALK):
        n = min(_WALK, n_rows - begin)
        for tree in range(len(roots)):
            node[:n] = roots[tree]
            for _ in range(heights[tree]):
                _descend(codes, begin, n, nodes, table, node)
            share[:n] = 0
            for k in range(n_values):
                at = output[tree] if n_values == 1 else k
                for b in range(n):
                    share[b] += slope[begin + b, at] * shares[node[b], k]
            node[:n] = roots[tree]
            for _ in range(heights[tree]):
                before[:n] = node[:n]
                _descend(codes, begin, n, nodes, table, node)
                for b in range(n):
                    if node[b] != before[b] and is_first[node[b]]:
                        phi[begin + b, nodes[before[b], 0]] += share[b]


@njit(**_OPTIONS)
def look_up(
    codes, slope, phi, first_tree, last_tree, start, above_edge, feature, low, high, offset, side, table, output,
    group_start, source, asked, row, rows,
):  # fmt: skip
    """Add ``Σ_k slope_k φ_k`` from tables ``rows`` (n_values, n_rows, width) to ``phi`` (n_samples, width).

    codes (n_used, n_samples), slope (n_samples, n_outputs); of the bits see `neon.nn.trees.tables.Groups`.
    """
    n_samples, n_edges, n_values = codes.shape[1], len(feature), rows.shape[0]
    width, n_bits = rows.shape[2], source.shape[1]
    longest, most = 1, 1
    for tree in range(first_tree, last_tree):
        longest = max(longest, start[tree + 1] - start[tree])
        most = max(most, group_start[tree + 1] - group_start[tree])
    single = np.empty((longest, _LOOK_UP), np.uint8)
    merged = np.empty((longest, _LOOK_UP), np.uint8)
    index = np.empty((most, _LOOK_UP), np.uint8)
    no_bits, all_bits = np.uint8(0), np.uint8(255)
    for tree in range(first_tree, last_tree):
        e0, e1, g0, g1 = start[tree], start[tree + 1], group_start[tree], group_start[tree + 1]
        for begin in range(0, n_samples, _LOOK_UP):
            n = min(_LOOK_UP, n_samples - begin)
            if n_values == 1:
                used = False
                for b in range(n):
                    used |= slope[begin + b, output[tree]] != 0
                if not used:
                    continue
            for e in range(e0, e1):
                if asked[e] == 0:
                    continue
                i, f = e - e0, feature[e]
                if offset[e] >= 0:
                    for b in range(n):
                        single[i, b] = all_bits if table[offset[e] + codes[f, begin + b]] == side[e] else no_bits
                else:
                    lo, span = low[e], np.uint32(high[e] - low[e])
                    yes, no = (all_bits, no_bits) if side[e] == 1 else (no_bits, all_bits)
                    for b in range(n):
                        single[i, b] = yes if np.uint32(codes[f, begin + b] - lo) <= span else no
                if asked[e] & 1:
                    if above_edge[e] >= 0:
                        a = above_edge[e] - e0
                        for b in range(n):
                            merged[i, b] = single[i, b] & merged[a, b]
                    else:
                        for b in range(n):
                            merged[i, b] = single[i, b]
            for g in range(g0, g1):
                for b in range(n):
                    index[g - g0, b] = 0
                for k in range(n_bits):
                    e, bit = source[g, k], np.uint8(1 << k)
                    if e >= n_edges:
                        for b in range(n):
                            index[g - g0, b] |= single[e - n_edges - e0, b] & bit
                    elif e >= 0:
                        for b in range(n):
                            index[g - g0, b] |= merged[e - e0, b] & bit
            for k in range(n_values):
                for b in range(n):
                    s = slope[begin + b, output[tree] if n_values == 1 else k]
                    if s != 0:
                        for g in range(g0, g1):
                            r = row[g] + index[g - g0, b]
                            for w in range(width):
                                phi[begin + b, w] += s * rows[k, r, w]
