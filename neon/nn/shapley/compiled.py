"""Loops over the factors of product units, compiled by numba: one row and unit at a time, features innermost.

The functions of `neon.nn.shapley.vectorized`, on the CPU. All release the interpreter's lock. Whatever the dtype of the
arrays, the arithmetic is in double precision.

Most of the time would go into exponentials and divisions. The exponential is written out, so that it runs in vector
registers. Four nodes share a division, ``s_1/v_1 + s_2/v_2 = (s_1 v_2 + s_2 v_1) / (v_1 v_2)`` twice over, where no
factor is so small that a product of four leaves the range of floats.
"""

# mypy: allow-untyped-defs, ignore-missing-imports, disable-error-code="call-arg,import-untyped"
from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from torch import Tensor

from neon._compilation import njit
from neon.nn.shapley.nodes import ELLIPSES, LOG_TOLERANCE, rules
from neon.nn.shapley.vectorized import Kernel

__all__ = ["log_units", "mean_factors", "shapley", "shares"]

# Sums and products in any order, so that they run in vector registers; no other liberty.
_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "fastmath": {"contract", "nsz", "reassoc", "arcp"},
    "error_model": "numpy",
}
_INLINE: dict[str, Any] = {**_OPTIONS, "forceinline": True}
_TINY = 1e-70  # factors below it share no division: its fourth power is still a normal number
_LEAST = 1e-290  # products below it may have left the range of floats
_GROUP = 8  # factors of one logarithm then

_LOG2_E = 1 / math.log(2)
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # their sum is log 2, the first is short


