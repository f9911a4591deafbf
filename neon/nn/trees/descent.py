"""Rows become codes and go down the trees: loops compiled by numba, imported only where they are run.

Each row has one path in a tree. Many of them take each step together, so that their loads overlap.
"""

# mypy: allow-untyped-defs, ignore-missing-imports
from __future__ import annotations

from typing import Any

import numpy as np

from neon._compilation import njit

__all__ = ["encode", "equal", "path", "walk"]

_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": {"contract", "nsz"}, "error_model": "numpy"}
_ENCODE = 256
_WALK = 512


@njit(**_OPTIONS)
def encode(x, bits, begin, end, used, cuts, n_cuts, categorical, strict, lowest, infinity, codes):
    """Codes of rows ``begin..end``, as `neon.nn.trees.routing.Codes`; x (n, n_features) with its bits as integers.

    A binary search whose steps many rows take together.
    """
    key, below, missing = np.empty(_ENCODE, np.int64), np.empty(_ENCODE, np.int64), np.empty(_ENCODE, np.bool_)
    for u in range(len(used)):
        f = used[u]
        above = 1 if strict and not categorical[u] else 0  # a key at its cut counts as above it
        for first in range(begin, end, _ENCODE):
            n = min(_ENCODE, end - first)
            for b in range(n):
                k = np.int64(bits[first + b, f])
                k = k if k >= 0 else lowest - k
                missing[b] = (k > infinity) | (k < -infinity)  # NaN
                key[b] = k + above
                below[b] = 0
            if categorical[u]:
                for b in range(n):
                    whole = x[first + b, f]
                    key[b] = np.int64(whole) if abs(whole) < 2.0**53 else np.int64(-1)
            rest = n_cuts[u]
            while rest > 0:
                half = (rest + 1) >> 1
                for b in range(n):
                    below[b] += half if cuts[u, below[b] + half - 1] < key[b] else 0
                rest -= half
            for b in range(n):
                if categorical[u] and (below[b] == n_cuts[u] or cuts[u, below[b]] != key[b]):
                    below[b] = n_cuts[u]
                codes[u, first + b] = 0 if missing[b] else 1 + below[b]


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
def walk(codes, nodes, table, roots, heights, output, values, out):
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
                for k in range(n_values):
                    out[begin + b, output[tree] if n_values == 1 else k] += values[node[b], k]


@njit(**_OPTIONS)
def path(codes, nodes, table, roots, heights, output, steps, slope, phi):
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
                for b in range(n):
                    if node[b] != before[b]:
                        for k in range(n_values):
                            step = slope[begin + b, output[tree] if n_values == 1 else k] * steps[node[b], k]
                            phi[begin + b, nodes[before[b], 0]] += step


@njit(**_OPTIONS)
def equal(codes, nodes, table, roots, heights, output, shares, is_first, slope, phi):
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
