"""Values against reference rows in O(rows + reference rows): what each row misses of a leaf's literals, as a pattern.

Where x misses the literals A of a leaf and a reference row the literals B, some mix of both reaches the leaf if A and B
share none, and what the leaf gives to whom then depends on B and on how many are in A. Reference rows are counted by B,
once, and the counts are summed over all B apart from each A. Loops compiled by numba, otherwise as
`neon.nn.trees.kernels`. (Reference rows counted by pattern: WOODELF, Nadel and Wettenstein 2026. Sums over all subsets,
a literal at a time: Yates 1937. What is ours: both parts of the formula from two numbers a pattern.)
"""

# mypy: allow-untyped-defs, ignore-missing-imports
from __future__ import annotations

from typing import Any

import numpy as np

from neon._compilation import njit
from neon.nn.trees.kernels import taken

__all__ = ["FEWEST", "add_shares", "count", "sum_counts"]

FEWEST = 3  # literals that a table has room for
_REFERENCES = 512
_ROWS = 1024
_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": {"contract", "nsz"}, "error_model": "numpy"}
_PART: dict[str, Any] = {**_OPTIONS, "cache": False, "forceinline": True}


@njit(**_PART)
def _clear(to, n):
    for b in range(n):
        to[b] = 0


@njit(**_PART)
def _unite(to, other, n):
    for b in range(n):
        to[b] |= other[b]


@njit(**_PART)
def _add(to, part, n):
    for b in range(n):
        to[b] += part[b]


@njit(**_PART)
def _add_scaled(to, part, scale, n):
    for b in range(n):
        to[b] += scale * part[b]


@njit(**_PART)
def _add_difference(to, plus, minus, n):
    for b in range(n):
        to[b] += plus[b] - minus[b]


@njit(**_PART)
def _add_found(to, weight, table, pattern, bit, n):
    for b in range(n):
        to[b] += weight[b] * table[pattern[b] | bit]


@njit(**_OPTIONS)
def count(reference, weights, first_tree, last_tree, edges, place, passed, counts):
    """Add the weight of each reference row to ``counts[place[leaf] + B]``, B the literals of the leaf that it misses.

    reference (n_used, n_reference), weights (n_reference,). Literal j of a path is bit j. ``passed`` says which edges
    lead to leaves that are asked for.
    """
    start, skip, depth, feature, leaf, slot = (
        edges.start, edges.skip, edges.depth, edges.feature, edges.leaf, edges.slot
    )  # fmt: skip
    low, high, offset, side, table = edges.low, edges.high, edges.offset, edges.side, edges.table
    missed = np.zeros((edges.max_depth + 1, _REFERENCES), np.uint32)
    for tree in range(first_tree, last_tree):
        for begin in range(0, reference.shape[1], _REFERENCES):
            n = min(_REFERENCES, reference.shape[1] - begin)
            e, e1 = start[tree], start[tree + 1]
            while e < e1:
                if not passed[e]:
                    e = skip[e]
                    continue
                d, at = depth[e], reference[feature[e], begin : begin + n]
                taken(low, high, offset, side, table, e, at, np.uint32(0), np.uint32(1 << slot[e]), missed[d])
                _unite(missed[d], missed[d - 1], n)
                if leaf[e]:
                    own = counts[place[e] :]
                    for b in range(n):
                        own[missed[d, b]] += weights[begin + b]
                e += 1


@njit(**_PART)
def _sum_over_subsets(plane, D, t):
    """Of counts by B, in place: for every A ``(1 - t)^|A| Σ_B count_B t^|B|`` over the B that share no literal with A.

    One literal at a time, which both rows hold, or one of them.
    """
    rest = 1 - t
    for s in range(0, 1 << D, 8):  # the first three at once: their neighbours are too few for vectors
        c0, c1, c2, c3 = plane[s], plane[s + 1], plane[s + 2], plane[s + 3]
        c4, c5, c6, c7 = plane[s + 4], plane[s + 5], plane[s + 6], plane[s + 7]
        c0, c1, c2, c3 = c0 + t * c1, rest * c0, c2 + t * c3, rest * c2
        c4, c5, c6, c7 = c4 + t * c5, rest * c4, c6 + t * c7, rest * c6
        c0, c2, c1, c3 = c0 + t * c2, rest * c0, c1 + t * c3, rest * c1
        c4, c6, c5, c7 = c4 + t * c6, rest * c4, c5 + t * c7, rest * c5
        plane[s], plane[s + 1], plane[s + 2], plane[s + 3] = c0 + t * c4, c1 + t * c5, c2 + t * c6, c3 + t * c7
        plane[s + 4], plane[s + 5], plane[s + 6], plane[s + 7] = rest * c0, rest * c1, rest * c2, rest * c3
    for j in range(3, D):
        h = 1 << j
        for s in range(0, 1 << D, 2 * h):
            held, missed = plane[s : s + h], plane[s + h : s + 2 * h]
            for i in range(h):
                both = held[i]
                held[i] += t * missed[i]
                missed[i] = rest * both