@intrinsic
def _of_bits(_, bits):
    def codegen(_, builder, __, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


# No sums in another order: y - k log 2 is exact only in this one.
@njit(**{**_INLINE, "fastmath": {"contract"}})
def _exp(y):
    """``exp(y) = 2^k exp(r)``, |r| ≤ ½ log 2, for y ≤ 0, by its Taylor series; below the normal numbers, the least."""
    y = max(y, -708.0)
    k = np.int32(y * _LOG2_E - 0.5)
    r = (y - k * _LN2_HIGH) - k * _LN2_LOW
    p = 1 / 6227020800
    p = p * r + 1 / 479001600
    p = p * r + 1 / 39916800
    p = p * r + 1 / 3628800
    p = p * r + 1 / 362880
    p = p * r + 1 / 40320
    p = p * r + 1 / 5040
    p = p * r + 1 / 720
    p = p * r + 1 / 120
    p = p * r + 1 / 24
    p = p * r + 1 / 6
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return p * _of_bits((np.int64(k) + 1023) << 52)


@njit(**_INLINE)
def _factors(x, centers, rate, power, players, out):
    """``a`` of one row and unit; without players each column has a factor of its own."""
    if len(players) > 0:
        out[:] = 0.0
        for i in range(len(x)):
            moved = x[i] - centers[i]
            out[players[i]] += moved * moved if power == 2 else abs(moved)
        for i in range(len(out)):
            out[i] = _exp(-rate * out[i])
    elif power == 2:
        for i in range(len(x)):
            moved = x[i] - centers[i]
            out[i] = _exp(-rate * (moved * moved))
    else:
        for i in range(len(x)):
            out[i] = _exp(-rate * abs(x[i] - centers[i]))


@njit(**_INLINE)
def _differences(a, b, c):
    """``c = a - b``, and whether four factors may share a division."""
    small = 0
    for i in range(len(a)):
        c[i] = a[i] - b[i]
        small += min(a[i], b[i]) < _TINY
    return small == 0


@njit(**_INLINE)
def _products(b, c, t, out):
    """``Π_i v_i(t_q)``."""
    n = len(t) // 4 * 4
    for q in range(0, n, 4):
        p0 = p1 = p2 = p3 = 1.0
        for i in range(len(c)):
            p0 *= b[i] + t[q] * c[i]
            p1 *= b[i] + t[q + 1] * c[i]
            p2 *= b[i] + t[q + 2] * c[i]
            p3 *= b[i] + t[q + 3] * c[i]
        out[q], out[q + 1], out[q + 2], out[q + 3] = p0, p1, p2, p3
    for q in range(n, len(t)):
        p0 = 1.0
        for i in range(len(c)):
            p0 *= b[i] + t[q] * c[i]
        out[q] = p0


@njit(**_INLINE)
def _add_quotients(b, c, t, s, shared, out):
    """``Σ_q s_q / v_i(t_q)`` is added to out; 0 for a factor 0."""
    n = len(t) // 4 * 4 if shared else 0
    for q in range(0, n, 4):
        s0, s1, s2, s3 = s[q], s[q + 1], s[q + 2], s[q + 3]
        for i in range(len(c)):
            v0 = b[i] + t[q] * c[i]
            v1 = b[i] + t[q + 1] * c[i]
            v2 = b[i] + t[q + 2] * c[i]
            v3 = b[i] + t[q + 3] * c[i]
            left, right = v0 * v1, v2 * v3
            out[i] += ((s0 * v1 + s1 * v0) * right + (s2 * v3 + s3 * v2) * left) / (left * right)
    for q in range(n, len(t)):
        for i in range(len(c)):
            v = b[i] + t[q] * c[i]
            out[i] += s[q] / v if v != 0.0 else 0.0


@njit(**_INLINE)
def _log_product(b, c, t, p):
    """The logarithm of a product p of factors, which may be too small for a float."""
    if p >= _LEAST:
        return math.log(p)
    total = 0.0
    for start in range(0, len(c), _GROUP):
        p, stop = 1.0, min(start + _GROUP, len(c))
        for i in range(start, stop):
            p *= b[i] + t * c[i]
        if p >= _LEAST:
            total += math.log(p)
        else:
            for i in range(start, stop):
                total += np.log(b[i] + t * c[i])
    return total


@njit(**_OPTIONS)
def _mean_factors(x, weights, centers, rate, power, players, out):
    a = np.empty(out.shape[1])
    for j in range(len(centers)):
        for r in range(len(x)):
            _factors(x[r], centers[j], rate, power, players, a)
            for i in range(len(a)):
                out[j, i] += weights[r] * a[i]


@njit(**_OPTIONS)
def _log_units(x, centers, rate, power, players, b, t, out):
    a, c, p = np.empty(b.shape[1]), np.empty(b.shape[1]), np.empty(len(t))
    for r in range(len(x)):
        for j in range(len(centers)):
            _factors(x[r], centers[j], rate, power, players, a)
            _differences(a, b[j], c)
            _products(b[j], c, t, p)
            for q in range(len(t)):
                out[q, r, j] = _log_product(b[j], c, t[q], p[q])


@njit(**_OPTIONS)
def _shares(x, centers, rate, power, players, b, slopes, t, out):
    d = b.shape[1]
    a, c, total, s = np.empty(d), np.empty(d), np.empty(d), np.empty(len(t))
    for r in range(len(x)):
        for j in range(len(centers)):
            s[:] = slopes[:, r, j]
            if not s.any():
                continue
            _factors(x[r], centers[j], rate, power, players, a)
            shared = _differences(a, b[j], c)
            total[:] = 0.0
            _add_quotients(b[j], c, t, s, shared, total)
            for i in range(d):
                out[r, i] += total[i] * c[i]


@njit(**_INLINE)
def _bound_and_middle(a, b, alpha, widths, quotients, space, bounds, out):
    """Terms of the bound of one unit are added to bounds, and what one node in the middle gives to out."""
    d, base, power = len(a), space[0], space[1]
    spread, p = 0.0, 1.0
    for i in range(d):
        both = a[i] + b[i]
        p *= 0.5 * both
        quotients[i] = (a[i] - b[i]) / both if both != 0.0 else 0.0
        spread += abs(quotients[i])
    for i in range(d):
        out[i] += 2 * alpha * p * quotients[i]
    for e in range(len(widths)):
        base[e], power[e] = 1.0 + widths[e] * spread / d, abs(alpha) * p
    while d > 0:  # power *= base^d, square by square
        if d & 1:
            for e in range(len(widths)):
                power[e] *= base[e]
        for e in range(len(widths)):
            base[e] *= base[e]
        d >>= 1
    for e in range(len(widths)):
        bounds[e] += power[e]


@njit(**_INLINE)
def _enough(bounds, log_scale, log_step, out):
    """The least number of nodes whose error is within the tolerance of the largest value: `neon.nn.shapley.nodes`."""
    peak, least = 0.0, np.inf
    for i in range(len(out)):
        peak = max(peak, abs(out[i]))
    if peak == 0.0:
        return 0.0
    for e in range(len(bounds)):
        if bounds[e] < np.inf:
            least = min(least, (np.log(bounds[e]) + log_scale[e] - LOG_TOLERANCE - np.log(peak)) / log_step[e])
    return least


@njit(**_OPTIONS)
def _shapley(x, centers, rate, power, players, b, alpha, widths, log_scale, log_step, sizes, nodes, weights, out):
    m, d = b.shape
    a, c, total, phi = np.empty((m, d)), np.empty(d), np.empty(d), np.empty(d)
    p, bounds, space = np.empty(nodes.shape[1]), np.empty(len(widths)), np.empty((2, len(widths)))
    for r in range(len(x)):
        bounds[:], phi[:] = 0.0, 0.0
        for j in range(m):
            if alpha[r, j] != 0.0:
                _factors(x[r], centers[j], rate, power, players, a[j])
                _bound_and_middle(a[j], b[j], alpha[r, j], widths, total, space, bounds, phi)
        k, last = -1, len(sizes) - 1
        while True:
            least = _enough(bounds, log_scale, log_step, phi)
            if k == last or (k >= 0 and sizes[k] >= least):
                break
            k = max(k, 0)
            while k < last and sizes[k] < least:
                k += 1
            n, phi[:] = sizes[k], 0.0
            for j in range(m):
                if alpha[r, j] == 0.0:
                    continue
                shared = _differences(a[j], b[j], c)
                _products(b[j], c, nodes[k, :n], p)
                for q in range(n):
                    p[q] *= alpha[r, j] * weights[k, q]
                total[:] = 0.0
                _add_quotients(b[j], c, nodes[k, :n], p, shared, total)
                for i in range(d):
                    phi[i] += total[i] * c[i]
        for i in range(d):
            out[r, i] = phi[i]


def mean_factors(kernel: Kernel, rows: Tensor, weights: Tensor) -> Tensor:
    out = kernel.centers.new_zeros(len(kernel.centers), kernel.n_features)
    _mean_factors(_array(rows), _array(weights), *_arrays(kernel), out.numpy())
    return out


def log_units(kernel: Kernel, b: Tensor, x: Tensor, t: Tensor) -> Tensor:
    out = x.new_empty(len(t), len(x), len(b))
    _log_units(_array(x), *_arrays(kernel), _array(b), _array(t), out.numpy())
    return out


def shares(kernel: Kernel, b: Tensor, x: Tensor, slopes: Tensor, t: Tensor) -> Tensor:
    out = x.new_zeros(len(x), b.shape[1])
    _shares(_array(x), *_arrays(kernel), _array(b), _array(slopes), _array(t), out.numpy())
    return out


def shapley(kernel: Kernel, b: Tensor, x: Tensor, alpha: Tensor) -> Tensor:
    out = x.new_empty(len(x), b.shape[1])
    _shapley(_array(x), *_arrays(kernel), _array(b), _array(alpha), *ELLIPSES, *rules(b.shape[1]), out.numpy())
    return out


_NONE = torch.empty(0, dtype=torch.int64)


def _arrays(kernel: Kernel) -> tuple[np.ndarray, float, int, np.ndarray]:
    players = _NONE if kernel.players is None else kernel.players
    return _array(kernel.centers), kernel.rate, kernel.power, _array(players)


def _array(x: Tensor) -> np.ndarray:
    """Contiguous, as the loops are compiled for."""
    return x.contiguous().numpy()