@njit(**_OPTIONS)
def sum_counts(places, lengths, n_points, points, weights, against_none, of_all, of_one):
    """Replace the counts of each leaf in ``of_all`` by U and write V to ``of_one``, both (n_entries,).

    With p = |B| and q = |A|, over the B that share no literal with A, ``U(A) = Σ_B count_B (p-1)! q! / (p+q)!``, and V
    is the same with q - 1 in the place of q. Of a leaf of value 1 a literal i that x holds gets ``U(A) - V(A ∪ i)``,
    one that it misses ``U(A) - V(A) = -Σ_B count_B p! (q-1)! / (p+q)!``. By quadrature: the factor is the integral of
    ``t^(p-1) (1-t)^q``; for p = 0, where only differences are defined, it is ``against_none[q]``, minus the sum of what
    literals that x misses lose to a reference row that misses none, for 1 to q of them.
    """
    most = 1 << max(np.max(lengths), FEWEST)
    plane, counts = np.empty(most), np.empty(most)
    for i in range(len(places)):
        D, Q = max(lengths[i], FEWEST), n_points[lengths[i]]
        size = 1 << D
        U, V = of_all[places[i] : places[i] + size], of_one[places[i] : places[i] + size]
        none = U[0]
        for s in range(size):
            counts[s] = U[s]
            U[s] = V[s] = 0
        counts[0] = 0
        for k in range(Q):
            t, weight = points[Q, k], weights[Q, k]
            for s in range(size):
                plane[s] = counts[s]
            _sum_over_subsets(plane, D, t)
            _add_scaled(U, plane, weight / t, size)
            _add_scaled(V, plane, weight / (t * (1 - t)), size)
        for s in range(1, size):
            q, rest = 0, s
            while rest:
                rest &= rest - 1
                q += 1
            U[s] += none * against_none[q]
            V[s] += none * against_none[q - 1]


@njit(**_OPTIONS)
def add_shares(codes, slope, phi, first_tree, last_tree, edges, place, passed, U, V):
    """Add ``Σ_k slope_k φ_k`` of the leaves that ``passed`` leads to, from their tables, to ``phi`` (n_used, n_rows).

    codes (n_used, n_rows), slope (n_outputs, n_rows). ``φ_i = Σ v (U(A) - V(A ∪ i))`` over the leaves with a literal i;
    the first part, which is the same for all i, is added up on the way up.
    """
    start, skip, depth, above, feature = edges.start, edges.skip, edges.depth, edges.above, edges.feature
    low, high, offset, side, table = edges.low, edges.high, edges.offset, edges.side, edges.table
    leaf, slot, length, values, output = edges.leaf, edges.slot, edges.length, edges.values, edges.output
    n_rows, n_values, deepest = codes.shape[1], values.shape[1], edges.max_depth + 1
    missed = np.zeros((deepest, _ROWS), np.uint32)
    of_all, of_one = np.zeros((deepest, _ROWS)), np.zeros((deepest, _ROWS))  # Σ v U below; Σ v V(A ∪ i)
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
                        _add_difference(phi[feature[i], begin : begin + n], of_all[j], of_one[slot[i]], n)
                    _add(of_all[j - 1], of_all[j], n)
                if e == e1:
                    break
                last = d - 1
                if not passed[e]:
                    e = skip[e]
                    continue
                last, on_path[d] = d, e
                at = codes[feature[e], begin : begin + n]
                taken(low, high, offset, side, table, e, at, np.uint32(0), np.uint32(1 << slot[e]), missed[d])
                _unite(missed[d], missed[d - 1], n)
                if above[e] == 0:
                    _clear(of_one[slot[e]], n)
                _clear(of_all[d], n)
                if leaf[e]:
                    _clear(value, n)
                    for k in range(n_values):
                        _add_scaled(value, slope[output[tree] if n_values == 1 else k, begin:], values[e, k], n)
                    _add_found(of_all[d], value, U[place[e] :], missed[d], np.uint32(0), n)
                    for j in range(length[e]):
                        _add_found(of_one[j], value, V[place[e] :], missed[d], np.uint32(1 << j), n)
                e += 1
